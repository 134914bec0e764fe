package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

const (
	// maxEvent bounds the data, or the meta, of an event, and maxBatch that of
	// an append, which is in memory several times.
	maxEvent = 64 << 20
	maxBatch = 256 << 20
)

// Append implements [eventstore.Backend].
func (db *DB) Append(ctx context.Context, b eventstore.Batch) (done eventstore.Appended, err error) {
	p, err := prepare(b)
	if err != nil {
		return done, err
	}
	j := &job{size: p.size}
	var result eventstore.Appended // the caller may be gone when it comes
	j.run = func(w *writer) (err error) { result, err = w.append(p); return err }
	if err := db.do(ctx, j); err != nil {
		return done, err
	}
	return result, nil
}

// prepared is a batch with what can be made of it beside the writer.
type prepared struct {
	eventstore.Batch
	ids  []any // as idArg returns them
	meta []any
	size int // bytes, about
}

func prepare(b eventstore.Batch) (*prepared, error) {
	p := &prepared{Batch: b, ids: make([]any, len(b.Events)), meta: make([]any, len(b.Events))}
	for i, e := range b.Events {
		p.ids[i], p.meta[i] = idArg(e.ID), metaArg(e.Meta)
		meta, _ := p.meta[i].(string)
		if n := max(len(e.Data), len(meta)); n > maxEvent {
			return nil, fmt.Errorf("sqlite: event %q has %d bytes of data or meta, want at most %d: %w", e.ID, n, maxEvent, eventstore.ErrTooLarge)
		}
		p.size += len(e.Data) + len(meta) + 200
		for _, tag := range e.Tags {
			p.size += len(tag) + 50
		}
	}
	if p.size > maxBatch {
		return nil, fmt.Errorf("sqlite: a batch of %d bytes, want at most %d: %w", p.size, maxBatch, eventstore.ErrTooLarge)
	}
	return p, nil
}

// append does what Backend.Append says, in a transaction. A refusal has written
// nothing but names.
func (w *writer) append(p *prepared) (eventstore.Appended, error) {
	// One event can be tried: if its id is taken, nothing has been written.
	if len(p.Events) > 1 && w.mayKnow(p) {
		if known, done, err := w.known(p); known || err != nil {
			return done, err
		}
	}
	for _, cond := range p.Conditions {
		conflict, err := w.conflict(cond)
		if err != nil {
			return eventstore.Appended{}, err
		}
		if conflict != nil {
			if known, done, err := w.known(p); known || err != nil {
				return done, err
			}
			return eventstore.Appended{}, conflict
		}
	}
	from := len(w.added)
	for i, e := range p.Events {
		err := w.store(eventstore.Recorded{Event: e, Stored: w.stamp}, p.ids[i], p.meta[i])
		if err != nil {
			if len(p.Events) == 1 && errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) {
				if known, done, err := w.known(p); known || err != nil {
					return done, err
				}
			}
			return eventstore.Appended{}, err
		}
	}
	return eventstore.Appended{Events: w.added[from:len(w.added):len(w.added)]}, nil
}

// mayKnow reports whether an id of the batch may be stored: those that the
// store makes grow, so a larger one than all is new.
func (w *writer) mayKnow(p *prepared) bool {
	for _, id := range p.ids {
		if b, ok := id.([]byte); !ok || string(b) <= w.lastID {
			return true
		}
	}
	return false
}

// known reports whether the batch is stored, and returns it then.
func (w *writer) known(p *prepared) (bool, eventstore.Appended, error) {
	stored := make([]*eventstore.Recorded, len(p.Events))
	for i, id := range p.ids {
		r, found, err := w.c.one("id = ?", id)
		if err != nil {
			return false, eventstore.Appended{}, err
		}
		if found {
			stored[i] = &r
		}
	}
	known, err := p.Known(stored)
	if !known || err != nil {
		return false, eventstore.Appended{}, err
	}
	done := eventstore.Appended{Known: true}
	for _, r := range stored {
		done.Events = append(done.Events, *r)
	}
	return true, done, nil
}

// one returns the event that meets a condition.
func (c *conn) one(where string, arg any) (r eventstore.Recorded, found bool, err error) {
	var bad error
	found, err = c.row(func(s *sqlite3.Stmt) { r, bad = c.event(s) }, "SELECT "+columns+" FROM eventstore_events WHERE "+where, arg)
	return r, found, errors.Join(err, bad)
}

const insertEvent = "INSERT INTO eventstore_events (" + columns + ", sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

// store adds the event at the head.
func (w *writer) store(r eventstore.Recorded, id, meta any) error {
	r.Position = w.head + 1
	kind, err := w.name(r.Type)
	if err != nil {
		return err
	}
	var in any // the number of the stream
	if r.Stream != "" {
		at, err := w.stream(r.Stream)
		if err != nil {
			return err
		}
		if in, err = w.name(r.Stream); err != nil {
			return err
		}
		r.Version = at.version + 1
	}
	var blob []byte
	tags := make([]int64, 0, len(r.Tags))
	for _, tag := range r.Tags {
		n, err := w.name(tag)
		if err != nil {
			return err
		}
		tags, blob = append(tags, n), binary.AppendUvarint(blob, uint64(n))
	}
	err = w.c.run(insertEvent, r.Position, id, kind, r.Schema, in, int64(r.Version), blob, r.Data, meta, r.Time.UnixNano(), r.Stored.UnixNano(), int64(r.Checksum()))
	if err != nil {
		return err
	}
	if len(tags) > 0 {
		w.db.fresh.add(&taggedEvent{number(r.Position), kind, tags})
		w.tagging.rows += len(tags)
	}
	if r.Stream != "" {
		w.streams.put(r.Stream, stream{r.Version, r.Position})
	}
	if b, ok := id.([]byte); ok && string(b) > w.lastID {
		w.lastID = string(b)
	}
	w.head = r.Position
	w.added = append(w.added, r)
	w.recent.add(r)
	return nil
}

// name returns the number of a name, and gives it one if it has none.
func (w *writer) name(name string) (int64, error) {
	if n, ok := w.names.get(name); ok {
		return n, nil
	}
	n, found, err := w.c.number(name)
	if err != nil {
		return 0, err
	}
	if !found {
		if err := w.c.run("INSERT INTO eventstore_names (name) VALUES (?)", name); err != nil {
			return 0, err
		}
		n = w.c.LastInsertRowID()
	}
	w.names.put(name, n)
	return n, nil
}

// number returns the number of a name, if it has one.
func (c *conn) number(name string) (int64, bool, error) {
	return c.int64("SELECT id FROM eventstore_names WHERE name = ?", name)
}

// stream returns where a stream is; zero if there is none.
func (w *writer) stream(name string) (at stream, err error) {
	if at, ok := w.streams.get(name); ok {
		return at, nil
	}
	n, found, err := w.c.number(name)
	if err != nil || !found {
		return at, err
	}
	_, err = w.c.row(func(s *sqlite3.Stmt) {
		at = stream{uint64(s.ColumnInt64(0)), eventstore.Position(s.ColumnInt64(1))}
	}, "SELECT version, position FROM eventstore_events WHERE stream = ? ORDER BY position DESC LIMIT 1", n)
	return at, err
}

// conflict returns the condition's conflict, or nil if it holds.
func (w *writer) conflict(cond eventstore.Condition) (*eventstore.ConflictError, error) {
	if cond.Kind != eventstore.NoneAfter {
		at, err := w.stream(cond.Stream)
		return cond.OfVersion(at.version, at.last), err
	}
	p, sure := w.recent.match(cond.Query, cond.After, w.head)
	if !sure {
		m, err := w.c.merge(cond.Query, cond.After, w.head, false)
		if err != nil {
			return nil, err
		}
		for {
			r, more, err := m.next()
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
			if r != nil {
				p = r.Position
				break
			}
		}
	}
	if p == 0 {
		return nil, nil
	}
	return &eventstore.ConflictError{Condition: cond, Position: p}, nil
}

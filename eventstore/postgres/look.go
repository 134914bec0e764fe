package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// look is what the appends of one transaction have to know, read under the
// lock of the counter, and what they have decided to store. It belongs to one
// goroutine.
type look struct {
	head    eventstore.Position
	stored  map[string]*eventstore.Recorded // by id; those to be stored included
	streams map[string]streamEnd            // likewise
	found   map[found]eventstore.Position   // what is in the way of NoneAfter conditions
	now     time.Time
	new     []eventstore.Recorded // to be stored
}

type streamEnd struct {
	version  uint64
	position eventstore.Position
}

// found names a condition by the number of its batch and its own in it.
type found struct{ batch, condition int }

const (
	lockCounter = "SELECT position FROM {s}.counter FOR UPDATE"

	// LIMIT keeps these from becoming a join: a look into an index for each,
	// whatever the planner knew of the table when the statement was prepared.
	selectByID = "SELECT " + columns + ` FROM unnest($1::text[]) i (id), LATERAL (
		SELECT * FROM {s}.events e WHERE e.id = i.id LIMIT 1) e`
	selectEnds = `SELECT s.stream, l.version, l.position FROM unnest($1::text[]) s (stream), LATERAL (
		SELECT e.version, e.position FROM {s}.events e WHERE e.stream = s.stream ORDER BY e.position DESC LIMIT 1) l`
)

// look locks the counter and reads what the batches need, all in one round
// trip: in READ COMMITTED each statement sees what was committed before it began,
// so those after the lock see everything. before are statements to run first.
func (db *DB) look(ctx context.Context, o over, batches []eventstore.Batch, before ...string) (*look, error) {
	l := &look{
		stored:  map[string]*eventstore.Recorded{},
		streams: map[string]streamEnd{},
		found:   map[found]eventstore.Position{},
		now:     time.Now().UTC().Round(0),
	}
	var b pgx.Batch
	for _, text := range append(before, durably) {
		b.Queue(text)
	}
	b.Queue(db.sql(lockCounter)).QueryRow(func(row pgx.Row) error { return row.Scan(&l.head) })

	var ids, streams []string
	named := map[string]bool{}
	needs := func(stream string) {
		if stream != "" && !named[stream] {
			named[stream] = true
			streams = append(streams, stream)
		}
	}
	for _, batch := range batches {
		for i := range batch.Events {
			ids = append(ids, batch.Events[i].ID)
			needs(batch.Events[i].Stream)
		}
		for _, c := range batch.Conditions {
			needs(c.Stream)
		}
	}
	b.Queue(db.sql(selectByID), ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			event, err := scanEvent(rows)
			if err != nil {
				return err
			}
			l.stored[event.ID] = &event
		}
		return rows.Err()
	})
	if len(streams) > 0 {
		b.Queue(db.sql(selectEnds), streams).Query(func(rows pgx.Rows) error {
			var stream string
			var end streamEnd
			for rows.Next() {
				if err := rows.Scan(&stream, &end.version, &end.position); err != nil {
					return err
				}
				l.streams[stream] = end
			}
			return rows.Err()
		})
	}
	for i, batch := range batches {
		for j, c := range batch.Conditions {
			if c.Kind == eventstore.NoneAfter {
				l.queueNone(db, &b, c, found{i, j})
			}
		}
	}
	return l, o.SendBatch(ctx, &b).Close()
}

func (l *look) queueNone(db *DB, b *pgx.Batch, c eventstore.Condition, at found) {
	s := newSearch(c.After, math.MaxInt64, 1, false)
	b.Queue(db.sql(s.positions(c.Query)), s.args...).QueryRow(func(row pgx.Row) error {
		var p eventstore.Position
		err := row.Scan(&p)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		l.found[at] = p
		return err
	})
}

// decide takes the batch with that number into the transaction, if it is not
// stored and nothing is in its way: of what is stored, and of what earlier ones
// are about to store. It writes nothing.
func (l *look) decide(n int, b eventstore.Batch) (eventstore.Appended, error) {
	stored := make([]*eventstore.Recorded, len(b.Events))
	for i := range b.Events {
		stored[i] = l.stored[b.Events[i].ID]
	}
	known, err := b.Known(stored)
	if err != nil {
		return eventstore.Appended{}, err
	}
	if known {
		done := eventstore.Appended{Known: true}
		for _, r := range stored {
			done.Events = append(done.Events, *r)
		}
		return done, nil
	}
	for i, c := range b.Conditions {
		if conflict := l.conflict(found{n, i}, c); conflict != nil {
			return eventstore.Appended{}, conflict
		}
	}
	from := len(l.new)
	for _, e := range b.Events {
		l.head++
		r := eventstore.Recorded{Event: e, Position: l.head, Stored: l.now}
		if e.Stream != "" {
			r.Version = l.streams[e.Stream].version + 1
			l.streams[e.Stream] = streamEnd{r.Version, r.Position}
		}
		l.new = append(l.new, r)
		l.stored[e.ID] = &r
	}
	return eventstore.Appended{Events: l.new[from:len(l.new):len(l.new)]}, nil
}

func (l *look) conflict(at found, c eventstore.Condition) *eventstore.ConflictError {
	if c.Kind != eventstore.NoneAfter {
		end := l.streams[c.Stream]
		return c.OfVersion(end.version, end.position)
	}
	if p, ok := l.found[at]; ok {
		return &eventstore.ConflictError{Condition: c, Position: p}
	}
	for i := range l.new {
		if r := &l.new[i]; r.Position > c.After && c.Query.Matches(&r.Event) {
			return &eventstore.ConflictError{Condition: c, Position: r.Position}
		}
	}
	return nil
}

// store writes what was decided, and whom to tell at the commit. after are
// statements to run last, in the same round trip.
func (db *DB) store(ctx context.Context, o over, l *look, teller string, after ...string) error {
	var b pgx.Batch
	db.queueInsert(&b, l.new)
	db.queueNotify(&b, notifyEvents, teller, fmt.Sprint(l.head))
	for _, text := range after {
		b.Queue(text)
	}
	return o.SendBatch(ctx, &b).Close()
}

// maxBatch is how much an append may have: PostgreSQL takes at most 1 GiB in
// one parameter, and the sizes here do not count quotes.
const maxBatch = 256 << 20

// size returns the bytes of a batch, or an error that wraps ErrTooLarge.
func size(b eventstore.Batch) (int, error) {
	bytes := 0
	for i := range b.Events {
		e := &b.Events[i]
		bytes += 200 + len(e.Data) + len(e.ID) + len(e.Type) + len(e.Stream)
		for _, tag := range e.Tags {
			bytes += len(tag)
		}
		for k, v := range e.Meta {
			bytes += len(k) + len(v)
		}
	}
	if bytes > maxBatch {
		return 0, fmt.Errorf("postgres: append of %d bytes, want at most %d: %w", bytes, maxBatch, eventstore.ErrTooLarge)
	}
	return bytes, nil
}

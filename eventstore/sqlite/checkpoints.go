package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

const checkpointColumns = `SELECT c.key, c.position, c.stopped, c.updated_ns,
	(SELECT count(*) FROM eventstore_dead_letters AS d WHERE d.key = c.key), c.marked = c.position, c.identity, c.event_id FROM eventstore_checkpoints AS c`

func checkpointIn(s *sqlite3.Stmt) eventstore.Checkpoint {
	c := eventstore.Checkpoint{
		Key: s.ColumnText(0), Position: eventstore.Position(s.ColumnInt64(1)), Stopped: s.ColumnText(2),
		Updated: time.Unix(0, s.ColumnInt64(3)).UTC(), Dead: s.ColumnInt(4),
	}
	if s.ColumnBool(5) {
		c.Identity, c.EventID = s.ColumnText(6), s.ColumnText(7)
	}
	return c
}

// checkpointOf returns the checkpoint of a key.
func (c *conn) checkpointOf(key string) (at eventstore.Checkpoint, found bool, err error) {
	found, err = c.row(func(s *sqlite3.Stmt) { at = checkpointIn(s) }, checkpointColumns+" WHERE c.key = ?", key)
	return at, found, err
}

// OpenKey implements [eventstore.Checkpoints].
func (db *DB) OpenKey(ctx context.Context, key string, start eventstore.Position) (eventstore.Checkpoint, error) {
	var at eventstore.Checkpoint
	err := db.do(ctx, &job{key: key, run: func(w *writer) (err error) {
		err = w.c.run("INSERT INTO eventstore_checkpoints (key, position, updated_ns) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key, start, w.stamp)
		if err != nil {
			return err
		}
		at, _, err = w.c.checkpointOf(key)
		return err
	}})
	if err != nil {
		return eventstore.Checkpoint{}, err
	}
	return at, nil
}

// Keys implements [eventstore.Checkpoints].
func (db *DB) Keys(ctx context.Context, keys ...string) (out []eventstore.Checkpoint, err error) {
	err = db.read(ctx, func(c *conn) error {
		if len(keys) == 0 {
			return c.rows(func(s *sqlite3.Stmt) bool { out = append(out, checkpointIn(s)); return true }, checkpointColumns+" ORDER BY c.key")
		}
		for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
			at, found, err := c.checkpointOf(key)
			if err != nil {
				return err
			}
			if found {
				out = append(out, at)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b eventstore.Checkpoint) int { return strings.Compare(a.Key, b.Key) })
	return out, err
}

// DeleteKey implements [eventstore.Checkpoints].
func (db *DB) DeleteKey(ctx context.Context, key string) error {
	return db.do(ctx, &job{key: key, run: func(w *writer) error {
		return errors.Join(
			w.c.run("DELETE FROM eventstore_dead_letters WHERE key = ?", key),
			w.c.run("DELETE FROM eventstore_checkpoints WHERE key = ?", key))
	}})
}

// Advance implements [eventstore.Checkpoints]. apply gets a *Tx.
func (db *DB) Advance(ctx context.Context, m eventstore.Move, apply func(ctx context.Context, tx any) error) error {
	if apply == nil {
		return db.do(ctx, &job{key: m.Key, run: func(w *writer) error { return w.move(m) }})
	}
	return db.turn(ctx, m.Key, func(ctx context.Context, tx *Tx) error {
		refused := error(nil)
		err := tx.raw(func() error { refused = tx.w.moved(m); return nil })
		if err := errors.Join(err, refused); err != nil {
			return err
		}
		if err := apply(ctx, tx); err != nil {
			return err
		}
		return tx.raw(func() error { return tx.w.move(m) })
	})
}

// moved returns ErrMoved if the checkpoint is not where the move begins.
func (w *writer) moved(m eventstore.Move) error {
	at, found, err := w.c.checkpointOf(m.Key)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("sqlite: key %q has no checkpoint: %w", m.Key, eventstore.ErrMoved)
	case at.Position != m.From:
		return fmt.Errorf("sqlite: key %q is at %d, not at %d: %w", m.Key, at.Position, m.From, eventstore.ErrMoved)
	}
	return nil
}

// move makes a move.
func (w *writer) move(m eventstore.Move) error {
	if err := w.moved(m); err != nil {
		return err
	}
	for _, d := range m.Dead {
		var err error
		if d.Position > m.From {
			err = w.c.run("INSERT OR REPLACE INTO eventstore_dead_letters (key, position, error, attempts, first_ns, last_ns) VALUES (?, ?, ?, ?, ?, ?)",
				m.Key, d.Position, d.Err, d.Attempts, d.First, d.Last)
		} else { // redelivered; not if it was discarded meanwhile
			err = w.c.run("UPDATE eventstore_dead_letters SET error = ?3, attempts = ?4, first_ns = ?5, last_ns = ?6, requested = 0 WHERE key = ?1 AND position = ?2",
				m.Key, d.Position, d.Err, d.Attempts, d.First, d.Last)
		}
		if err != nil {
			return err
		}
	}
	for _, p := range m.Settled {
		if err := w.c.run("DELETE FROM eventstore_dead_letters WHERE key = ? AND position = ?", m.Key, p); err != nil {
			return err
		}
	}
	return w.c.run("UPDATE eventstore_checkpoints SET position = ?2, stopped = ?3, updated_ns = ?4, identity = ?5, event_id = ?6, marked = ?2 WHERE key = ?1",
		m.Key, m.To, m.Stopped, w.stamp, m.Identity, m.EventID)
}

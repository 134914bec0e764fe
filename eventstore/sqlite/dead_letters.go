package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// DeadLetters implements [eventstore.Checkpoints].
func (db *DB) DeadLetters(ctx context.Context, key string, after eventstore.Position, limit int) (out []eventstore.DeadLetter, err error) {
	err = db.read(ctx, func(c *conn) error {
		var bad error
		err := c.rows(func(s *sqlite3.Stmt) bool {
			d := eventstore.DeadLetter{Key: key}
			if d.Recorded, bad = c.event(s); bad != nil {
				return false
			}
			d.Err, d.Attempts = s.ColumnText(11), s.ColumnInt(12)
			d.First, d.Last = timeIn(s, 13), timeIn(s, 14)
			d.Requested = s.ColumnBool(15)
			out = append(out, d)
			return true
		}, `SELECT e.position, id, type, schema, stream, version, tags, data, meta, time_ns, stored_ns, error, attempts, first_ns, last_ns, requested
			FROM eventstore_dead_letters AS d CROSS JOIN eventstore_events AS e ON e.position = d.position
			WHERE d.key = ? AND d.position > ? ORDER BY d.position LIMIT ?`, key, after, limit)
		return errors.Join(bad, err)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// timeIn returns a time, the zero one for NULL.
func timeIn(s *sqlite3.Stmt, column int) time.Time {
	if s.ColumnType(column) == sqlite3.NULL {
		return time.Time{}
	}
	return time.Unix(0, s.ColumnInt64(column)).UTC()
}

// Redeliver implements [eventstore.Checkpoints].
func (db *DB) Redeliver(ctx context.Context, key string, positions ...eventstore.Position) error {
	return db.settle(ctx, key, positions, "UPDATE eventstore_dead_letters SET requested = 1 WHERE key = ?")
}

// Discard implements [eventstore.Checkpoints].
func (db *DB) Discard(ctx context.Context, key string, positions ...eventstore.Position) error {
	return db.settle(ctx, key, positions, "DELETE FROM eventstore_dead_letters WHERE key = ?")
}

// settle changes the dead letters that are meant, if all of them are there.
func (db *DB) settle(ctx context.Context, key string, positions []eventstore.Position, change string) error {
	return db.do(ctx, &job{key: key, run: func(w *writer) error {
		if len(positions) == 0 {
			return w.c.run(change, key)
		}
		for _, p := range positions {
			_, found, err := w.c.int64("SELECT attempts FROM eventstore_dead_letters WHERE key = ? AND position = ?", key, p)
			if err != nil {
				return err
			}
			if !found {
				return fmt.Errorf("sqlite: key %q has no dead letter at position %d", key, p)
			}
		}
		for _, p := range positions {
			if err := w.c.run(change+" AND position = ?", key, p); err != nil {
				return err
			}
		}
		return nil
	}})
}

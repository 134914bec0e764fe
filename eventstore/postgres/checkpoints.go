package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

const selectKeys = `SELECT c.key, c.position, c.stopped, c.updated_ns,
	(SELECT count(*) FROM {s}.dead_letters d WHERE d.key = c.key), c.marked = c.position, c.identity, c.event_id
FROM {s}.checkpoints c`

func scanCheckpoint(row pgx.CollectableRow) (eventstore.Checkpoint, error) {
	var c eventstore.Checkpoint
	var updated int64
	var marked bool
	err := row.Scan(&c.Key, &c.Position, &c.Stopped, &updated, &c.Dead, &marked, &c.Identity, &c.EventID)
	c.Updated = time.Unix(0, updated).UTC()
	if !marked {
		c.Identity, c.EventID = "", ""
	}
	return c, err
}

// OpenKey returns the key's checkpoint, and makes it if there is none.
func (db *DB) OpenKey(ctx context.Context, key string, start eventstore.Position) (c eventstore.Checkpoint, err error) {
	err = db.changeKey(ctx, "open key", key, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, db.sql(`INSERT INTO {s}.checkpoints (key, position, updated_ns) VALUES ($1, $2, $3)
			ON CONFLICT DO NOTHING`), key, column(start), time.Now().UnixNano()); err != nil {
			return named("open key", err)
		}
		rows, err := tx.Query(ctx, db.sql(selectKeys+" WHERE c.key = $1"), key)
		if err == nil {
			c, err = pgx.CollectExactlyOneRow(rows, scanCheckpoint)
		}
		return named("open key", err)
	})
	return c, err
}

// Keys returns the checkpoints of these keys, of all if none is given.
func (db *DB) Keys(ctx context.Context, keys ...string) (out []eventstore.Checkpoint, err error) {
	if err := db.ready(ctx); err != nil {
		return nil, err
	}
	err = db.retry(ctx, func() error {
		rows, err := db.pool.Query(ctx, db.sql(selectKeys+" WHERE cardinality($1::text[]) = 0 OR c.key = ANY($1::text[]) ORDER BY c.key"), orEmpty(keys))
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, scanCheckpoint)
		return err
	})
	return out, named("keys", err)
}

// orEmpty returns an empty list for nil, which would be NULL.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// DeleteKey removes the checkpoint and the dead letters of a key.
func (db *DB) DeleteKey(ctx context.Context, key string) error {
	return db.changeKey(ctx, "delete key", key, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, db.sql("DELETE FROM {s}.checkpoints WHERE key = $1"), key)
		return named("delete key", err)
	})
}

// Advance commits the move and, before it and in the same transaction, what
// apply does with the pgx.Tx that it gets.
func (db *DB) Advance(ctx context.Context, m eventstore.Move, apply func(ctx context.Context, tx any) error) error {
	return db.changeKey(ctx, "advance", m.Key, func(ctx context.Context, tx pgx.Tx) error {
		var at eventstore.Position
		err := tx.QueryRow(ctx, db.sql("SELECT position FROM {s}.checkpoints WHERE key = $1 FOR UPDATE"), m.Key).Scan(&at)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fmt.Errorf("postgres: key %q has no checkpoint: %w", m.Key, eventstore.ErrMoved)
		case err != nil:
			return named("advance", err)
		case column(at) != column(m.From):
			return fmt.Errorf("postgres: key %q is at %d, not at %d: %w", m.Key, at, m.From, eventstore.ErrMoved)
		}
		if apply != nil {
			if err := apply(context.WithValue(ctx, insideKey{db}, true), tx); err != nil {
				return err
			}
		}
		return named("advance", db.move(ctx, tx, m))
	})
}

// move writes the move.
func (db *DB) move(ctx context.Context, tx pgx.Tx, m eventstore.Move) error {
	var b pgx.Batch
	for _, d := range m.Dead {
		args := []any{m.Key, column(d.Position), d.Err, d.Attempts, nanoseconds(d.First), nanoseconds(d.Last)}
		if d.Position > m.From {
			b.Queue(db.sql(`INSERT INTO {s}.dead_letters (key, position, error, attempts, first_ns, last_ns) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (key, position) DO UPDATE SET error = $3, attempts = $4, first_ns = $5, last_ns = $6, requested = false`), args...)
			continue
		}
		b.Queue(db.sql(`UPDATE {s}.dead_letters SET error = $3, attempts = $4, first_ns = $5, last_ns = $6, requested = false
			WHERE key = $1 AND position = $2`), args...)
	}
	if len(m.Settled) > 0 {
		b.Queue(db.sql("DELETE FROM {s}.dead_letters WHERE key = $1 AND position = ANY($2::bigint[])"), m.Key, columnsOf(m.Settled))
	}
	b.Queue(db.sql("UPDATE {s}.checkpoints SET position = $2, stopped = $3, updated_ns = $4, identity = $5, event_id = $6, marked = $2 WHERE key = $1"),
		m.Key, column(m.To), m.Stopped, time.Now().UnixNano(), m.Identity, m.EventID)
	return tx.SendBatch(ctx, &b).Close()
}

func columnsOf(positions []eventstore.Position) []int64 {
	out := make([]int64, len(positions))
	for i, p := range positions {
		out[i] = column(p)
	}
	return out
}

// changeKey is inTx with a notice of the key, here and in other processes, after
// it; also if its outcome is not known.
func (db *DB) changeKey(ctx context.Context, what, key string, fn func(ctx context.Context, tx pgx.Tx) error) error {
	err := db.inTx(ctx, what, func(ctx context.Context, tx pgx.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		var b pgx.Batch
		db.queueNotify(&b, notifyKey, db.instance, key)
		return named(what, tx.SendBatch(ctx, &b).Close())
	})
	if err == nil || errors.Is(err, eventstore.ErrOutcomeUnknown) {
		db.session.tell(eventstore.Notice{Key: key})
	}
	return err
}

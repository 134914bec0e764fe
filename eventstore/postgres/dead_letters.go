package postgres

import (
	"context"
	"fmt"
	"slices"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// DeadLetters returns up to limit dead letters of the key after that position.
func (db *DB) DeadLetters(ctx context.Context, key string, after eventstore.Position, limit int) (out []eventstore.DeadLetter, err error) {
	if err := db.ready(ctx); err != nil {
		return nil, err
	}
	err = db.retry(ctx, func() error {
		rows, err := db.pool.Query(ctx, db.sql(`SELECT d.error, d.attempts, d.first_ns, d.last_ns, d.requested, `+columns+`
			FROM {s}.dead_letters d JOIN {s}.events e ON e.position = d.position
			WHERE d.key = $1 AND d.position > $2 ORDER BY d.position LIMIT $3`), key, column(after), max(limit, 0))
		if err != nil {
			return err
		}
		defer rows.Close()
		for out = nil; rows.Next(); {
			d := eventstore.DeadLetter{Key: key}
			var first, last *int64
			if d.Recorded, err = scanEvent(rows, &d.Err, &d.Attempts, &first, &last, &d.Requested); err != nil {
				return err
			}
			d.First, d.Last = timeOf(first), timeOf(last)
			out = append(out, d)
		}
		return rows.Err()
	})
	return out, named("dead letters", err)
}

// Redeliver marks dead letters of the key as requested, all if no positions are
// given.
func (db *DB) Redeliver(ctx context.Context, key string, positions ...eventstore.Position) error {
	return db.settle(ctx, "redeliver", "UPDATE {s}.dead_letters SET requested = true", key, positions)
}

// Discard removes dead letters of the key, all if no positions are given.
func (db *DB) Discard(ctx context.Context, key string, positions ...eventstore.Position) error {
	return db.settle(ctx, "discard", "DELETE FROM {s}.dead_letters", key, positions)
}

// settle runs the change for the dead letters that are meant, if all are there.
func (db *DB) settle(ctx context.Context, what, change, key string, positions []eventstore.Position) error {
	return db.changeKey(ctx, what, key, func(ctx context.Context, tx pgx.Tx) error {
		if len(positions) == 0 {
			_, err := tx.Exec(ctx, db.sql(change+" WHERE key = $1"), key)
			return named(what, err)
		}
		rows, err := tx.Query(ctx, db.sql(change+" WHERE key = $1 AND position = ANY($2::bigint[]) RETURNING position"), key, columnsOf(positions))
		if err != nil {
			return named(what, err)
		}
		changed, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return named(what, err)
		}
		for _, p := range positions {
			if !slices.Contains(changed, column(p)) {
				return fmt.Errorf("postgres: %s: key %q has no dead letter at position %d", what, key, p)
			}
		}
		return nil
	})
}

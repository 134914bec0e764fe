package postgres

import (
	"context"
	"errors"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// SaveSnapshot keeps the snapshot instead of the one with its name and version,
// unless that is of a larger position.
func (db *DB) SaveSnapshot(ctx context.Context, s eventstore.Snapshot) error {
	if err := db.ready(ctx); err != nil {
		return err
	}
	_, err := db.pool.Exec(ctx, db.sql(`INSERT INTO {s}.snapshots AS old (name, version, position, identity, event_id, data, sum, taken_ns)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (name, version) DO UPDATE SET position = $3, identity = $4, event_id = $5, data = $6, sum = $7, taken_ns = $8
		WHERE old.position <= $3`),
		s.Name, s.Version, column(s.Position), s.Identity, s.EventID, s.Data, s.Sum, nanoseconds(s.Taken))
	return named("save snapshot", err)
}

// LoadSnapshot returns the snapshot as it was saved, false if there is none.
func (db *DB) LoadSnapshot(ctx context.Context, name string, version int) (eventstore.Snapshot, bool, error) {
	s := eventstore.Snapshot{Name: name, Version: version}
	if err := db.ready(ctx); err != nil {
		return s, false, err
	}
	var taken *int64
	err := db.retry(ctx, func() error {
		return db.pool.QueryRow(ctx, db.sql(`SELECT position, identity, event_id, data, sum, taken_ns
			FROM {s}.snapshots WHERE name = $1 AND version = $2`), name, version).
			Scan(&s.Position, &s.Identity, &s.EventID, &s.Data, &s.Sum, &taken)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return s, false, nil
	}
	s.Taken = timeOf(taken)
	return s, err == nil, named("load snapshot", err)
}

// DropSnapshots removes all of that name, or of every name if it is "".
func (db *DB) DropSnapshots(ctx context.Context, name string) error {
	return db.inTx(ctx, "drop snapshots", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, db.sql("DELETE FROM {s}.snapshots WHERE $1 = '' OR name = $1"), name)
		return named("drop snapshots", err)
	})
}

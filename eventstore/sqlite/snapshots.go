package sqlite

import (
	"bytes"
	"context"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// SaveSnapshot implements [eventstore.Snapshots].
func (db *DB) SaveSnapshot(ctx context.Context, s eventstore.Snapshot) error {
	return db.do(ctx, &job{size: len(s.Data), run: func(w *writer) error {
		return w.c.run(`INSERT INTO eventstore_snapshots (name, version, position, identity, event_id, data, sum, taken_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (name, version) DO UPDATE SET position = excluded.position, identity = excluded.identity, event_id = excluded.event_id,
				data = excluded.data, sum = excluded.sum, taken_ns = excluded.taken_ns
			WHERE excluded.position >= position`,
			s.Name, s.Version, s.Position, s.Identity, s.EventID, s.Data, s.Sum, s.Taken)
	}})
}

// LoadSnapshot implements [eventstore.Snapshots].
func (db *DB) LoadSnapshot(ctx context.Context, name string, version int) (out eventstore.Snapshot, found bool, err error) {
	err = db.read(ctx, func(c *conn) (err error) {
		found, err = c.row(func(s *sqlite3.Stmt) {
			out = eventstore.Snapshot{
				Name: name, Version: version, Position: eventstore.Position(s.ColumnInt64(0)), Identity: s.ColumnText(1), EventID: s.ColumnText(2),
				Data: bytes.Clone(s.ColumnRawBlob(3)), Sum: bytes.Clone(s.ColumnRawBlob(4)), Taken: timeIn(s, 5),
			}
		}, "SELECT position, identity, event_id, data, sum, taken_ns FROM eventstore_snapshots WHERE name = ? AND version = ?", name, version)
		return err
	})
	return out, found, err
}

// DropSnapshots implements [eventstore.Snapshots].
func (db *DB) DropSnapshots(ctx context.Context, name string) error {
	return db.do(ctx, &job{run: func(w *writer) error {
		return w.c.run("DELETE FROM eventstore_snapshots WHERE ?1 = '' OR name = ?1", name)
	}})
}

package sqlite

import (
	"context"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// ChecksumsAfter implements [eventstore.Checksums].
func (db *DB) ChecksumsAfter(ctx context.Context, after eventstore.Position, limit int) (out []eventstore.Checksum, err error) {
	err = db.read(ctx, func(c *conn) error {
		return c.rows(func(s *sqlite3.Stmt) bool {
			if s.ColumnInt64(1) != number(after)+int64(len(out))+1 {
				return false // a gap: those behind it would be taken for those of other events
			}
			out = append(out, eventstore.Checksum{Sum: uint32(s.ColumnInt64(0)), Known: s.ColumnType(0) != sqlite3.NULL})
			return true
		}, "SELECT sum, position FROM eventstore_events WHERE position > ? ORDER BY position LIMIT ?", after, limit)
	})
	return out, err
}

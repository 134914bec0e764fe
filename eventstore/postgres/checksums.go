package postgres

import (
	"context"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// ChecksumsAfter returns those of up to limit events after that position, up to
// where one is missing.
func (db *DB) ChecksumsAfter(ctx context.Context, after eventstore.Position, limit int) (out []eventstore.Checksum, err error) {
	if err := db.ready(ctx); err != nil {
		return nil, err
	}
	err = db.retry(ctx, func() error {
		// Behind a gap they would be taken for those of other events.
		rows, err := db.pool.Query(ctx, db.sql(`SELECT sum FROM (
			SELECT position, sum, row_number() OVER (ORDER BY position) AS n FROM {s}.events WHERE position > $1 ORDER BY position LIMIT $2
			) e WHERE position = $1 + n ORDER BY position`), column(after), limit)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c eventstore.Checksum, err error) {
			var sum *int32
			if err = row.Scan(&sum); err == nil && sum != nil {
				c = eventstore.Checksum{Sum: uint32(*sum), Known: true}
			}
			return c, err
		})
		return err
	})
	return out, named("checksums", err)
}

package cluster

import (
	"context"
	"fmt"

	"example.com/signals/eventstore/sqlite"
	"example.com/signals/examples/internal/english"
)

// shipping sends parcels and takes goods back.
var shipping = desk{
	name: "shipping",
	tables: []string{
		`CREATE TABLE IF NOT EXISTS parcels (id INTEGER PRIMARY KEY, invoice TEXT NOT NULL, sent INTEGER NOT NULL, returned INTEGER NOT NULL) STRICT`,
		`CREATE TABLE IF NOT EXISTS shelf (one INTEGER PRIMARY KEY CHECK (one = 1), pieces INTEGER NOT NULL) STRICT`,
		`INSERT INTO shelf VALUES (1, 0) ON CONFLICT DO NOTHING`,
	},
	enter: func(ctx context.Context, tx *sqlite.Tx, o *Order) error {
		sent, returned := o.pieces()
		_, err := tx.ExecContext(ctx, `INSERT INTO parcels (invoice, sent, returned) VALUES ($1, $2, $3)`, o.No, sent, returned)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE shelf SET pieces = pieces + $1`, returned-sent)
		return err
	},
	total: func(ctx context.Context, tx *sqlite.Tx) (string, error) {
		var pieces int64
		err := tx.QueryRowContext(ctx, `SELECT -pieces FROM shelf`).Scan(&pieces)
		return english.Group(pieces) + " pieces", err
	},
	totals: func(ctx context.Context, tx *sqlite.Tx, want Totals) (Totals, error) {
		got := want // all but what follows is nothing of shipping's
		var pieces int64
		err := tx.QueryRowContext(ctx, `
			SELECT count(*), coalesce(sum(sent), 0), coalesce(sum(returned), 0), (SELECT -pieces FROM shelf) FROM parcels`).
			Scan(&got.Orders, &got.Sent, &got.Returned, &pieces)
		if err == nil && pieces != got.Sent-got.Returned {
			err = fmt.Errorf("%s left the shelf, and the parcels have %d", english.Plural(pieces, "piece"), got.Sent-got.Returned)
		}
		return got, err
	},
}

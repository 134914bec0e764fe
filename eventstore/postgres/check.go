package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// checks are statements that return a line for each thing that is wrong; at
// most ten of a kind.
var checks = []string{
	`SELECT format('the counter is at %s, but there are %s events at positions %s to %s', c.position, e.n, e.low, e.high)
	 FROM {s}.counter c, (SELECT count(*) n, min(position) low, max(position) high FROM {s}.events) e
	 WHERE e.n <> c.position OR e.low <> 1 OR e.high <> c.position`,
	`SELECT format('there are %s rows in table counter and %s in table store: want one each', c.n, s.n)
	 FROM (SELECT count(*) n FROM {s}.counter) c, (SELECT count(*) n FROM {s}.store) s WHERE c.n <> 1 OR s.n <> 1`,
	`SELECT format('the event at position %s has version %s of stream %s: want %s', position, version, stream, want)
	 FROM (SELECT position, version, stream, row_number() OVER (PARTITION BY stream ORDER BY position) want
	       FROM {s}.events WHERE stream IS NOT NULL) e WHERE version <> want LIMIT 10`,
	`SELECT format('the event at position %s has version %s and no stream', position, version)
	 FROM {s}.events WHERE stream IS NULL AND version <> 0 LIMIT 10`,
	`SELECT format('tag %s of the event at position %s is in only one of the tables events and event_tags', tag, position)
	 FROM (SELECT unnest(tags) COLLATE "C" tag, position FROM {s}.events) e
	 FULL JOIN {s}.event_tags t USING (tag, position)
	 WHERE e.position IS NULL OR t.position IS NULL LIMIT 10`,
	`SELECT format('key %s has a dead letter at position %s, where there is no event', d.key, d.position)
	 FROM {s}.dead_letters d LEFT JOIN {s}.events e USING (position) WHERE e.position IS NULL LIMIT 10`,
	`SELECT format('the key of subject %s has %s bytes: want 32', subject, octet_length(key))
	 FROM {s}.subjects WHERE octet_length(key) <> 32 LIMIT 10`,
}

// Check looks whether the tables agree: counter, events, versions, tags, dead
// letters. It sees one instant, and holds up nobody. Damaged pages and indexes the
// server finds with its own means: data checksums, pg_amcheck.
func (db *DB) Check(ctx context.Context) error {
	if err := db.ready(ctx); err != nil {
		return err
	}
	var wrong []error
	err := pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, check := range checks {
			rows, err := tx.Query(ctx, db.sql(check))
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			for _, line := range lines {
				wrong = append(wrong, fmt.Errorf("postgres: %s", line))
			}
		}
		return nil
	})
	return errors.Join(append(wrong, named("check", err))...)
}

package sqlite

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// faults are what must not be in the tables: statements that find positions or
// numbers, and what it means.
var faults = []struct{ what, query string }{
	{"versions of a stream have a gap", `SELECT position FROM (SELECT position, version, row_number() OVER (PARTITION BY stream ORDER BY position) AS want
		FROM eventstore_events WHERE stream IS NOT NULL) WHERE version <> want`},
	{"an event without a stream has a version", "SELECT position FROM eventstore_events WHERE stream IS NULL AND version <> 0"},
	{"the type of an event has no name", "SELECT position FROM eventstore_events WHERE type NOT IN (SELECT id FROM eventstore_names)"},
	{"the stream of an event has no name", "SELECT position FROM eventstore_events WHERE stream NOT IN (SELECT id FROM eventstore_names)"},
	{"a tag has no name", "SELECT position FROM eventstore_tags WHERE tag NOT IN (SELECT id FROM eventstore_names)"},
	{"a tag is of no event", "SELECT position FROM eventstore_tags WHERE position NOT IN (SELECT position FROM eventstore_events)"},
	{"a tag has another type than its event", "SELECT t.position FROM eventstore_tags AS t JOIN eventstore_events AS e ON e.position = t.position WHERE e.type <> t.type"},
	{"the tags are said to be indexed beyond the head", "SELECT position FROM eventstore_tagged WHERE position > (SELECT coalesce(max(position), 0) FROM eventstore_events)"},
	{"a checkpoint is beyond the head", "SELECT position FROM eventstore_checkpoints WHERE position > (SELECT coalesce(max(position), 0) FROM eventstore_events)"},
	{"a dead letter is of no event", "SELECT position FROM eventstore_dead_letters WHERE position NOT IN (SELECT position FROM eventstore_events)"},
	{"a dead letter is of no key", "SELECT position FROM eventstore_dead_letters WHERE key NOT IN (SELECT key FROM eventstore_checkpoints)"},
}

// maxFound bounds what Check tells of a kind.
const maxFound = 10

// Check implements [eventstore.Checker]: SQLite's own integrity_check, which
// compares tables with indexes, and what is beyond it. It reads everything, in
// one transaction, and a long WAL cannot begin anew meanwhile.
func (db *DB) Check(ctx context.Context) error {
	return db.read(ctx, func(c *conn) (err error) {
		if err := c.run("BEGIN"); err != nil {
			return err
		}
		defer func() {
			c.SetInterrupt(context.Background())
			err = errors.Join(err, c.run("ROLLBACK"))
		}()
		var found []error
		err = c.rows(func(s *sqlite3.Stmt) bool {
			if text := s.ColumnText(0); text != "ok" {
				found = append(found, errors.New("corrupted: "+text))
			}
			return true
		}, fmt.Sprintf("PRAGMA integrity_check(%d)", maxFound))
		if err != nil {
			return errors.Join(append(found, err)...)
		}
		for _, f := range faults {
			err := c.rows(func(s *sqlite3.Stmt) bool {
				found = append(found, fmt.Errorf("corrupted: %s: position %d", f.what, s.ColumnInt64(0)))
				return true
			}, f.query+fmt.Sprintf(" LIMIT %d", maxFound))
			if err != nil {
				return errors.Join(append(found, err)...)
			}
		}
		head, _, err := c.int64("SELECT coalesce(max(position), 0) FROM eventstore_events")
		if err != nil {
			return errors.Join(append(found, err)...)
		}
		const step = 10_000
		for lo := int64(0); lo < head && len(found) == 0; lo += step {
			if err := c.verify(eventstore.Position(lo), eventstore.Position(min(lo+step, head))); err != nil {
				found = append(found, err)
			}
		}
		return errors.Join(found...)
	})
}

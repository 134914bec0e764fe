package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// slowed says that the race detector is on.
var slowed bool

// filled returns a store with so many events, made by SQL alone: quickly.
func filled(t *testing.T, n int) *DB {
	t.Helper()
	if testing.Short() || slowed {
		t.Skip("a million events: not with -short, nor under the race detector")
	}
	path := filepath.Join(t.TempDir(), "db")
	for range 2 { // the second one finds them
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if db.head.Load() > 0 {
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			return db
		}
		err = db.do(t.Context(), &job{run: func(w *writer) error {
			const numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?1) "
			return errors.Join(
				w.c.run(numbers+"INSERT INTO eventstore_names SELECT n, 'name' || n FROM c", 5000),
				w.c.run(numbers+"INSERT INTO eventstore_events SELECT n, printf('%08d', n), 1 + n % 5, 1, 6 + n % 1000, 1 + n / 1000, NULL, NULL, NULL, 0, 0, NULL FROM c", n),
				w.c.run("INSERT INTO eventstore_tags SELECT 1 + (position * 7919) % 5000, position, type FROM eventstore_events ORDER BY 1, 2"),
				w.c.run(tagged, n))
		}})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("no events")
	return nil
}

// At a million events, and also after ANALYZE, what conditions and pages ask
// goes to an index, in the order of positions: no scan, no sorting.
func TestQueriesUseTheIndexesOfAMillionEvents(t *testing.T) {
	db := filled(t, 1_000_000)
	check := func(c *conn) error {
		for _, q := range []struct{ query, want string }{
			{cursorQuery('s', 0, false), "SEARCH e USING INDEX eventstore_by_stream (stream=? AND rowid>? AND rowid<?)"},
			{cursorQuery('s', 2, true), "SEARCH e USING INDEX eventstore_by_stream (stream=? AND rowid>? AND rowid<?)"},
			{cursorQuery('y', 0, false), "SEARCH e USING COVERING INDEX eventstore_by_type (type=? AND rowid>? AND rowid<?)"},
			{cursorQuery('t', 0, false), "SEARCH e USING PRIMARY KEY (tag=? AND position>? AND position<?)"},
			{cursorQuery('t', 2, false), "SEARCH t USING PRIMARY KEY (tag=? AND position=?)"},
			{cursorQuery('t', 2, true), "SEARCH e USING PRIMARY KEY (tag=? AND position>? AND position<?)"},
			{countTag, "SEARCH eventstore_tags USING PRIMARY KEY (tag=? AND position>? AND position<?)"},
			{pageUp, "SEARCH eventstore_events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
			{pageDown, "SEARCH eventstore_events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
		} {
			var plan []string
			err := c.rows(func(s *sqlite3.Stmt) bool { plan = append(plan, s.ColumnText(3)); return true }, "EXPLAIN QUERY PLAN "+q.query)
			if err != nil {
				return err
			}
			text := strings.Join(plan, "; ")
			if !strings.Contains(text, q.want) || strings.Contains(text, "TEMP B-TREE") || strings.Contains(text, "SCAN e") {
				t.Errorf("%s\nplan %s\nwant %s", q.query, text, q.want)
			}
		}
		return nil
	}
	if err := db.read(t.Context(), check); err != nil {
		t.Fatal(err)
	}
	err := db.do(t.Context(), &job{run: func(w *writer) error {
		if err := w.c.Exec("ANALYZE"); err != nil {
			return err
		}
		return check(w.c)
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMigrationsRunOnceAndInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	identity := *db.identity.Load()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := sqlite3.Open(dsn(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(raw)
	defer c.close()
	steps := append(slices.Clip(migrations), "CREATE TABLE eventstore_next (n); INSERT INTO eventstore_next VALUES (1)")
	if _, err := c.migrate(append(slices.Clip(steps), "no SQL")); err == nil {
		t.Error("a step that fails")
	}
	for range 2 {
		got, err := c.migrate(steps)
		if err != nil || got != identity {
			t.Fatal(got, err)
		}
	}
	if n, _, err := c.int64("SELECT 100 * count(*) + (SELECT version FROM eventstore_store) FROM eventstore_next"); n != int64(100+len(steps)) || err != nil {
		t.Error(n, err)
	}
}

func TestSQLiteIsOfAVersionWithoutKnownFaults(t *testing.T) {
	raw, err := sqlite3.Open("file::memory:")
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(raw)
	defer c.close()
	var version string
	if _, err := c.row(func(s *sqlite3.Stmt) { version = s.ColumnText(0) }, "SELECT sqlite_version()"); err != nil {
		t.Fatal(err)
	}
	var major, minor, patch int
	if n, _ := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); n != 3 || major != 3 || minor < 51 || minor == 51 && patch < 3 || version == "3.52.0" {
		t.Errorf("SQLite %s: want 3.51.3 or later, and not 3.52.0", version)
	}
}

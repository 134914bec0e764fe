package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"example.com/signals/eventstore"
)

// Another program has the file open while the store is closed, or crashes, and is
// opened again: the WAL is left over then, and both go on with it.
func TestAnotherProgramHasTheFileOpenWhileTheStoreIsOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := open(t, path)
	other := must(sql.Open("sqlite3", "file:"+path+"?_pragma=busy_timeout(5000)"))(t)
	defer func() { _ = other.Close() }()
	other.SetMaxOpenConns(1) // it keeps the file open between two statements
	exec := func(statement string) {
		t.Helper()
		if _, err := other.ExecContext(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	count := func(table string) (n int) {
		t.Helper()
		if err := other.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
			t.Errorf("%s: %v", table, err)
		}
		return n
	}
	exec("CREATE TABLE mine (n)")
	appended := 0
	for range 3 {
		store := eventstore.New(db)
		for i := range 10 {
			exec("INSERT INTO mine VALUES (1)")
			must(store.Append(t.Context(), []eventstore.Event{{Type: "a", Tags: []string{"b"}, Data: make([]byte, 3000)}}))(t)
			if appended++; count("eventstore_events") != appended || count("mine") != appended {
				t.Fatalf("after %d events and rows: %d, %d", appended, count("eventstore_events"), count("mine"))
			}
			if i%4 == 3 {
				exec("PRAGMA wal_checkpoint")
			}
		}
		if err := store.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = open(t, path, quiet())
	}
}

package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

// A crash leaves a WAL, and a back-up is put in the place of the file alone. The WAL
// is not of it: opening must not write it into the only copy that there is.
func TestABackupBesideTheWALOfAnotherFileIsNotSpoiled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	fill := func(db *sqlite.DB) {
		t.Helper()
		for range 10 {
			var batch []eventstore.Event
			for range 100 {
				batch = append(batch, eventstore.Event{Type: "a", Stream: "s", Tags: []string{"x"}, Data: make([]byte, 200)})
			}
			must(eventstore.New(db).Append(t.Context(), batch))(t)
		}
	}
	db := must(sqlite.Open(path))(t)
	fill(db)
	if err := db.Backup(t.Context(), path+"-copy"); err != nil {
		t.Fatal(err)
	}
	fill(db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = must(sqlite.Open(path))(t)
	fill(db)
	wal := must(os.ReadFile(path + "-wal"))(t) // as a crash leaves it
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := must(os.ReadFile(path + "-copy"))(t)
	if err := errors.Join(os.Rename(path+"-copy", path), os.WriteFile(path+"-wal", wal, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(path, quiet()); err == nil || !strings.Contains(err.Error(), path+"-wal and "+path+"-shm are of that one: remove them") {
		t.Errorf("error %v", err)
	}
	if after := must(os.ReadFile(path))(t); string(before) != string(after) {
		t.Error("the back-up was changed")
	}
	if err := errors.Join(os.Remove(path+"-wal"), os.RemoveAll(path+"-shm")); err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(open(t, path))
	if head := must(store.Head(t.Context()))(t); head != 1000 {
		t.Errorf("head %d", head)
	}
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

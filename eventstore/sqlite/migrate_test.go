package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// made makes a store of an older version, and returns its identity.
func made(t *testing.T, path string, steps []string, fill string) (identity string) {
	t.Helper()
	raw, err := sqlite3.Open(dsn(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(raw)
	identity, err = c.migrate(steps)
	if err := errors.Join(err, c.Exec(fill), c.close()); err != nil {
		t.Fatal(err)
	}
	return identity
}

// opened is a store that is closed when the test ends.
func opened(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// A store of version 1 has the tags of all events in the table. It goes on.
func TestAStoreOfVersion1IsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	identity := made(t, path, []string{schema1}, `INSERT INTO eventstore_names VALUES (1, 'type'), (2, 'tag');
		INSERT INTO eventstore_events VALUES (1, 'one', 1, 1, NULL, 0, x'02', NULL, NULL, 0, 0), (2, 'two', 1, 1, NULL, 0, NULL, NULL, NULL, 0, 0);
		INSERT INTO eventstore_tags VALUES (2, 1, 1); INSERT INTO eventstore_subjects VALUES ('ann', 'first', zeroblob(32))`)
	db := opened(t, path)
	store := eventstore.New(db)
	if _, err := store.Append(t.Context(), []eventstore.Event{{Type: "type", Tags: []string{"tag"}}}); err != nil {
		t.Fatal(err)
	}
	var found []eventstore.Position
	for r, err := range store.Read(t.Context(), eventstore.Match(eventstore.Item{Tags: []string{"tag"}})) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r.Position)
	}
	if len(found) != 2 || found[0] != 1 || found[1] != 3 || *db.identity.Load() != identity {
		t.Errorf("found %v of history %s, want 1 and 3 of %s", found, *db.identity.Load(), identity)
	}
	if from := db.fresh.upTo(); from != 2 {
		t.Errorf("the table has the tags up to %d, want 2", from)
	}
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := store.Forget(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
	if keys, err := db.SubjectKeys(t.Context(), "", 9); err != nil || len(keys) != 1 || keys[0].ID != "first" || !keys[0].Forgotten() {
		t.Errorf("keys %v, %v; want the one that is forgotten", keys, err)
	}
}

// A checkpoint of version 2 does not say of which history it is. Its listener goes
// on, and then it says it.
func TestACheckpointOfVersion2GoesOnAndThenSaysItsHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	identity := made(t, path, []string{schema1, schema2}, `INSERT INTO eventstore_names VALUES (1, 'type');
		INSERT INTO eventstore_events VALUES (1, 'one', 1, 1, NULL, 0, NULL, NULL, NULL, 0, 0), (2, 'two', 1, 1, NULL, 0, NULL, NULL, NULL, 0, 0), (3, 'three', 1, 1, NULL, 0, NULL, NULL, NULL, 0, 0);
		INSERT INTO eventstore_checkpoints VALUES ('k', 2, '', 0), ('new', 0, '', 0), ('stopped', 1, 'it failed', 0)`)
	db := opened(t, path)
	store := eventstore.New(db)
	for key, want := range map[string]int{"k": 1, "new": 3, "stopped": 2} {
		before, err := store.Checkpoints(t.Context(), key)
		if err != nil || len(before) != 1 || before[0].EventID != "" || before[0].Identity != "" {
			t.Errorf("before: %+v, %v", before, err)
		}
		seen := 0
		l, err := store.Listen(key, eventstore.All(), func(context.Context, eventstore.Recorded) error { seen++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(store.Wait(t.Context(), key, 3), l.Stop(t.Context())); err != nil || seen != want {
			t.Errorf("%q: %d events, %v; want %d", key, seen, err, want)
		}
		after, err := store.Checkpoints(t.Context(), key)
		if err != nil || after[0].Position != 3 || after[0].EventID != "three" || after[0].Identity != identity || after[0].Stopped != "" {
			t.Errorf("after: %+v, %v", after, err)
		}
	}
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Who moves a checkpoint by hand knows nothing of what it says of its history: then
// it says nothing, rather than something wrong.
func TestACheckpointThatIsMovedByHandIsNoForeignOne(t *testing.T) {
	db := opened(t, filepath.Join(t.TempDir(), "db"))
	store := eventstore.New(db)
	for range 5 {
		if _, err := store.Append(t.Context(), []eventstore.Event{{Type: "type"}}); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want eventstore.Position) {
		t.Helper()
		first := eventstore.Position(0)
		l, err := store.Listen("k", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error {
			if first == 0 {
				first = r.Position
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(store.Wait(t.Context(), "k", 5), l.Stop(t.Context())); err != nil || first != want {
			t.Errorf("it begins with %d, %v; want %d", first, err, want)
		}
	}
	run(1)
	// Nobody can in an Update; with another program, while this one is closed, one can.
	err := db.do(t.Context(), &job{run: func(w *writer) error { return w.c.run("UPDATE eventstore_checkpoints SET position = 3") }})
	if err != nil {
		t.Fatal(err)
	}
	run(4)
}

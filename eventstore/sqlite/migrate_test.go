package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// A store of version 1 has the tags of all events in the table. It goes on.
func TestAStoreOfVersion1IsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	raw, err := sqlite3.Open(dsn(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(raw)
	identity, err := c.migrate([]string{schema1})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(c.Exec(`INSERT INTO eventstore_names VALUES (1, 'type'), (2, 'tag');
		INSERT INTO eventstore_events VALUES (1, 'one', 1, 1, NULL, 0, x'02', NULL, NULL, 0, 0), (2, 'two', 1, 1, NULL, 0, NULL, NULL, NULL, 0, 0);
		INSERT INTO eventstore_tags VALUES (2, 1, 1)`), c.close())
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
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
}

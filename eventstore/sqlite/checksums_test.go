package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"example.com/signals/eventstore"
)

// damage runs a statement in the file, past everything that guards the tables.
func damage(t *testing.T, path, statement string) {
	t.Helper()
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.do(context.Background(), &job{run: func(w *writer) error { return w.c.run(statement) }}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// verify opens the store and verifies it.
func verify(t *testing.T, path string) (eventstore.Verified, error) {
	t.Helper()
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	return eventstore.New(db).Verify(t.Context())
}

// SQLite's integrity_check sees none of it: the rows are whole, with another content.
func TestAByteThatChangedInAnEventIsFound(t *testing.T) {
	const second = `position 2, event "two" of stream "s"`
	for statement, want := range map[string]string{
		"UPDATE eventstore_events SET data = x'7b2261223a327d' WHERE position = 2":                      second,
		"UPDATE eventstore_events SET data = NULL WHERE position = 2":                                   second,
		`UPDATE eventstore_events SET meta = '{"user":"eve"}' WHERE position = 2`:                       second,
		"UPDATE eventstore_events SET time_ns = time_ns + 1 WHERE position = 2":                         second,
		"UPDATE eventstore_events SET stored_ns = stored_ns + 1 WHERE position = 2":                     second,
		"UPDATE eventstore_events SET schema = 2 WHERE position = 2":                                    second,
		"UPDATE eventstore_events SET sum = sum + 1 WHERE position = 2":                                 second,
		"UPDATE eventstore_events SET id = 'twp' WHERE position = 2":                                    `position 2, event "twp"`,
		"UPDATE eventstore_events SET tags = substr(tags, 1, 1) WHERE position = 2":                     second,
		"UPDATE eventstore_names SET name = 'type?' WHERE name = 'type'":                                second,
		"UPDATE eventstore_names SET name = 't' WHERE name = 's'":                                       `position 2, event "two" of stream "t"`,
		"UPDATE eventstore_events SET data = CAST(replace(data, '1', '3') AS BLOB) WHERE position <> 2": `position 1, event "one"`,
	} {
		path := filepath.Join(t.TempDir(), "db")
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		store := eventstore.New(db)
		for _, id := range []string{"one", "two", "three"} {
			_, err := store.Append(t.Context(), []eventstore.Event{{
				ID: id, Type: "type", Stream: "s", Tags: []string{"x", "y"}, Data: []byte(`{"a":1}`), Meta: map[string]string{"user": "bob"},
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if v, err := verify(t, path); err != nil || v != (eventstore.Verified{Events: 3}) {
			t.Fatalf("before: %+v, %v", v, err)
		}
		damage(t, path, statement)
		if _, err := verify(t, path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "is not what was stored") {
			t.Errorf("after %s: %v; want %s", statement, err, want)
		}
	}
}

// Events of older versions have no checksum. They are read as ever, and Check says
// how many there are; those that come have one, in transactions of the user too.
func TestEventsOfVersion3HaveNoChecksumAndThoseThatComeHave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	made(t, path, []string{schema1, schema2, schema3}, `INSERT INTO eventstore_names VALUES (1, 'type');
		INSERT INTO eventstore_events VALUES (1, 'one', 1, 1, NULL, 0, NULL, NULL, NULL, 0, 0), (2, 'two', 1, 1, NULL, 0, NULL, NULL, NULL, 0, 0)`)
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(db)
	if _, err := store.Append(t.Context(), []eventstore.Event{{Type: "type"}}); err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.Append([]eventstore.Event{{Type: "type"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if v, err := verify(t, path); err != nil || v != (eventstore.Verified{Events: 4, WithoutChecksum: 2}) {
		t.Errorf("%+v, %v", v, err)
	}
	damage(t, path, "UPDATE eventstore_events SET data = x'00' WHERE position IN (1, 4)")
	if _, err := verify(t, path); err == nil || strings.Contains(err.Error(), "position 1,") || !strings.Contains(err.Error(), "position 4,") {
		t.Errorf("%v", err)
	}
}

// Those behind an event that is missing would be taken for those of others.
func TestChecksumsEndAtAGap(t *testing.T) {
	db := opened(t, filepath.Join(t.TempDir(), "db"))
	for range 9 {
		if _, err := eventstore.New(db).Append(t.Context(), []eventstore.Event{{Type: "type"}}); err != nil {
			t.Fatal(err)
		}
	}
	err := db.do(t.Context(), &job{run: func(w *writer) error { return w.c.run("DELETE FROM eventstore_events WHERE position = 5") }})
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[eventstore.Position]int{0: 4, 2: 2, 3: 1, 4: 0, 5: 4, 8: 1, 9: 0} {
		if got, err := db.ChecksumsAfter(t.Context(), after, 100); err != nil || len(got) != want {
			t.Errorf("after %d: %d, %v; want %d", after, len(got), err, want)
		}
	}
}

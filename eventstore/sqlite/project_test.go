package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

// query returns the only number of a query.
func query(t *testing.T, db *sqlite.DB, text string) (n int64) {
	t.Helper()
	undo := errors.New("undo")
	err := db.Update(t.Context(), func(tx *sqlite.Tx) error {
		return errors.Join(tx.QueryRowContext(t.Context(), text).Scan(&n), undo)
	})
	if err.Error() != "undo" {
		t.Fatal(err)
	}
	return n
}

func table(t *testing.T, db *sqlite.DB, create string) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.ExecContext(t.Context(), create)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAProjectionAndItsCheckpointCommitTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	const n = 500
	for round := range 2 { // the second one finds what the first has done
		db, err := sqlite.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		store := eventstore.New(db)
		table(t, db, "CREATE TABLE IF NOT EXISTS seen (position INTEGER PRIMARY KEY)")
		for range n / 100 {
			batch := make([]eventstore.Event, 100)
			for i := range batch {
				batch[i].Type = "t"
			}
			must(store.Append(t.Context(), batch))(t)
		}
		failed := false
		l := must(sqlite.Project(store, "seen", eventstore.All(), func(ctx context.Context, tx *sqlite.Tx, r eventstore.Recorded) error {
			if _, err := store.Append(ctx, []eventstore.Event{{Type: "inside"}}); err == nil || !strings.Contains(err.Error(), "wait for itself") {
				t.Errorf("an append inside: %v", err)
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO seen VALUES (?)", int64(r.Position)); err != nil {
				return err
			}
			if r.Position%250 == 0 && !failed {
				failed = true
				return errors.New("once, after it has written")
			}
			return nil
		}, eventstore.Backoff(1, 1)))(t)
		if err := store.Wait(t.Context(), "seen", eventstore.Position(n*(round+1))); err != nil {
			t.Fatal(err)
		}
		if err := l.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := query(t, db, "SELECT count(*) FROM seen"); got != int64(n*(round+1)) {
			t.Errorf("%d rows; want %d", got, n*(round+1))
		}
		if err := errors.Join(store.Close(t.Context()), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProjectRefusesWhatCannotWork(t *testing.T) {
	memory := eventstore.New(eventstore.Memory())
	apply := func(context.Context, *sqlite.Tx, eventstore.Recorded) error { return nil }
	if _, err := sqlite.Project(memory, "k", eventstore.All(), apply); err == nil || !strings.Contains(err.Error(), "want a *sqlite.DB") {
		t.Error(err)
	}
	if _, err := sqlite.Project(nil, "k", eventstore.All(), apply); err == nil {
		t.Error("no store")
	}
	if _, err := sqlite.Project(memory, "k", eventstore.All(), nil); err == nil {
		t.Error("no function")
	}
}

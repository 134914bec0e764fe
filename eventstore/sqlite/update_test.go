package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"github.com/ncruces/go-sqlite3"
)

// atRow is what the SQL function at_row calls.
var atRow atomic.Pointer[context.CancelFunc]

func init() {
	sqlite3.AutoExtension(func(c *sqlite3.Conn) error {
		return c.CreateFunction("at_row", 1, 0, func(ctx sqlite3.Context, _ ...sqlite3.Value) {
			(*atRow.Load())()
			ctx.ResultBool(true)
		})
	})
}

func one(kind string) []eventstore.Event { return []eventstore.Event{{Type: kind}} }

func TestAnUpdateIsDoneWholeOrNotAtAll(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "db"))
	store := eventstore.New(db)
	table(t, db, "CREATE TABLE mine (n INTEGER PRIMARY KEY)")
	boom := errors.New("boom")
	work := func(tx *sqlite.Tx) {
		stored := must(tx.Append([]eventstore.Event{{Type: "a", Stream: "s", Tags: []string{"new"}}}, eventstore.ExpectVersion("s", 0)))(t)
		if stored[0].Position != 1 || stored[0].Version != 1 {
			t.Errorf("stored %+v", stored[0])
		}
		if _, err := tx.Append(one("b"), eventstore.ExpectVersion("s", 0)); err == nil {
			t.Error("a condition does not see what the transaction has appended")
		}
		must(tx.Append([]eventstore.Event{{Type: "c", Stream: "s"}}, eventstore.ExpectVersion("s", 1)))(t)
		must(tx.ExecContext(t.Context(), "INSERT INTO mine VALUES (?)", 7))(t)
	}
	if err := db.Update(t.Context(), func(tx *sqlite.Tx) error { work(tx); return boom }); err != boom { //nolint:errorlint // as it is
		t.Errorf("error %v", err)
	}
	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("panic %v", p)
			}
		}()
		_ = db.Update(t.Context(), func(tx *sqlite.Tx) error { work(tx); panic("boom") })
	}()
	ctx, cancel := context.WithCancel(t.Context())
	interrupted := db.Update(t.Context(), func(tx *sqlite.Tx) error {
		work(tx)
		atRow.Store(&cancel) // while the statement runs: before it, nothing would be rolled back
		_, _ = tx.ExecContext(ctx, "WITH RECURSIVE c(n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM c) INSERT INTO mine SELECT n FROM c WHERE at_row(n)")
		return nil
	})
	if interrupted == nil {
		t.Error("a transaction that was rolled back has committed")
	}
	if head := must(store.Head(t.Context()))(t); head != 0 || query(t, db, "SELECT count(*) FROM mine") != 0 {
		t.Errorf("head %d after what was rolled back", head)
	}
	var kept *sqlite.Tx
	if err := db.Update(t.Context(), func(tx *sqlite.Tx) error {
		kept = tx
		work(tx)
		// Rows and a row that nobody closes keep nothing from committing.
		rows, err := tx.QueryContext(t.Context(), "SELECT n FROM mine") //nolint:sqlclosecheck,rowserrcheck // on purpose
		if err != nil || !rows.Next() {
			t.Error("no row", err)
		}
		_ = tx.QueryRowContext(t.Context(), "SELECT n FROM mine")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.ExecContext(t.Context(), "DELETE FROM mine"); err == nil {
		t.Error("a Tx works after its end")
	}
	if _, err := kept.Append(one("a")); err == nil {
		t.Error("a Tx appends after its end")
	}
	if head := must(store.Head(t.Context()))(t); head != 2 || query(t, db, "SELECT sum(n) FROM mine") != 7 {
		t.Errorf("head %d", head)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCallsInsideOfAnUpdateFailInsteadOfWaitingForThemselves(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "db"))
	store := eventstore.New(db)
	err := db.Update(t.Context(), func(*sqlite.Tx) error {
		_, appending := store.Append(t.Context(), one("a"))
		for what, err := range map[string]error{
			"append": appending, "update": db.Update(t.Context(), func(*sqlite.Tx) error { return nil }), "close": db.Close(),
		} {
			if err == nil || !strings.Contains(err.Error(), "wait for itself") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := store.Head(t.Context()); err != nil {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	must(store.Append(t.Context(), one("after")))(t)
}

func TestUsersCanReadTheTablesOfTheStoreAndNotWriteThem(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "db"))
	must(eventstore.New(db).Append(t.Context(), one("a")))(t)
	for _, text := range []string{"DELETE FROM eventstore_events", "UPDATE eventstore_store SET version = 9", "DROP TABLE eventstore_tags", "COMMIT", "ROLLBACK",
		"PRAGMA synchronous = off", "ATTACH 'x' AS x", "CREATE TRIGGER x AFTER INSERT ON eventstore_events BEGIN SELECT 1; END"} {
		err := db.Update(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.ExecContext(t.Context(), text)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "can only be read") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if n := query(t, db, "SELECT count(*) FROM eventstore_events"); n != 1 {
		t.Errorf("%d events", n)
	}
}

// What a savepoint takes back must not be what the store believes to be there.
func TestASavepointIsNotRolledBackOverAnAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := open(t, path)
	table(t, db, "CREATE TABLE mine (n INTEGER PRIMARY KEY)")
	for _, refused := range []bool{false, true} { // an append that is refused has written names
		err := db.Update(t.Context(), func(tx *sqlite.Tx) error {
			exec := func(text string) error { _, err := tx.ExecContext(t.Context(), text); return err }
			if err := errors.Join(exec("SAVEPOINT a"), exec("INSERT INTO mine VALUES (1)"), exec("ROLLBACK TO a"), exec("RELEASE a")); err != nil {
				t.Errorf("a savepoint without an append: %v", err)
			}
			if err := exec("SAVEPOINT b"); err != nil {
				return err
			}
			event := []eventstore.Event{{Type: "a", Stream: "s", Tags: []string{"new"}}}
			if refused {
				if _, err := tx.Append(event, eventstore.ExpectVersion("s", 9)); err == nil {
					t.Error("no conflict")
				}
			} else {
				must(tx.Append(event))(t)
			}
			if err := exec("ROLLBACK TO b"); err == nil || !strings.Contains(err.Error(), "savepoint") {
				t.Errorf("rolled back over an append: %v", err)
			}
			return exec("RELEASE b")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	must(eventstore.New(db).Append(t.Context(), []eventstore.Event{{Type: "a", Stream: "s", Tags: []string{"new"}}}))(t)
	if err := eventstore.New(db).Check(t.Context()); err != nil {
		t.Error(err)
	}
	if n := query(t, db, "SELECT count(*) FROM mine"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// A position that was rolled back comes again, for another event. Whoever follows
// gets that one, and no other.
func TestAPositionThatWasRolledBackIsTakenByAnotherEvent(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "db"), sqlite.KeepBack(1))
	store := eventstore.New(db)
	tagged := eventstore.Match(eventstore.Item{Tags: []string{"t"}})
	got := make(chan eventstore.Recorded, 100)
	go func() {
		for r, err := range store.Follow(t.Context(), tagged, 0) {
			if err != nil {
				return // the end of the test
			}
			got <- r
		}
	}()
	undo := errors.New("undo")
	for n := range 20 {
		err := db.Update(t.Context(), func(tx *sqlite.Tx) error {
			must(tx.Append([]eventstore.Event{{Type: "undone", Stream: "s", Tags: []string{"t"}}, {Type: "undone", Tags: []string{"t"}}}))(t)
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
		stored := must(store.Append(t.Context(), []eventstore.Event{{Type: "kept", Stream: "s", Tags: []string{"t"}}}))(t)[0]
		if r := <-got; r.ID != stored.ID || r.Position != eventstore.Position(n+1) || r.Version != uint64(n+1) {
			t.Fatalf("the follower got %+v, want %+v", r, stored)
		}
	}
	if len(got) > 0 {
		t.Errorf("%d events more", len(got))
	}
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

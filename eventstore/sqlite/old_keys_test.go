package sqlite_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"example.com/signals/eventstore"
)

// A key that is forgotten is in none of the store's files, whether it is the
// subject's, an older one, or forgotten by an import.
func TestAForgottenKeyIsInNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := open(t, path)
	id, key, err := db.SubjectKey(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	older, other := bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("x"), 32)
	done, err := db.ImportSubjectKeys(t.Context(), []eventstore.SubjectKey{
		{ID: id, Subject: "ann", Key: key}, {ID: "older", Subject: "ann", Key: older}, {ID: "other", Subject: "bob", Key: other},
	})
	if err != nil || done != (eventstore.KeysImported{Taken: 2}) {
		t.Fatal(done, err)
	}
	holds := func(secret []byte) (found bool) {
		t.Helper()
		files, err := filepath.Glob(path + "*")
		if err != nil || len(files) < 3 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || bytes.Contains(text, secret)
		}
		return found
	}
	for _, secret := range [][]byte{key, older, other} {
		if !holds(secret) {
			t.Fatal("the key is nowhere: the test sees nothing")
		}
	}
	if err := db.ForgetSubject(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if holds(key) || holds(older) || !holds(other) {
		t.Errorf("of who was forgotten: the key %v, the older one %v; of the other: %v", holds(key), holds(older), holds(other))
	}
	done, err = db.ImportSubjectKeys(t.Context(), []eventstore.SubjectKey{{ID: "other"}})
	if err != nil || done != (eventstore.KeysImported{Forgotten: 1}) {
		t.Fatal(done, err)
	}
	if holds(other) {
		t.Error("the key that an import forgot is still there")
	}
}

// A reader may be in the way for longer than Forget waits: then the next commit
// does what is left.
func TestAForgottenKeyLeavesTheWALWhenItsReaderIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := open(t, path, quiet())
	_, key, err := db.SubjectKey(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	holds := func() bool { return bytes.Contains(must(os.ReadFile(path+"-wal"))(t), key) }
	other := must(sql.Open("sqlite3", "file:"+path))(t)
	defer func() { _ = other.Close() }()
	reading := must(other.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true}))(t)
	var n int
	if err := reading.QueryRowContext(t.Context(), "SELECT count(*) FROM eventstore_events").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if err := db.ForgetSubject(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	must(eventstore.New(db).Append(t.Context(), one("a")))(t)
	if !holds() {
		t.Fatal("the reader is in nobody's way: the test sees nothing")
	}
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	must(eventstore.New(db).Append(t.Context(), one("a")))(t)
	must(eventstore.New(db).Append(t.Context(), one("a")))(t) // after what the last one left to do
	if holds() {
		t.Error("the key is still in the WAL")
	}
}

package sqlite_test

import (
	"bytes"
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

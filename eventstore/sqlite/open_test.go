package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

func TestOpenSaysWhyItCannot(t *testing.T) {
	dir := t.TempDir()
	used := filepath.Join(dir, "used")
	open(t, used)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(used, link); err != nil {
		t.Fatal(err)
	}
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, bytes.Repeat([]byte("no database "), 1000), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		is         error
	}{
		{"", "want the name of a file", nil},
		{":memory:", "want the name of a file", nil},
		{dir, "it is not a file", nil},
		{filepath.Join(dir, "no", "db"), "its directory cannot be used", os.ErrNotExist},
		{used, "open in another DB", sqlite.ErrLocked},
		{link, "open in another DB", sqlite.ErrLocked},
		{junk, "it is no SQLite database", nil},
		{newer(t), "of a newer version", sqlite.ErrNewer},
	} {
		_, err := sqlite.Open(c.path, quiet())
		if err == nil || !strings.HasPrefix(err.Error(), "sqlite: open "+c.path+": ") || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%q: %v; want %q", c.path, err, c.want)
		}
	}
}

// newer returns a store with tables of a version to come.
func newer(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "newer")
	db := must(sqlite.Open(path))(t)
	if err := errors.Join(sqlite.SetVersion(db, 99), db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestACorruptedStoreIsFoundOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := must(sqlite.Open(path))(t)
	store := eventstore.New(db)
	for range 20 {
		batch := make([]eventstore.Event, 50)
		for i := range batch {
			batch[i] = eventstore.Event{Type: "t", Stream: "s", Tags: []string{"a"}, Data: make([]byte, 200)}
		}
		must(store.Append(t.Context(), batch))(t)
	}
	if err := errors.Join(db.Check(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	data := must(os.ReadFile(path))(t)
	found := 0
	for page := 4; page < len(data)/4096; page += 7 {
		bad := bytes.Clone(data)
		copy(bad[page*4096:], bytes.Repeat([]byte{0xa5}, 512))
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		db, err := sqlite.Open(path, quiet())
		if err == nil {
			err = errors.Join(db.Check(t.Context()))
			_ = db.Close()
		}
		if err == nil {
			t.Errorf("page %d of %d is overwritten, and nobody says so", page, len(data)/4096)
		}
		found++
	}
	if found == 0 {
		t.Error("nothing was tried")
	}
}

func TestAStoreIsTheSameAfterReopeningAndInABackup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a file? with 100%25 #odd name")
	db := must(sqlite.Open(path))(t)
	store := eventstore.New(db)
	stored := must(store.Append(t.Context(), []eventstore.Event{{Type: "a", Stream: "s", Tags: []string{"x", "y"}, Meta: map[string]string{"k": "v"}, Data: []byte{0, 1}}, {ID: "mine", Type: "b"}}))(t)
	identity := must(store.Identity(t.Context()))(t)
	copied := filepath.Join(dir, "copy")
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if err := db.Backup(t.Context(), copied); !errors.Is(err, os.ErrExist) {
		t.Errorf("a backup over a file: %v", err)
	}
	for range 2 {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Append(t.Context(), one("late")); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	for _, path := range []string{path, copied} {
		again := eventstore.New(open(t, path))
		if got := must(again.Identity(t.Context()))(t); got != identity {
			t.Errorf("identity %s; want %s", got, identity)
		}
		known := must(again.Append(t.Context(), []eventstore.Event{stored[0].Event, stored[1].Event}, eventstore.ExpectVersion("s", 0)))(t)
		if known[0].Position != 1 || known[1].Position != 2 || !known[0].Stored.Equal(stored[0].Stored) {
			t.Errorf("the same batch again: %+v", known)
		}
	}
}

func TestTooLargeIsRefusedAndHarmsNobody(t *testing.T) {
	store := eventstore.New(open(t, filepath.Join(t.TempDir(), "db")))
	_, err := store.Append(t.Context(), []eventstore.Event{{Type: "a", Data: make([]byte, 64<<20+1)}})
	if !errors.Is(err, eventstore.ErrTooLarge) {
		t.Error(err)
	}
	big := must(store.Append(t.Context(), []eventstore.Event{{Type: "a", Data: make([]byte, 20<<20)}}))(t)
	for r, err := range store.Read(t.Context(), eventstore.All()) {
		if err != nil || len(r.Data) != len(big[0].Data) {
			t.Error(len(r.Data), err)
		}
	}
}

func TestOpenAndCloseLeaveNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		db := must(sqlite.Open(filepath.Join(t.TempDir(), "db")))(t)
		store := eventstore.New(db)
		followed := make(chan error)
		go func() {
			var last error
			for _, last = range store.Follow(t.Context(), eventstore.All(), 0) {
			}
			followed <- last
		}()
		must(store.Append(t.Context(), one("a")))(t)
		for range 2 {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-followed; !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("a follower of a closed DB: %v", err)
		}
	}
	for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

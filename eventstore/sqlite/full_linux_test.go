package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

// small mounts a file system with room for so many bytes.
func small(t *testing.T, bytes string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+bytes); err != nil {
		t.Skipf("this test mounts a file system, for which it needs to be root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskIsSaid(t *testing.T) {
	dir := small(t, "1m")
	path := filepath.Join(dir, "db")
	db, err := sqlite.Open(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(db)
	stored := 0
	for err == nil {
		if _, err = store.Append(t.Context(), []eventstore.Event{{Type: "a", Data: make([]byte, 10_000)}}); err == nil {
			stored++
		}
	}
	if !errors.Is(err, eventstore.ErrBroken) || !strings.Contains(err.Error(), "the disk is full") || stored == 0 {
		t.Errorf("after %d events: %v", stored, err)
	}
	if err := errors.Join(store.Close(t.Context()), db.Close()); err != nil {
		t.Logf("closing: %v", err)
	}

	// Where there is no room for a store, nothing is left of it.
	full := small(t, "64k")
	if err := os.WriteFile(filepath.Join(full, "rest"), make([]byte, 60<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = sqlite.Open(filepath.Join(full, "db"), quiet()); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("open: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(full, "db*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

// A lock that was removed by one who could not make its store lets nobody in twice.
func TestALockThatWasRemovedLocksNothing(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(junk, quiet()); err == nil {
		t.Fatal("junk was opened")
	}
	if _, err := os.Stat(junk + "-lock"); err == nil {
		t.Error("a lock is left for what is no store")
	}
	// Many find the same file wrong, and then right: one at a time has it.
	path := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	good := make(chan *sqlite.DB)
	for range 8 {
		go func() {
			for t.Context().Err() == nil {
				if db, err := sqlite.Open(path, quiet()); err == nil {
					good <- db
					return
				}
			}
			good <- nil
		}()
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		db := <-good
		if _, err := sqlite.Open(path, quiet()); !errors.Is(err, sqlite.ErrLocked) {
			t.Errorf("opened twice: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

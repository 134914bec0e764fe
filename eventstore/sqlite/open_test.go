package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

// As another user, where the tests run as one who may write everywhere.
func TestOpenNamesWhatCannotBeWrittenTo(t *testing.T) {
	if path := os.Getenv(openEnv); path != "" {
		_, err := sqlite.Open(path, quiet())
		fmt.Println(err)
		return
	}
	if runtime.GOOS == "windows" {
		t.Skip("directories have no permissions to write there")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "unwritable") //nolint:usetesting // t.TempDir is for one user
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	text, err := os.ReadFile(self) // what the other user can execute
	if err == nil {
		self = filepath.Join(dir, "self")
		err = os.WriteFile(self, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir, file, lock os.FileMode
		want            string
	}{
		{0o555, 0, 0, "the directory " + dir + " cannot be written to"},
		{0o555, 0o444, 0o444, "the file " + path + " cannot be written to"},
		{0o777, 0o444, 0o666, "the file " + path + " cannot be written to"},
		{0o777, 0o666, 0o444, "the file " + path + "-lock cannot be written to"},
		{0o777, 0o666, 0o666, "<nil>"},
	} {
		name := path
		if c.file == 0 {
			name = filepath.Join(dir, "new")
		} else if err := errors.Join(os.Chmod(path, c.file), os.Chmod(path+"-lock", c.lock)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, c.dir); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self, "-test.run", "^TestOpenNamesWhatCannotBeWrittenTo$")
		cmd.Env = append(os.Environ(), openEnv+"="+name)
		asNobody(cmd)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%o, %o and %o: %v, %s; want %s", c.dir, c.file, c.lock, err, out, c.want)
		}
	}
}

const openEnv = "SQLITE_TEST_OPEN"

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

// A back-up has the keys of Encrypted, too.
func TestABackupIsReadByNobodyWhoCannotReadTheStore(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no permissions of others there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	db := open(t, path)
	if err := errors.Join(os.Chmod(path, 0o600), db.Backup(t.Context(), filepath.Join(dir, "copy"))); err != nil {
		t.Fatal(err)
	}
	if info := must(os.Stat(filepath.Join(dir, "copy")))(t); info.Mode().Perm() != 0o600 {
		t.Errorf("the back-up has mode %o, the store 600", info.Mode().Perm())
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

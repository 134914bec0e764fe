package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

// What is no export makes no store, and what was begun says how it goes on.
func TestAnImportThatFailsLeavesNothingThatItHasNotImported(t *testing.T) {
	dir := t.TempDir()
	lines := succeeds(t, "store", "export", storeOf(t, 5)).stdout
	rows := strings.SplitAfter(strings.TrimSuffix(lines, "\n"), "\n")
	for name, c := range map[string]struct{ text, want string }{
		"empty":     {"", "nothing to import"},
		"text":      {"a text\n", "line 1"},
		"long":      {strings.Repeat("x", 1<<20), "line 1"},
		"json":      {"{}\n", "line 1"},
		"event":     {rows[1], "first line of an export"},
		"gap":       {rows[0] + rows[2], "position 2 where the store ends at 0"},
		"torn":      {rows[0] + rows[1][:30], "line 2"},
		"torn head": {rows[0][:20], "cut off"},
		"newer":     {strings.Replace(rows[0], `"version":1`, `"version":9`, 1), "use a newer one"},
	} {
		in := filepath.Join(dir, "in")
		if err := os.WriteFile(in, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		failsWith(t, []string{"store", "import", filepath.Join(dir, "new.db"), "-i", in}, c.want, "nothing is imported", "new.db is not made")
		if left, _ := filepath.Glob(filepath.Join(dir, "new.db*")); left != nil {
			t.Errorf("%s: left behind: %q", name, left)
		}
	}
	in := filepath.Join(dir, "in")
	if err := os.WriteFile(in, []byte(strings.Join(rows[:3], "")+"what\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	failsWith(t, []string{"store", "import", filepath.Join(dir, "new.db"), "-i", in}, "imported up to position 2", "line 4", "the same import goes on after it")
	if err := os.WriteFile(in, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := succeeds(t, "store", "import", filepath.Join(dir, "new.db"), "-i", in); r.stderr != "imported up to position 5\n" {
		t.Errorf("%+v", r)
	}
	// One of what follows, into a store that is there.
	if err := os.WriteFile(in, []byte(succeeds(t, "store", "export", storeOf(t, 5), "-after", "3").stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	failsWith(t, []string{"store", "import", filepath.Join(dir, "other.db"), "-i", in}, "position 4 where the store ends at 0", "not made")
}

// secretive returns the file of a store with an encrypted event of ann, and what
// her event reads as in a store of that name.
func secretive(t *testing.T) (file string, reads func(file string) string) {
	t.Helper()
	type joined struct{ Name string }
	with := func(file string, do func(*eventstore.Store)) {
		t.Helper()
		db, err := sqlite.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		types := eventstore.NewRegistry()
		eventstore.Register[joined](types, "joined", eventstore.WithCodec(eventstore.Encrypted(eventstore.JSON(), db, func(v any) string { return v.(joined).Name })))
		s := eventstore.New(db, eventstore.Types(types))
		do(s)
		if err := errors.Join(s.Close(t.Context()), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	file = filepath.Join(t.TempDir(), "secret.db")
	with(file, func(s *eventstore.Store) {
		e, err := s.Types().Encode(t.Context(), eventstore.Draft{Value: joined{"ann"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), []eventstore.Event{e}); err != nil {
			t.Fatal(err)
		}
	})
	return file, func(file string) (text string) {
		with(file, func(s *eventstore.Store) {
			for r, err := range s.Read(t.Context(), eventstore.All()) {
				if err != nil {
					t.Fatal(err)
				}
				values, err := s.Types().Decode(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range values {
					if _, erased := v.(eventstore.Erased); erased {
						text += "erased"
					} else {
						text += v.(joined).Name
					}
				}
			}
		})
		return text
	}
}

func TestKeysMoveWhenTheyAreAskedFor(t *testing.T) {
	file, reads := secretive(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }

	failsWith(t, []string{"store", "export", file, "-o", at("events")}, "1 key ", "--keys", "--no-keys")
	failsWith(t, []string{"store", "export", file, "-o", at("events"), "-no-keys", "-keys", at("keys")}, "one of them")
	failsWith(t, []string{"store", "export", file, "-o", at("same"), "-keys", at("same")}, "another file")
	failsWith(t, []string{"store", "export", file, "-keys", "-"}, "the name of a file")
	failsWith(t, []string{"store", "export", file, "-o", at("events"), "-keys", filepath.Join(dir, "none", "keys")}, "none")
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Fatalf("left behind: %v", left)
	}
	r := succeeds(t, "store", "export", file, "-o", at("events"), "-keys", at("keys"))
	if r.stderr != "exported up to position 1\nand 1 key, to "+at("keys")+": whoever has both can read what is encrypted\n" {
		t.Errorf("%+v", r)
	}
	if info, err := os.Stat(at("keys")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the keys: %v, %v", info.Mode(), err)
	}
	failsWith(t, []string{"store", "export", file, "-o", at("events2"), "-keys", at("keys")}, "keys exists")

	events, err := os.ReadFile(at("events"))
	if err != nil || bytes.Contains(events, []byte("ann")) {
		t.Errorf("%s, %v", events, err)
	}
	if alone := succeeds(t, "store", "export", file, "-no-keys"); alone.stdout != string(events) {
		t.Errorf("%+v", alone)
	}

	r = succeeds(t, "store", "import", at("copy.db"), "-i", at("events"), "-keys", at("keys"))
	if !strings.HasPrefix(r.stderr, "imported 1 key") || !strings.HasSuffix(r.stderr, "imported up to position 1\n") {
		t.Errorf("%+v", r)
	}
	if got := reads(at("copy.db")); got != "ann" {
		t.Errorf("in the copy it reads as %q", got)
	}
	failsWith(t, []string{"store", "import", at("bare.db"), "-i", at("events")}, "imported up to position 1", "ImportKeys", "--keys")
	if got := reads(at("bare.db")); got != "erased" {
		t.Errorf("without keys it reads as %q", got)
	}
	if r := succeeds(t, "store", "import", at("bare.db"), "-i", at("events"), "-no-keys"); r.stderr != "imported up to position 1\n" {
		t.Errorf("%+v", r)
	}
	failsWith(t, []string{"store", "import", at("bare.db"), "-i", at("events"), "-keys", at("events")}, "export of events")
	failsWith(t, []string{"store", "import", at("no.db"), "-i", at("keys")}, "these are keys", "not made")
	succeeds(t, "store", "import", at("bare.db"), "-i", at("events"), "-keys", at("keys"))
	if got := reads(at("bare.db")); got != "ann" {
		t.Errorf("with the keys it reads as %q", got)
	}
}

// A part that a killed command left is not taken for anything, nor overwritten.
func TestAPartIsLeftAlone(t *testing.T) {
	file, out := storeOf(t, 2), filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(out+".part", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	failsWith(t, []string{"store", "export", file, "-o", out}, "out.part is there", "remove it")
	if text, err := os.ReadFile(out + ".part"); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
}

package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

// storeOf makes a store of so many events, and returns its file.
func storeOf(t *testing.T, n int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "orders.db")
	db, err := sqlite.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	s := eventstore.New(db)
	var events []eventstore.Event
	for i := range n {
		e := eventstore.Event{ID: fmt.Sprint("e", i+1), Type: "placed", Stream: fmt.Sprint("order-", i%2), Tags: []string{"shop"}, Data: fmt.Appendf(nil, `{"n":%d}`, i+1)}
		if i%3 == 2 {
			e.Type, e.Data = "paid", []byte{0xff, 0}
		}
		events = append(events, e)
	}
	if _, err := s.Append(t.Context(), events); n > 0 && err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func succeeds(t *testing.T, args ...string) result {
	t.Helper()
	r := command(t, args...)
	if r.code != exitOK {
		t.Fatalf("signals %q: %+v", args, r)
	}
	return r
}

func TestAStoreIsExportedAndImportedWhole(t *testing.T) {
	file := storeOf(t, 20)
	dir := t.TempDir()
	copied, lines, first := filepath.Join(dir, "copy.db"), filepath.Join(dir, "all.jsonl"), filepath.Join(dir, "first.jsonl")
	r := succeeds(t, "store", "export", file, "-o", lines)
	if r.stdout != "" || r.stderr != "exported up to position 20\n" {
		t.Errorf("%+v", r)
	}
	all, err := os.ReadFile(lines)
	if err != nil {
		t.Fatal(err)
	}
	if r := succeeds(t, "store", "export", file); r.stdout != string(all) {
		t.Errorf("standard output has %d bytes, the file %d", len(r.stdout), len(all))
	}
	// Cut off within a line, and then imported again whole.
	if err := os.WriteFile(first, all[:len(all)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	failsWith(t, []string{"store", "import", copied, "-i", first}, "imported up to position", "cut off")
	if r := succeeds(t, "store", "import", copied, "-i", lines); r.stderr != "imported up to position 20\n" {
		t.Errorf("%+v", r)
	}
	if r := succeeds(t, "store", "export", copied); r.stdout != string(all) {
		t.Error("the copy is another store")
	}
	if r := succeeds(t, "store", "check", copied); !strings.Contains(r.stdout, "position 20") {
		t.Errorf("%+v", r)
	}
	if r := succeeds(t, "store", "export", file, "-after", "18"); strings.Count(r.stdout, "\n") != 3 {
		t.Errorf("want a head and 2 events:\n%s", r.stdout)
	}
	failsWith(t, []string{"store", "export", file, "-o", lines}, lines, "not there")
	failsWith(t, []string{"store", "export", file, "-after", "21"}, "--after 21", "position 20")
	failsWith(t, []string{"store", "import", storeOf(t, 1), "-i", lines}, "imported up to position")
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

func TestTheLastEventsOfAStore(t *testing.T) {
	file := storeOf(t, 20)
	r := succeeds(t, "store", "tail", file, "-n", "3")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "18  ") || !strings.Contains(lines[0], "  paid  order-1/9  #shop  (2 bytes)") ||
		!strings.Contains(lines[2], `  placed  order-1/10  #shop  {"n":20}`) {
		t.Errorf("%s", r.stdout)
	}
	r = succeeds(t, "store", "tail", file, "-type", "paid", "-stream", "order-0", "-tag", "shop", "-json")
	for line := range strings.Lines(r.stdout) {
		var e struct {
			Type, Stream string
			Data         []byte
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Type != "paid" || e.Stream != "order-0" || !bytes.Equal(e.Data, []byte{0xff, 0}) {
			t.Errorf("%v: %s", err, line)
		}
	}
	if n := strings.Count(r.stdout, "\n"); n != 3 {
		t.Errorf("%d lines; want 3", n)
	}
	failsWith(t, []string{"store", "tail", file, "-n", "0"}, "-n 0", "want 1")
}

func TestTailSaysWhyItShowsNothing(t *testing.T) {
	file := storeOf(t, 3)
	for want, args := range map[string][]string{
		`there is no stream "order-9" in it`:  {"-stream", "order-9"},
		`no type "refunded", no tag "x"`:      {"-type", "refunded", "-type", "paid", "-tag", "shop", "-tag", "x"},
		"none of its 3 events is all of that": {"-type", "paid", "-stream", "order-1"},
	} {
		if r := succeeds(t, append([]string{"store", "tail", file}, args...)...); r.stdout != "" || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: %+v; want %s", args, r, want)
		}
	}
	if r := succeeds(t, "store", "tail", storeOf(t, 0)); r.stdout != "" || !strings.Contains(r.stderr, "it has no events yet") {
		t.Errorf("%+v", r)
	}
}

func TestTheNamesInAStoreReachNoTerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hostile.db")
	db, err := sqlite.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ToValidUTF8(strings.ReplaceAll(hostile, "\x00", ""), "")
	if _, err := eventstore.New(db).Append(t.Context(), []eventstore.Event{
		{Type: name, Stream: name, Tags: []string{name}, Data: []byte(name)}, {Type: "t", Data: []byte(`{"a":"` + "\u202e\u009b" + `"}`)},
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"store", "tail", file}, {"store", "tail", file, "-json"}, {"store", "check", file}} {
		mustBeClean(t, succeeds(t, args...).stdout)
	}
}

// An event is removed that is too far back for Open to miss it.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	file := storeOf(t, 5000)
	db, err := sql.Open("sqlite3", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DELETE FROM eventstore_events WHERE position = 7"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if r := command(t, "store", "check", file); r.code != exitWrong || !strings.Contains(r.stdout, "gap in the positions") || r.stderr != "" {
		t.Errorf("%+v", r)
	}
}

// A byte has changed in one event, and others are of a version that kept no checksums.
func TestCheckFindsAByteThatHasChanged(t *testing.T) {
	file := storeOf(t, 50)
	exec := func(statement string) {
		t.Helper()
		db, err := sql.Open("sqlite3", "file:"+file)
		if err == nil {
			_, err = db.Exec(statement)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	exec("UPDATE eventstore_events SET sum = NULL WHERE position < 4")
	r := succeeds(t, "store", "check", file)
	if !strings.HasPrefix(r.stderr, "3 of 50 events without a checksum") || !strings.Contains(r.stdout, "nothing is wrong") {
		t.Errorf("%+v", r)
	}
	exec("UPDATE eventstore_events SET data = x'00' WHERE position = 7")
	if r := command(t, "store", "check", file); r.code != exitWrong || !strings.Contains(r.stdout, "position 7, event") || !strings.Contains(r.stdout, "not what was stored") {
		t.Errorf("%+v", r)
	}
}

func TestAFileThatIsNoStoreStaysAsItIs(t *testing.T) {
	dir := t.TempDir()
	other, text, empty := filepath.Join(dir, "other.db"), filepath.Join(dir, "text"), filepath.Join(dir, "empty")
	db, err := sql.Open("sqlite3", "file:"+other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE mine (a)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{text: "a text that is long enough", empty: ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := os.ReadFile(other)
	for _, cmd := range []string{"check", "export", "tail"} {
		failsWith(t, []string{"store", cmd, filepath.Join(dir, "none.db")}, "none.db", "no such file")
		failsWith(t, []string{"store", cmd, other}, "other.db", "has no event store")
		failsWith(t, []string{"store", cmd, text}, "no SQLite database")
		failsWith(t, []string{"store", cmd, empty}, "empty")
		failsWith(t, []string{"store", cmd, dir}, "not a file")
		failsWith(t, []string{"store", cmd}, "want one FILE")
	}
	failsWith(t, []string{"store", "import", other, "-i", text}, "has no event store")
	failsWith(t, []string{"store", "import", filepath.Join(dir, "new.db"), "-i", filepath.Join(dir, "none")}, "none")
	failsWith(t, []string{"store", "prune"}, "prune", "want check, export, import or tail")
	after, _ := os.ReadFile(other)
	if !bytes.Equal(before, after) {
		t.Error("the database of somebody else was changed")
	}
	if _, err := os.Stat(filepath.Join(dir, "new.db")); err == nil {
		t.Error("a store was made with nothing to import")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*-lock"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestAStoreThatIsInUse(t *testing.T) {
	file := storeOf(t, 1)
	db, err := sqlite.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, cmd := range []string{"check", "export", "import", "tail"} {
		failsWith(t, []string{"store", cmd, file}, "open in another", "back-up")
	}
}

func TestAnImportWithoutInputIsInterrupted(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := (untilEnd{ctx, r}).Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}

package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"example.com/signals/eventstore"
)

// full is a writer that takes so many bytes.
type full struct {
	bytes.Buffer
	left int
}

func (w *full) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	w.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errors.New("disk full")
	}
	return n, nil
}

// After an error, an export goes on behind the position that it returned.
func TestAnExportThatFailsGoesOn(t *testing.T) {
	store := eventstore.New(eventstore.Memory())
	for i := range 300 {
		if _, err := store.Append(t.Context(), []eventstore.Event{{Type: "a", Data: bytes.Repeat([]byte{byte(i)}, 1000+100*i)}}); err != nil {
			t.Fatal(err)
		}
	}
	var whole bytes.Buffer
	if at, err := store.Export(t.Context(), &whole, 0); err != nil || at != 300 {
		t.Fatal(at, err)
	}
	header, _, _ := strings.Cut(whole.String(), "\n")
	for space := 0; space < whole.Len(); space += 99_991 {
		w := &full{left: space}
		at, err := store.Export(t.Context(), w, 0)
		if err == nil || !strings.Contains(err.Error(), "eventstore: export: disk full") {
			t.Fatalf("error %v", err)
		}
		// What it has up to that position, and then the rest.
		lines := strings.SplitAfter(w.String(), "\n")
		if len(lines) <= int(at)+1 && at > 0 {
			t.Fatalf("position %d, but %d lines", at, len(lines))
		}
		kept := strings.Join(lines[:min(int(at)+1, len(lines))], "")
		if at == 0 {
			kept = ""
		}
		var rest bytes.Buffer
		if end, err := store.Export(t.Context(), &rest, at); err != nil || end != 300 {
			t.Fatal(end, err)
		}
		if at > 0 && strings.Replace(kept+rest.String(), header+"\n", "", 2) != strings.Replace(whole.String(), header+"\n", "", 1) {
			t.Fatalf("with room for %d bytes, the parts are not the whole", space)
		}
	}
}

// spoiled is a backend that shows other events than it has.
type spoiled struct {
	able
	spoil func([]eventstore.Recorded) []eventstore.Recorded
}

func (s spoiled) Page(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
	page, err := s.able.Page(ctx, r)
	page.Events = s.spoil(page.Events)
	return page, err
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	memory := eventstore.Memory().(able)
	store := eventstore.New(memory)
	for i := range 9 {
		if _, err := store.Append(t.Context(), []eventstore.Event{{ID: fmt.Sprint("id", i+1), Type: "a", Stream: "s", Tags: []string{"t", "u"}}}); err != nil {
			t.Fatal(err)
		}
	}
	at := func(i int, change func(*eventstore.Recorded)) func([]eventstore.Recorded) []eventstore.Recorded {
		return func(events []eventstore.Recorded) []eventstore.Recorded {
			change(&events[i])
			return events
		}
	}
	for want, spoil := range map[string]func([]eventstore.Recorded) []eventstore.Recorded{
		"position 5 follows 3":                       func(e []eventstore.Recorded) []eventstore.Recorded { return append(e[:3:3], e[4:]...) },
		"last event is at position 8, the head at 9": func(e []eventstore.Recorded) []eventstore.Recorded { return e[:8] },
		"position 4: version 7":                      at(3, func(r *eventstore.Recorded) { r.Version = 7 }),
		`position 4 has the id "id2" of position 2`:  at(3, func(r *eventstore.Recorded) { r.ID = "id2" }),
		"position 4: the event has no id":            at(3, func(r *eventstore.Recorded) { r.ID = "" }),
		"position 4: tags":                           at(3, func(r *eventstore.Recorded) { r.Tags = []string{"u", "t"} }),
		"no Type":                                    at(3, func(r *eventstore.Recorded) { r.Type = "" }),
		"position 4: schema 0":                       at(3, func(r *eventstore.Recorded) { r.Schema = 0 }),
		"position 4: version 4 of stream \"\"":       at(3, func(r *eventstore.Recorded) { r.Stream = "" }),
		"position 4: event \"id4\": Time":            at(3, func(r *eventstore.Recorded) { r.Time = time.Time{} }),
		"position 4: stored":                         at(3, func(r *eventstore.Recorded) { r.Stored = time.Time{} }),
	} {
		err := eventstore.New(spoiled{memory, spoil}).Check(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "eventstore: check: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want one that says %q", err, want)
		}
	}
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := memory.OpenKey(t.Context(), "k", 12); err != nil {
		t.Fatal(err)
	}
	if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), `key "k" is at 12`) {
		t.Errorf("error %v", err)
	}
	many := func(e []eventstore.Recorded) []eventstore.Recorded {
		for i := range e {
			e[i].Type = ""
		}
		return e
	}
	for range 10 {
		mustAppend(t, store, "a", "a", "a", "a", "a", "a", "a", "a", "a", "a")
	}
	err := eventstore.New(spoiled{memory, many}).Check(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "and 59 more problems") {
		t.Errorf("error %v", err)
	}
}

func TestImportNeedsABackendThatCan(t *testing.T) {
	store := eventstore.New(struct{ eventstore.Backend }{eventstore.Memory()})
	if _, err := store.Import(t.Context(), strings.NewReader("")); !errors.Is(err, eventstore.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

// What no export has in the middle does not end one.
func TestAnEmptyLineIsNotTheEndOfAnImport(t *testing.T) {
	source := eventstore.New(eventstore.Memory())
	mustAppend(t, source, "a", "b", "c")
	var events, keys bytes.Buffer
	if _, err := source.Export(t.Context(), &events, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := source.ExportKeys(t.Context(), &keys); err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(events.Bytes(), []byte("\n"))
	for _, empty := range []string{"\n", "\r\n", "  \n"} {
		store := eventstore.New(eventstore.Memory())
		text := bytes.Join(lines[:2], nil)
		text = append(append(text, empty...), bytes.Join(lines[2:], nil)...)
		at, err := store.Import(t.Context(), bytes.NewReader(text))
		if at != 1 || err == nil || !strings.Contains(err.Error(), "line 3: the line is empty") {
			t.Errorf("%q: imported up to %d, %v", empty, at, err)
		}
		first, rest, _ := strings.Cut(keys.String(), "\n")
		if _, err := store.ImportKeys(t.Context(), strings.NewReader(first+"\n"+empty+rest)); err == nil || !strings.Contains(err.Error(), "line 2: the line is empty") {
			t.Errorf("%q: keys: %v", empty, err)
		}
	}
}

// JSON puts U+FFFD where a byte is damaged: an id, or a tag, that nobody has given.
func TestADamagedByteIsNotImportedAsAnotherCharacter(t *testing.T) {
	backend := eventstore.Memory()
	source := eventstore.New(backend)
	if _, err := source.Append(t.Context(), []eventstore.Event{{ID: "first", Type: "a"}, {ID: "order-7", Type: "a"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := backend.(eventstore.KeyStore).SubjectKey(t.Context(), "order-7"); err != nil {
		t.Fatal(err)
	}
	var events, keys bytes.Buffer
	if _, err := source.Export(t.Context(), &events, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := source.ExportKeys(t.Context(), &keys); err != nil {
		t.Fatal(err)
	}
	damaged := func(text bytes.Buffer) io.Reader {
		return bytes.NewReader(bytes.Replace(text.Bytes(), []byte("order-7"), []byte("order\xff7"), 1))
	}
	store := eventstore.New(eventstore.Memory())
	if at, err := store.Import(t.Context(), damaged(events)); at != 1 || err == nil || !strings.Contains(err.Error(), "line 3: it is damaged") {
		t.Errorf("imported up to %d, %v", at, err)
	}
	if n, err := eventstore.New(eventstore.Memory()).ImportKeys(t.Context(), damaged(keys)); n != 0 || err == nil || !strings.Contains(err.Error(), "line 2: it is damaged") {
		t.Errorf("%d keys, %v", n, err)
	}
}

// cutOff is a backend whose connection is lost in an import.
type cutOff struct{ able }

func (cutOff) Import(context.Context, string, []eventstore.Recorded) error {
	return fmt.Errorf("connection lost: %w", io.EOF)
}

func TestTheEndOfAConnectionIsNotThatOfAnImport(t *testing.T) {
	source := eventstore.New(eventstore.Memory())
	for range 600 { // more than a batch
		mustAppend(t, source, "a")
	}
	var events bytes.Buffer
	if _, err := source.Export(t.Context(), &events, 0); err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(cutOff{eventstore.Memory().(able)})
	if at, err := store.Import(t.Context(), &events); at != 0 || err == nil || !strings.Contains(err.Error(), "connection lost") {
		t.Errorf("imported up to %d, %v", at, err)
	}
}

// What Import accepts, Export writes back, and Check finds nothing wrong with.
func FuzzImport(f *testing.F) {
	source := eventstore.New(eventstore.Memory())
	for _, data := range []string{"", "null", `{"a":1}`, "\xff", ` {}`} {
		if _, err := source.Append(f.Context(), []eventstore.Event{{Type: "a", Stream: "s", Tags: []string{"t"}, Data: []byte(data), Meta: map[string]string{"k": "v"}}}); err != nil {
			f.Fatal(err)
		}
	}
	var export bytes.Buffer
	if _, err := source.Export(f.Context(), &export, 0); err != nil {
		f.Fatal(err)
	}
	f.Add(export.Bytes())
	for line := range bytes.Lines(export.Bytes()) {
		f.Add(line)
	}
	header, _, _ := strings.Cut(export.String(), "\n")
	f.Add([]byte(header + "\n" + `{"position":1,"id":"x","type":"t","schema":1,"time":"2020-01-01T00:00:00+01:00","stored":"2020-01-01T00:00:00Z","json": {"a" : 1} }` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		first := eventstore.New(eventstore.Memory())
		at, err := first.Import(t.Context(), bytes.NewReader(text))
		head, _ := first.Head(t.Context())
		if at != head {
			t.Fatalf("at %d, head %d, %v", at, head, err)
		}
		if err := first.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		var a, b bytes.Buffer
		if _, err := first.Export(t.Context(), &a, 0); err != nil {
			t.Fatal(err)
		}
		second := eventstore.New(eventstore.Memory())
		if _, err := second.Import(t.Context(), bytes.NewReader(a.Bytes())); err != nil {
			t.Fatalf("%v, of\n%s", err, a.Bytes())
		}
		if _, err := second.Export(t.Context(), &b, 0); err != nil {
			t.Fatal(err)
		}
		if head > 0 && !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Fatalf("exported\n%s\nthen\n%s", a.Bytes(), b.Bytes())
		}
	})
}

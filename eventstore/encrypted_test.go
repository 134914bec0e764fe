package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"example.com/signals/eventstore"
)

type named struct{ Customer, Name string }

// people registers named, encrypted for the customer, under two versions.
func people(keys eventstore.KeyStore) *eventstore.Registry {
	r := bank()
	eventstore.Register[named](r, "named", eventstore.Version(2),
		eventstore.WithCodec(eventstore.Encrypted(eventstore.JSON(), keys, func(v any) string { return v.(named).Customer })),
		eventstore.UpcastFrom(1, func(n struct{ Customer string }) ([]any, error) {
			return []any{named{n.Customer, "?"}, named{n.Customer, "!"}}, nil
		}),
		eventstore.TagsOf(func(named) []string { return []string{"account:a"} }))
	return r
}

func names() eventstore.Model[[]string] {
	return eventstore.Model[[]string]{
		Query: eventstore.All(),
		Fold: func(s []string, e any) []string {
			switch e := e.(type) {
			case named:
				return append(s, e.Name)
			case eventstore.Erased:
				return append(s, fmt.Sprintf("erased %d", e.Position))
			}
			return append(s, fmt.Sprintf("%T", e))
		},
	}
}

func TestAForgottenSubjectReadsAsErased(t *testing.T) {
	w := wrap()
	s := eventstore.New(w, eventstore.Types(people(w)))
	stored := record(t, s, named{"1", "Ann"}, named{"2", "Bob"}, deposited{"a", 1}, named{"1", "Anna"})
	if bytes.Contains(stored[0].Data, []byte("Ann")) || bytes.Contains(stored[0].Data, []byte("Customer")) {
		t.Errorf("in the clear: %q", stored[0].Data)
	}
	m := names()
	m.Snapshots.Every = 1
	same(t, "before", load(t, s, m), []string{"Ann", "Bob", "eventstore_test.deposited", "Anna"})
	old := stored[0]
	old.Schema = 1
	if values, err := s.Types().Decode(t.Context(), old); err != nil || len(values) != 2 {
		t.Errorf("through the upcast: %v, %v", values, err)
	}
	for range 2 { // again: nothing more to do
		if err := s.Forget(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "after", load(t, s, m), []string{"erased 1", "Bob", "eventstore_test.deposited", "erased 4"})
	values, err := s.Types().Decode(t.Context(), stored[0])
	if err != nil {
		t.Fatal(err)
	}
	same(t, "value", values, []any{eventstore.Erased{Recorded: stored[0]}})
	values, err = s.Types().Decode(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "value of an older version", values, []any{eventstore.Erased{Recorded: old}})

	record(t, s, named{"1", "Annabel"})
	same(t, "a new key", load(t, s, m), []string{"erased 1", "Bob", "eventstore_test.deposited", "erased 4", "Annabel"})
}

func TestTheSameValueIsTheSameData(t *testing.T) {
	w := wrap()
	r := people(w)
	encode := func(v any) []byte {
		e, err := r.Encode(t.Context(), eventstore.Draft{Value: v})
		if err != nil {
			t.Fatal(err)
		}
		return e.Data
	}
	first := encode(named{"1", "Ann"})
	if !bytes.Equal(encode(named{"1", "Ann"}), first) {
		t.Error("the same value of the same subject is other data")
	}
	if bytes.Equal(encode(named{"1", "Amy"}), first) || bytes.Equal(encode(named{"2", "Ann"}), first) {
		t.Error("other values are the same data")
	}
	s := eventstore.New(w, eventstore.Types(r))
	for range 2 {
		record(t, s, eventstore.Draft{ID: "request", Value: named{"1", "Ann"}})
	}
	if head, _ := s.Head(t.Context()); head != 1 {
		t.Errorf("head %d: the retry was no retry", head)
	}
}

func TestChangedDataIsNotDecrypted(t *testing.T) {
	w := wrap()
	r := people(w)
	e, err := r.Encode(t.Context(), eventstore.Draft{Value: named{"1", "Ann"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range e.Data {
		bad := eventstore.Recorded{Event: e.Clone()}
		bad.Data[i] ^= 1
		values, err := r.Decode(t.Context(), bad)
		if err == nil && len(values) == 1 {
			if _, erased := values[0].(eventstore.Erased); erased {
				continue // of the id of no key
			}
		}
		if err == nil {
			t.Errorf("byte %d of %d: %v", i, len(e.Data), values)
		}
	}
	for n := range e.Data {
		if v, err := r.Decode(t.Context(), eventstore.Recorded{Event: eventstore.Event{Type: "named", Schema: 2, Data: e.Data[:n]}}); err == nil {
			t.Errorf("%d of %d bytes: %v", n, len(e.Data), v)
		}
	}
}

// keyless is a KeyStore in trouble.
type keyless struct {
	eventstore.KeyStore
	err error
	id  string
	key []byte
}

func (k keyless) KeyByID(context.Context, string) ([]byte, error) { return k.key, k.err }
func (k keyless) SubjectKey(context.Context, string) (string, []byte, error) {
	return k.id, k.key, k.err
}
func (k keyless) ForgetSubject(context.Context, string) error { return k.err }

func TestAKeyStoreThatFailsIsNoErasure(t *testing.T) {
	w := wrap()
	e, err := people(w).Encode(t.Context(), eventstore.Draft{Value: named{"1", "Ann"}})
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	for want, keys := range map[string]keyless{
		"boom":                      {err: boom},
		"a key of 3 bytes: want 32": {key: []byte("key"), id: "x"},
	} {
		r := people(keys)
		for what, err := range map[string]error{
			"decode": second(r.Decode(t.Context(), eventstore.Recorded{Event: e})),
			"encode": second(r.Encode(t.Context(), eventstore.Draft{Value: named{"1", "Ann"}})),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v; want %q", what, err, want)
			}
		}
	}
	r := people(keyless{key: make([]byte, 32)})
	for want, v := range map[string]named{
		"its subject is empty":          {},
		"an id of 0 bytes":              {Customer: "1"},
		"subject \"\\xff\": want UTF-8": {Customer: "\xff"},
	} {
		if _, err := r.Encode(t.Context(), eventstore.Draft{Value: v}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want %q", err, want)
		}
	}
	s := eventstore.New(w, eventstore.Types(people(keyless{err: boom})))
	if err := s.Forget(t.Context(), "1"); !errors.Is(err, boom) || !strings.HasPrefix(err.Error(), "eventstore: forget: ") {
		t.Errorf("forget: %v", err)
	}
	for _, bad := range []string{"", "\x00"} {
		if err := s.Forget(t.Context(), bad); err == nil {
			t.Errorf("Forget(%q) was accepted", bad)
		}
	}
	if got := panics(func() { eventstore.Encrypted(nil, w, nil) }); !strings.HasPrefix(got, "eventstore: Encrypted: ") {
		t.Errorf("panic %q", got)
	}
}

func second[T any](_ T, err error) error { return err }

// Keys may be kept elsewhere than the events: Forget reaches them through the
// types.
func TestForgetReachesTheKeysOfTheTypes(t *testing.T) {
	elsewhere := wrap()
	s := eventstore.New(bare{eventstore.Memory()}, eventstore.Types(people(elsewhere)))
	record(t, s, named{"1", "Ann"})
	if err := s.Forget(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	same(t, "names", load(t, s, names()), []string{"erased 1"})
}

// A Load that has read what Forget makes unreadable must not leave it behind in
// a snapshot, however the two meet.
func TestNoSnapshotOutlivesForget(t *testing.T) {
	m := names()
	m.Snapshots = eventstore.SnapshotPolicy{Every: 1, Name: "names"}
	for _, marked := range []bool{true, false} {
		for _, when := range []string{"head", "page", "save", "saved"} {
			w := watch()
			s := eventstore.New(w, eventstore.Types(people(w)), eventstore.Logger(slog.New(slog.DiscardHandler)))
			other := eventstore.New(w, eventstore.Types(people(w)))
			record(t, s, named{"1", "Ann"})
			if marked {
				load(t, s, m)
				record(t, s, named{"1", "Anna"})
			}
			forget := func(now string) {
				if now == when {
					when = ""
					if err := other.Forget(context.Background(), "1"); err != nil {
						t.Error(err)
					}
				}
			}
			w.head = func(ctx context.Context) (eventstore.Position, error) {
				forget("head")
				return w.Backend.Head(ctx)
			}
			w.page = func(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
				p, err := w.Backend.Page(ctx, r)
				forget("page")
				return p, err
			}
			w.Snapshots = meets{w.Snapshots, forget}
			at := when
			load(t, s, m)
			if when != "" {
				t.Fatalf("%s: Forget has not been called", at)
			}
			snap, ok, err := w.LoadSnapshot(t.Context(), "names", 1)
			if err != nil || ok && bytes.Contains(snap.Data, []byte("Ann")) {
				t.Errorf("%s, marked %v: the snapshot %s is left, %v", at, marked, snap.Data, err)
			}
		}
	}
}

// meets calls forget around the saving of a snapshot.
type meets struct {
	eventstore.Snapshots
	forget func(string)
}

func (m meets) SaveSnapshot(ctx context.Context, s eventstore.Snapshot) error {
	if s.Name != "names" {
		return m.Snapshots.SaveSnapshot(ctx, s)
	}
	m.forget("save")
	err := m.Snapshots.SaveSnapshot(ctx, s)
	m.forget("saved")
	return err
}

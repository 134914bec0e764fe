package eventstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/eventstore"
)

// watched is a store over a backend that shows what is saved and read.
type watched struct {
	*wraps
	store *eventstore.Store
	read  int                   // events in pages
	saved []eventstore.Snapshot // as given
	given func(eventstore.Snapshot) eventstore.Snapshot
	fail  error // of SaveSnapshot
	log   bytes.Buffer
}

func watch(opts ...eventstore.Option) *watched {
	w := &watched{wraps: wrap()}
	w.page = func(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
		p, err := w.Backend.Page(ctx, r)
		w.read += len(p.Events)
		return p, err
	}
	w.store = w.open(opts...)
	return w
}

// open returns another store over the backend, as another program would.
func (w *watched) open(opts ...eventstore.Option) *eventstore.Store {
	opts = append([]eventstore.Option{eventstore.Types(bank()), eventstore.Logger(slog.New(slog.NewTextHandler(&w.log, nil)))}, opts...)
	return eventstore.New(w, opts...)
}

func (w *watched) SaveSnapshot(ctx context.Context, s eventstore.Snapshot) error {
	if w.fail != nil {
		return w.fail
	}
	w.saved = append(w.saved, s)
	return w.Snapshots.SaveSnapshot(ctx, s)
}

func (w *watched) LoadSnapshot(ctx context.Context, name string, version int) (eventstore.Snapshot, bool, error) {
	s, ok, err := w.Snapshots.LoadSnapshot(ctx, name, version)
	if ok && w.given != nil {
		s = w.given(s)
	}
	return s, ok, err
}

func every(n int) eventstore.Model[balance] {
	m := balanceOf("a")
	m.Snapshots.Every = n
	return m
}

// deposit appends n events of 1 cent.
func deposit(t testing.TB, s *eventstore.Store, n int) {
	t.Helper()
	values := make([]any, n)
	for i := range values {
		values[i] = deposited{"a", 1}
	}
	record(t, s, values...)
}

func TestASnapshotSavesReading(t *testing.T) {
	w := watch()
	deposit(t, w.store, 10)
	w.read = 0
	for _, c := range []struct{ add, read, saved int }{
		{0, 10, 1}, // the first, of 10 events
		{0, 1, 1},  // its event
		{4, 5, 1},  // and those after it
		{1, 6, 2},
		{0, 1, 2},
	} {
		deposit(t, w.store, c.add)
		w.read = 0
		b := load(t, w.store, every(5))
		if b.Cents != b.Events || w.read != c.read || len(w.saved) != c.saved {
			t.Errorf("%+v: balance %+v, %d read, %d saved", c, b, w.read, len(w.saved))
		}
	}
	if b := load(t, w.store, every(5)); b.Cents != 15 {
		t.Errorf("balance %+v; want 15", b)
	}
	if _, err := eventstore.Decide(t.Context(), w.store, every(5), withdraw("a", 15)); err != nil {
		t.Error(err)
	}
	if b := load(t, w.open(), every(5)); b.Cents != 0 || b.Events != 16 {
		t.Errorf("balance %+v; want 0", b)
	}
	if w.log.Len() > 0 {
		t.Errorf("logged: %s", w.log.String())
	}
}

// Never trusted over events: whatever is wrong with it, the state is the one that
// the events say, and the wrong one goes.
func TestASnapshotIsNeverTrustedOverTheEvents(t *testing.T) {
	for name, damage := range map[string]func(*eventstore.Snapshot){
		"data":                     func(s *eventstore.Snapshot) { s.Data = bytes.Replace(s.Data, []byte("10"), []byte("99"), 1) },
		"no JSON":                  func(s *eventstore.Snapshot) { s.Data = nil },
		"stamped with the version": func(s *eventstore.Snapshot) { s.Version = 2 },
		"version and name":         func(s *eventstore.Snapshot) { s.Name, s.Version = "other", 7 },
		"position":                 func(s *eventstore.Snapshot) { s.Position = 5 },
		"no position":              func(s *eventstore.Snapshot) { s.Position = 0 },
		"beyond the head":          func(s *eventstore.Snapshot) { s.Position = 50 },
		"identity":                 func(s *eventstore.Snapshot) { s.Identity = "another" },
		"event":                    func(s *eventstore.Snapshot) { s.EventID = "another" },
		"sum":                      func(s *eventstore.Snapshot) { s.Sum[0]++ },
		"no sum":                   func(s *eventstore.Snapshot) { s.Sum = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := watch()
			deposit(t, w.store, 10)
			load(t, w.store, every(10))
			w.given = func(s eventstore.Snapshot) eventstore.Snapshot { damage(&s); return s }
			same(t, "state", load(t, w.store, every(10)), balance{Cents: 10, Events: 10})
			if len(w.saved) != 2 || !strings.Contains(w.log.String(), "a snapshot is dropped") {
				t.Errorf("%d saved; want a new one. Logged: %s", len(w.saved), w.log.String())
			}
			w.given, w.read = nil, 0
			load(t, w.store, every(10))
			if w.read != 1 {
				t.Errorf("the new one is not used: %d read", w.read)
			}
		})
	}
}

// A restored store that went on differently has the same identity, and other
// events at the same positions.
func TestASnapshotOfAnotherHistoryIsNotUsed(t *testing.T) {
	w := watch()
	deposit(t, w.store, 10)
	load(t, w.store, every(10))
	history := wrap()
	history.Snapshots = w.Snapshots
	other := eventstore.New(sameIdentity{history, w}, eventstore.Types(bank()), eventstore.Logger(slog.New(slog.DiscardHandler)))
	record(t, other, withdrawn{"a", 1})
	deposit(t, other, 11)
	same(t, "state", load(t, other, every(10)), balance{Cents: 10, Events: 12})
}

type sameIdentity struct {
	*wraps
	as eventstore.Backend
}

func (s sameIdentity) Identity(ctx context.Context) (string, error) { return s.as.Identity(ctx) }

// A backend that mixes up what it keeps gives snapshots that are whole, but not
// what was asked for.
func TestAWholeSnapshotOfAnotherVersionNameOrStoreIsNotUsed(t *testing.T) {
	w := watch()
	deposit(t, w.store, 10)
	m := every(10)
	fold := m.Fold
	m.Fold = func(b balance, e any) balance {
		b = fold(b, e)
		b.Odd = append(b.Odd, "of another version")
		return b
	}
	m.Snapshots.Version = 2
	load(t, w.store, m)
	other := w.saved[0]
	m.Snapshots = eventstore.SnapshotPolicy{Every: 10, Name: "other"}
	load(t, w.store, m)
	for name, wrong := range map[string]eventstore.Snapshot{"version": other, "name": w.saved[1]} {
		w.given = func(eventstore.Snapshot) eventstore.Snapshot { return wrong }
		load(t, w.store, every(10)) // so that there is one to be mixed up
		same(t, name, load(t, w.store, every(10)), balance{Cents: 10, Events: 10})
	}
	w.given = nil
	load(t, w.store, m)
	elsewhere := eventstore.New(renamed{w.wraps}, eventstore.Types(bank()), eventstore.Logger(slog.New(slog.DiscardHandler)))
	m.Fold = fold
	same(t, "store", load(t, elsewhere, m), balance{Cents: 10, Events: 10})
}

// renamed is the same history with another identity.
type renamed struct{ *wraps }

func (renamed) Identity(context.Context) (string, error) { return "another", nil }

func TestASnapshotOfAnotherVersionIsNeverUsedAndLeftAlone(t *testing.T) {
	w := watch()
	deposit(t, w.store, 10)
	load(t, w.store, every(10))
	m := every(10)
	m.Snapshots.Version = 2
	fold := m.Fold
	m.Fold = func(b balance, e any) balance {
		b = fold(b, e)
		b.Cents++ // what version 2 makes of it
		return b
	}
	w.read = 0
	same(t, "the new one", load(t, w.store, m), balance{Cents: 20, Events: 10})
	if w.read != 10 {
		t.Errorf("%d read; want all", w.read)
	}
	w.read = 0
	same(t, "the new one again", load(t, w.store, m), balance{Cents: 20, Events: 10})
	same(t, "the old one", load(t, w.store, every(10)), balance{Cents: 10, Events: 10})
	if w.read != 2 {
		t.Errorf("%d read; want the events of two snapshots", w.read)
	}
}

// Who forgets to raise the version after a change of the state's fields, or
// makes a query find more, is noticed.
func TestASnapshotOfAStateWithOtherFieldsOrAnotherQueryIsNotUsed(t *testing.T) {
	w := watch()
	deposit(t, w.store, 10)
	m := every(10)
	m.Snapshots.Name = "balance"
	load(t, w.store, m)
	type larger struct {
		Cents, Events, Deposits int
	}
	got := load(t, w.store, eventstore.Model[larger]{
		Query: m.Query, Snapshots: m.Snapshots,
		Fold: func(l larger, e any) larger { l.Deposits++; return l },
	})
	same(t, "of other fields", got, larger{Deposits: 10})
	m.Query = eventstore.Match(eventstore.Item{Types: []string{"deposited"}}, eventstore.Item{Types: []string{"withdrawn"}})
	record(t, w.store, deposited{"b", 5})
	same(t, "of another query", load(t, w.store, m), balance{Cents: 15, Events: 11})
}

// A snapshot that somebody else has just taken may be of a later position than
// the head that was read: it is used, with a head that is not before it.
func TestASnapshotTakenMeanwhileIsUsed(t *testing.T) {
	w := watch()
	deposit(t, w.store, 10)
	first := true
	w.head = func(ctx context.Context) (eventstore.Position, error) {
		head, err := w.Backend.Head(ctx)
		if first {
			first = false
			other := w.open()
			deposit(t, other, 5)
			load(t, other, every(5))
		}
		return head, err
	}
	b, at, err := eventstore.Load(t.Context(), w.store, every(5))
	if err != nil || at != 15 || b.Cents != 15 || w.log.Len() > 0 {
		t.Errorf("balance %+v at %d, %v, %s", b, at, err, w.log.String())
	}
}

// opaque is a state that JSON does not keep.
type opaque struct {
	Cents int
	seen  map[string]bool
}

func TestAStateThatDoesNotSurviveIsRefusedAtTheFirstLoad(t *testing.T) {
	w := watch()
	deposit(t, w.store, 1)
	m := eventstore.Model[opaque]{
		Stream: "all", Snapshots: eventstore.SnapshotPolicy{Every: 1000},
		Fold: func(o opaque, _ any) opaque {
			o.seen = map[string]bool{"x": true}
			return o
		},
	}
	_, _, err := eventstore.Load(t.Context(), w.store, m)
	if err == nil || !strings.Contains(err.Error(), "at position 1 is refused: a eventstore_test.opaque does not survive JSON: .seen comes back as another value") {
		t.Errorf("error %v", err)
	}
	if _, err := eventstore.Decide(t.Context(), w.store, m, func(opaque) ([]any, error) { return []any{deposited{"a", 1}}, nil }); err == nil {
		t.Error("Decide went on")
	}
	if head, _ := w.store.Head(t.Context()); head != 1 || len(w.saved) > 0 {
		t.Errorf("head %d, %d saved", head, len(w.saved))
	}
}

func TestSnapshotsNeedABackendThatKeepsThem(t *testing.T) {
	s := eventstore.New(bare{eventstore.Memory()}, eventstore.Types(bank()))
	if _, _, err := eventstore.Load(t.Context(), s, every(1)); !errors.Is(err, eventstore.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	if err := s.Forget(t.Context(), "a"); !errors.Is(err, eventstore.ErrUnsupported) {
		t.Errorf("forget: error %v", err)
	}
	same(t, "without", load(t, s, balanceOf("a")), balance{})
}

// bare is a backend that can do nothing more than it must.
type bare struct{ eventstore.Backend }

func TestASnapshotThatCannotBeSavedIsLogged(t *testing.T) {
	w := watch()
	deposit(t, w.store, 10)
	w.fail = errors.New("no room")
	same(t, "state", load(t, w.store, every(1)).Cents, 10)
	if log := w.log.String(); !strings.Contains(log, "a snapshot could not be saved") || !strings.Contains(log, "no room") {
		t.Errorf("logged %q", log)
	}
	// Not even a logger that panics makes it worse.
	s := eventstore.New(w, eventstore.Types(bank()), eventstore.Logger(slog.New(panics1{})))
	same(t, "state", load(t, s, every(1)).Cents, 10)
}

type panics1 struct{ slog.Handler }

func (panics1) Enabled(context.Context, slog.Level) bool { panic("enabled") }

func TestSnapshotTakenIsEmitted(t *testing.T) {
	bus := signals.NewBus()
	w := watch(eventstore.OnBus(bus), eventstore.Name("bank"))
	var got []eventstore.Snapshot
	w.store.SnapshotTaken().Subscribe(func(_ context.Context, s eventstore.Snapshot) error {
		got = append(got, s)
		return nil
	})
	deposit(t, w.store, 10)
	load(t, w.store, every(10))
	load(t, w.store, every(10))
	deposit(t, w.store, 10)
	if _, err := eventstore.Decide(t.Context(), w.store, every(10), withdraw("a", 20)); err != nil {
		t.Error(err)
	}
	if err := w.store.Close(t.Context()); err != nil {
		t.Error(err)
	}
	var texts []string
	for _, s := range got {
		texts = append(texts, fmt.Sprint(s.Name, s.Version, s.Position, string(s.Data), time.Since(s.Taken) < time.Hour))
	}
	name := `eventstore_test.balance of tags "account:a"`
	same(t, "snapshots", texts, []string{
		fmt.Sprint(name, 1, 10, `{"Cents":10,"Events":10,"Odd":null}`, true), fmt.Sprint(name, 1, 20, `{"Cents":20,"Events":20,"Odd":null}`, true),
	})
	if names := bus.Stats(); len(names) != 0 {
		t.Errorf("after Close the bus has %v", names)
	}
}

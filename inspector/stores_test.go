package inspector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals/eventstore"
)

// newStore is a quiet one in memory that the test closes.
func newStore(t *testing.T, b eventstore.Backend, opts ...eventstore.Option) *eventstore.Store {
	t.Helper()
	s := eventstore.New(b, append(opts, eventstore.Logger(slog.New(slog.DiscardHandler)))...)
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// put appends n events.
func put(t *testing.T, s *eventstore.Store, n int, kind string) {
	t.Helper()
	events := make([]eventstore.Event, n)
	for k := range events {
		events[k] = eventstore.Event{Type: kind, Data: []byte("secret")}
	}
	if _, err := s.Append(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, s *eventstore.Store, key string, fn func(context.Context, eventstore.Recorded) error, opts ...eventstore.ListenOption) *eventstore.Listener {
	t.Helper()
	l, err := s.Listen(key, eventstore.All(), fn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func done(context.Context, eventstore.Recorded) error { return nil }

func TestAStoreIsShownWithItsHeadRateAndListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, eventstore.Memory(), eventstore.Name("orders"))
		i := New(quietBus(), Stores(store))
		defer i.Close()
		listen(t, store, "mail", done)
		put(t, store, 3, "placed")
		synctest.Wait()
		i.fresh()
		time.Sleep(2 * time.Second)
		put(t, store, 20, "placed")
		synctest.Wait()
		i.fresh()
		got := getJSON[StoreList](t, i, "stores.json?history=1")
		if len(got.Stores) != 1 || len(got.Stores[0].Listeners) != 1 {
			t.Fatalf("%+v", got)
		}
		s, l := got.Stores[0], got.Stores[0].Listeners[0]
		if s.Name != "orders" || s.Status != StatusOK || s.Head != 23 || s.Rate != 10 || s.Error != "" || s.History == nil {
			t.Errorf("the store: %+v", s)
		}
		if l.Key != "mail" || l.State != DurableWorking || l.Status != StatusOK || l.Position != 23 || l.Lag != 0 || l.Rate != 10 || l.Deliveries != 23 || l.Updated.IsZero() {
			t.Errorf("the listener: %+v", l)
		}
		if snap := getJSON[Snapshot](t, i, "snapshot.json"); len(snap.Stores) != 1 || snap.Stores[0].Head != 23 {
			t.Errorf("the snapshot: %+v", snap.Stores)
		}
		page := words(get(t, i, "stores"))
		for _, want := range []string{"orders", "Head 23", "Rate 10/s", "mail working", "Stores"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not say %q:\n%s", want, page)
			}
		}
		wantKinds(t, "all is well", i.at(0))
	})
}

func TestAnInspectorWithoutStoresDoesNotShowAny(t *testing.T) {
	i := open(t, quietBus())
	if got := getJSON[StoreList](t, i, "stores.json"); len(got.Stores) != 0 {
		t.Errorf("%+v", got)
	}
	if page := get(t, i, ""); strings.Contains(page, "Stores") {
		t.Error("the page has a tab for them")
	}
	with := open(t, quietBus(), Stores(newStore(t, eventstore.Memory())))
	with.fresh()
	page := get(t, with, "stores")
	if !strings.Contains(get(t, with, ""), `href="stores"`) || !strings.Contains(page, "It has no durable listeners.") {
		t.Errorf("a store is not shown:\n%s", page)
	}
	if found := inline.FindString(page); found != "" {
		t.Errorf("the page has %q inline", found)
	}
}

func TestADurableListenerThatStoppedIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, eventstore.Memory())
		i := New(quietBus(), Stores(store))
		defer i.Close()
		put(t, store, 5, "placed")
		l := listen(t, store, "books", func(context.Context, eventstore.Recorded) error { return errors.New("no such account") },
			eventstore.StopOnFailure(), eventstore.Attempts(1))
		<-l.Done()
		d := i.at(0)
		wantKinds(t, "stopped", d, "error stopped  books")
		if text := d.Findings[0].Text; !strings.Contains(text, "after position 0, and 5 events wait") || !strings.Contains(text, "no such account") {
			t.Error(text)
		}
		if got := i.storeList(false).Stores[0]; got.Status != StatusFailing || got.Listeners[0].State != DurableStopped {
			t.Errorf("%+v", got)
		}
	})
}

func TestADurableListenerThatIsHeldUpIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, eventstore.Memory())
		i := New(quietBus(), Stores(store))
		defer i.Close()
		put(t, store, 3, "placed")
		listen(t, store, "mail", func(_ context.Context, r eventstore.Recorded) error {
			if r.Position == 2 {
				return errors.New("no route")
			}
			return nil
		}, eventstore.Backoff(time.Second, time.Second), eventstore.Attempts(100))
		d := i.at(2500 * time.Millisecond)
		wantKinds(t, "held up", d, "error held_up  mail")
		if text := d.Findings[0].Text; !strings.Contains(text, "position 2, which has failed 3 times") || !strings.Contains(text, "no route") {
			t.Error(text)
		}
	})
}

func TestDeadLettersAreShownWithoutWhatTheySay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, eventstore.Memory())
		i := New(quietBus(), Stores(store))
		defer i.Close()
		var works atomic.Bool
		listen(t, store, "mail", func(context.Context, eventstore.Recorded) error {
			if works.Load() {
				return nil
			}
			return errors.New("no <b>route</b>")
		}, eventstore.Attempts(1))
		put(t, store, 12, "placed")
		synctest.Wait()
		d := i.at(0)
		wantKinds(t, "dead letters", d, "warning dead_letters  mail")
		if text := d.Findings[0].Text; !strings.Contains(text, "12 dead letters; the first one, at position 1") {
			t.Error(text)
		}
		l := getJSON[StoreList](t, i, "stores.json").Stores[0].Listeners[0]
		if l.Dead != 12 || len(l.Letters) != maxLetters || l.Letters[9].Position != 10 || l.Letters[0].Type != "placed" || l.Letters[0].Attempts != 1 || l.Letters[0].First.IsZero() {
			t.Errorf("%+v", l)
		}
		page := get(t, i, "stores")
		if strings.Contains(page, "secret") || strings.Contains(page, "<b>route") || !strings.Contains(words(page), "position 10") {
			t.Errorf("the page:\n%s", page)
		}
		works.Store(true)
		if err := store.Redeliver(t.Context(), "mail"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		wantKinds(t, "redelivered", i.at(time.Second))
	})
}

// That a listener falls behind, is stuck in a call, or that nobody has its key, is
// told apart from one that catches up.
func TestLagIsJudgedByWhatBecomesOfIt(t *testing.T) {
	slow := func(d time.Duration) func(context.Context, eventstore.Recorded) error {
		return func(context.Context, eventstore.Recorded) error { time.Sleep(d); return nil }
	}
	for _, c := range []struct {
		name  string
		call  time.Duration
		every int // events appended a second
		gone  bool
		want  []string
		text  string
	}{
		{"falls behind", 10 * time.Millisecond, 200, false, []string{"warning lag  mail"}, "falls behind"},
		{"keeps up", time.Millisecond, 100, false, nil, ""},
		{"catches up", 10 * time.Millisecond, 0, false, []string{"info catching_up  mail"}, "catches up"},
		{"stuck", time.Hour, 0, false, []string{"error lag  mail"}, "has not moved from position 0 for 11s"},
		{"nobody has it", 0, 1, true, []string{"warning lag  mail"}, "does not work in this process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t, eventstore.Memory())
				i := New(quietBus(), Stores(store))
				defer i.Close()
				if c.every == 0 {
					put(t, store, 5000, "placed")
				}
				l := listen(t, store, "mail", slow(c.call))
				if c.gone {
					if err := l.Stop(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				defer func() { time.Sleep(2 * time.Hour) }() // for the call that is under way
				for range 12 {
					if c.every > 0 {
						put(t, store, c.every, "placed")
					}
					time.Sleep(beat)
					i.fresh()
				}
				d := i.diagnosis(recent, false)
				wantKinds(t, c.name, d, c.want...)
				if c.text != "" && (len(d.Findings) == 0 || !strings.Contains(d.Findings[0].Text, c.text)) {
					t.Errorf("%+v, want %q", d.Findings, c.text)
				}
			})
		})
	}
}

// failing is a backend whose Head does what the test says.
type failing struct {
	eventstore.Backend
	eventstore.Checkpoints
	head func(context.Context) (eventstore.Position, error)
}

func (f *failing) Head(ctx context.Context) (eventstore.Position, error) { return f.head(ctx) }

func TestAStoreThatDoesNotAnswerHoldsUpNoPage(t *testing.T) {
	memory := eventstore.Memory()
	for name, head := range map[string]func(context.Context) (eventstore.Position, error){
		"disk on fire": func(context.Context) (eventstore.Position, error) { return 0, errors.New("disk on fire") },
		"panicked":     func(context.Context) (eventstore.Position, error) { panic("oh") },
		"no answer":    func(ctx context.Context) (eventstore.Position, error) { <-ctx.Done(); return 0, ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sick atomic.Bool
				backend := &failing{memory, memory.(eventstore.Checkpoints), func(ctx context.Context) (eventstore.Position, error) {
					if sick.Load() {
						return head(ctx)
					}
					return memory.Head(ctx)
				}}
				store := newStore(t, backend, eventstore.Name("orders"))
				i := New(quietBus(), Stores(store))
				defer i.Close()
				sick.Store(true)
				began := time.Now()
				d := i.at(5 * time.Second)
				if took := time.Since(began) - 5*time.Second; took > storePatience {
					t.Errorf("the look took %v", took)
				}
				wantKinds(t, name, d, "error store")
				if text := d.Findings[0].Text; !strings.Contains(text, name) || !strings.Contains(text, "its figures are") {
					t.Error(text)
				}
				if page := words(get(t, i, "stores")); !strings.Contains(page, "orders") || !strings.Contains(page, name) {
					t.Error(page)
				}
				sick.Store(false)
				time.Sleep(storeTimeout)
				wantKinds(t, "it answers again", i.at(time.Second))
			})
		})
	}
}

func TestNamesAndErrorsOfStoresStayText(t *testing.T) {
	store := newStore(t, eventstore.Memory(), eventstore.Name(evil))
	i := open(t, quietBus(), Stores(store, store))
	l := listen(t, store, "<script>alert(1)", func(context.Context, eventstore.Recorded) error { return errors.New(evil) }, eventstore.StopOnFailure(), eventstore.Attempts(1))
	put(t, store, 1, "<script>alert(2)")
	await(t, l.Done(), "the end of the listener")
	i.fresh()
	for _, path := range []string{"stores", "diagnosis"} {
		page := get(t, i, path)
		if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img") || !strings.Contains(page, "alert") {
			t.Errorf("%s:\n%s", path, page)
		}
	}
	if got := i.storeList(false).Stores; len(got) != 2 || got[1].Name != evil+"#2" {
		t.Errorf("two stores of one name: %+v", got)
	}
}

func TestStoresRefusesNone(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "inspector: Stores: ") {
			t.Error(got)
		}
	}()
	Stores(nil)
}

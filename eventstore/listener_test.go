package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
	"example.com/signals/eventstore"
)

// able is what a backend with durable listeners is.
type able interface {
	eventstore.Backend
	eventstore.Checkpoints
	eventstore.Leaser
}

// faulty is the memory backend, with what a test wants to go wrong.
type faulty struct {
	able
	pages, advances atomic.Int64
	onAdvance       func(m eventstore.Move) error // if set; what it returns is returned instead
	onLease         func(eventstore.Lease) eventstore.Lease
}

func newFaulty() *faulty { return &faulty{able: eventstore.Memory().(able)} }

func (f *faulty) Page(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
	f.pages.Add(1)
	return f.able.Page(ctx, r)
}

func (f *faulty) Advance(ctx context.Context, m eventstore.Move, apply func(context.Context, any) error) error {
	f.advances.Add(1)
	if f.onAdvance != nil {
		if err := f.onAdvance(m); err != nil {
			return err
		}
	}
	return f.able.Advance(ctx, m, apply)
}

func (f *faulty) Lease(ctx context.Context, key string) (eventstore.Lease, error) {
	l, err := f.able.Lease(ctx, key)
	if err == nil && f.onLease != nil {
		l = f.onLease(l)
	}
	return l, err
}

var quiet = eventstore.Logger(slog.New(slog.DiscardHandler))

func listen(t *testing.T, store *eventstore.Store, key string, fn func(context.Context, eventstore.Recorded) error, opts ...eventstore.ListenOption) *eventstore.Listener {
	t.Helper()
	l, err := store.Listen(key, eventstore.All(), fn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustAppend(t *testing.T, store *eventstore.Store, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		if _, err := store.Append(t.Context(), one(kind)); err != nil {
			t.Fatal(err)
		}
	}
}

func mustClose(t *testing.T, store *eventstore.Store) {
	t.Helper()
	if err := store.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// pass lets the bubble's clock go on: nobody waits.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

var errBoom = errors.New("boom")

func TestRetriesBackOffAndThenTheEventIsADeadLetter(t *testing.T) {
	for name, c := range map[string]struct {
		opts []eventstore.ListenOption
		want []time.Duration
	}{
		"default": {nil, []time.Duration{100e6, 200e6, 400e6, 800e6, 1600e6, 3200e6, 6400e6, 12800e6, 25600e6}},
		"capped":  {[]eventstore.ListenOption{eventstore.Backoff(time.Second, 3*time.Second), eventstore.Attempts(5)}, []time.Duration{1e9, 2e9, 3e9, 3e9}},
		"none":    {[]eventstore.ListenOption{eventstore.Attempts(1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := eventstore.New(eventstore.Memory(), quiet)
				defer mustClose(t, store)
				var last time.Time
				var waits []time.Duration
				listen(t, store, "k", func(context.Context, eventstore.Recorded) error {
					if !last.IsZero() {
						waits = append(waits, time.Since(last))
					}
					last = time.Now()
					return errBoom
				}, c.opts...)
				mustAppend(t, store, "a")
				if err := store.Wait(t.Context(), "k", 1); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(waits, c.want) {
					t.Errorf("waited %v; want %v", waits, c.want)
				}
				for d, err := range store.DeadLetters(t.Context(), "k") {
					if err != nil || d.Attempts != len(c.want)+1 || d.Err != "boom" {
						t.Errorf("dead letter %+v, %v", d, err)
					}
				}
			})
		})
	}
}

func TestAnIdleListenerDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := newFaulty()
		store := eventstore.New(backend, quiet)
		defer mustClose(t, store)
		l, err := store.Listen("k", eventstore.OfStream("mine"), func(context.Context, eventstore.Recorded) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		pages, advances := backend.pages.Load(), backend.advances.Load()
		pass(time.Hour)
		if p, a := backend.pages.Load()-pages, backend.advances.Load()-advances; p+a > 0 {
			t.Errorf("an idle hour: %d pages, %d moves", p, a)
		}
		for range 1000 { // ten seconds of what does not concern it
			mustAppend(t, store, "other")
			pass(10 * time.Millisecond)
		}
		if s := l.Stats(); s.Position != 1000 || s.Lag != 0 {
			t.Errorf("position %d, lag %d", s.Position, s.Lag)
		}
		if a := backend.advances.Load() - advances; a < 9 || a > 11 {
			t.Errorf("ten seconds passed it by: %d moves", a)
		}
		if p := backend.pages.Load() - pages; p > 1 { // the tail's first notice
			t.Errorf("ten seconds passed it by: %d pages", p)
		}
		pass(2 * time.Second)
		if c, err := store.Checkpoints(t.Context(), "k"); err != nil || c[0].Position != 1000 {
			t.Errorf("checkpoint %v, %v", c, err)
		}
	})
}

func TestABusyListenerWritesItsCheckpointEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := newFaulty()
		store := eventstore.New(backend, quiet)
		defer mustClose(t, store)
		mustAppend(t, store, slices.Repeat([]string{"a"}, 60)...)
		began := time.Now()
		backend.onAdvance = func(m eventstore.Move) error {
			if behind := eventstore.Position(time.Since(began)/(300*time.Millisecond)) - m.To; behind > 0 {
				t.Errorf("after %v the checkpoint is at %d", time.Since(began), m.To)
			}
			return nil
		}
		listen(t, store, "k", func(context.Context, eventstore.Recorded) error {
			time.Sleep(300 * time.Millisecond)
			return nil
		})
		if err := store.Wait(t.Context(), "k", 60); err != nil {
			t.Fatal(err)
		}
		if n := backend.advances.Load(); n < 14 || n > 18 {
			t.Errorf("%d moves in 18 seconds", n)
		}
	})
}

// Whatever fails when the checkpoint is written, no event is left out.
func TestFaultsOfTheBackendLoseNothing(t *testing.T) {
	for _, fault := range []error{eventstore.ErrMoved, eventstore.ErrOutcomeUnknown, errors.New("connection lost")} {
		synctest.Test(t, func(t *testing.T) {
			backend := newFaulty()
			store := eventstore.New(backend, quiet)
			defer mustClose(t, store)
			n := 0
			backend.onAdvance = func(eventstore.Move) error {
				if n++; n%3 > 0 {
					return fmt.Errorf("faulty: %w", fault)
				}
				return nil
			}
			var got []eventstore.Position
			listen(t, store, "k", func(_ context.Context, r eventstore.Recorded) error {
				got = append(got, r.Position)
				return nil
			})
			for range 20 {
				mustAppend(t, store, "a")
				pass(time.Second)
			}
			pass(time.Minute)
			for i, p := range got {
				if i > 0 && p > got[i-1]+1 || i == 0 && p != 1 {
					t.Fatalf("%v: %d comes after %v", fault, p, got[:i])
				}
			}
			if c, err := store.Checkpoints(t.Context()); err != nil || c[0].Position != 20 || got[len(got)-1] != 20 {
				t.Errorf("%v: checkpoints %v, %v; the last is %d", fault, c, err, got[len(got)-1])
			}
		})
	}
}

func TestAListenerOverABrokenBackendEnds(t *testing.T) {
	backend := newFaulty()
	store := eventstore.New(backend, quiet)
	defer mustClose(t, store)
	backend.onAdvance = func(eventstore.Move) error { return fmt.Errorf("faulty: %w", eventstore.ErrBroken) }
	l := listen(t, store, "k", func(context.Context, eventstore.Recorded) error { return nil })
	mustAppend(t, store, "a")
	<-l.Done()
	if err := l.Err(); !errors.Is(err, eventstore.ErrBroken) || !strings.Contains(err.Error(), `listener "k"`) {
		t.Errorf("error %v", err)
	}
}

// losing is a lease that the test can lose.
type losing struct {
	eventstore.Lease
	lost chan struct{}
}

func (l losing) Lost() <-chan struct{} { return l.lost }

func TestALostLeaseEndsTheCallAndAnotherTermBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := newFaulty()
		store := eventstore.New(backend, quiet)
		defer mustClose(t, store)
		leases := 0
		lost := make(chan struct{})
		backend.onLease = func(l eventstore.Lease) eventstore.Lease {
			if leases++; leases == 1 {
				return losing{l, lost}
			}
			return l
		}
		calls := 0
		l := listen(t, store, "k", func(ctx context.Context, _ eventstore.Recorded) error {
			if calls++; calls == 1 {
				close(lost)
				<-ctx.Done()
				return ctx.Err()
			}
			return ctx.Err()
		}, eventstore.Attempts(1))
		mustAppend(t, store, "a")
		if err := store.Wait(t.Context(), "k", 1); err != nil {
			t.Fatal(err)
		}
		if s := l.Stats(); calls != 2 || leases != 2 || s.Dead != 0 || s.Deliveries != 1 || s.Standby {
			t.Errorf("%d calls, %d leases, %+v", calls, leases, s)
		}
	})
}

func TestACheckpointBeyondTheHeadIsNoticed(t *testing.T) {
	backend := eventstore.Memory()
	if _, err := backend.(eventstore.Checkpoints).OpenKey(t.Context(), "k", 7); err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(backend, quiet)
	defer mustClose(t, store)
	l := listen(t, store, "k", func(context.Context, eventstore.Recorded) error { return nil })
	<-l.Done()
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("error %v", err)
	}
}

func TestAListenerWhoseCheckpointIsDeletedEnds(t *testing.T) {
	backend := eventstore.Memory()
	store := eventstore.New(backend, quiet)
	defer mustClose(t, store)
	l := listen(t, store, "k", func(context.Context, eventstore.Recorded) error { return nil })
	if err := store.Wait(t.Context(), "k", 0); err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteCheckpoint(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("error %v", err)
	}
	if err := backend.(eventstore.Checkpoints).DeleteKey(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, store, "a")
	<-l.Done()
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("error %v", err)
	}
}

func TestABackendWithoutCheckpointsIsRefused(t *testing.T) {
	store := eventstore.New(struct{ eventstore.Backend }{eventstore.Memory()})
	_, listening := store.Listen("k", eventstore.All(), func(context.Context, eventstore.Recorded) error { return nil })
	_, checkpoints := store.Checkpoints(t.Context())
	for _, err := range []error{
		listening, checkpoints, store.Wait(t.Context(), "k", 1), store.Redeliver(t.Context(), "k"), store.Discard(t.Context(), "k"), store.DeleteCheckpoint(t.Context(), "k"),
	} {
		if !errors.Is(err, eventstore.ErrUnsupported) || !strings.HasPrefix(err.Error(), "eventstore: ") {
			t.Errorf("error %v", err)
		}
	}
	memory := eventstore.New(eventstore.Memory())
	_, err := memory.Listen("k", eventstore.All(), nil, eventstore.InTransaction(func(context.Context, any, eventstore.Recorded) error { return nil }))
	if !errors.Is(err, eventstore.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

func TestOnTheBusAListenerIsOneLikeAny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var failures []signals.Failure // under mu
		var tapped []string            // under mu
		bus := signals.NewBus(signals.OnFailure(func(_ context.Context, f signals.Failure) {
			mu.Lock()
			defer mu.Unlock()
			failures = append(failures, f)
		}))
		store := eventstore.New(eventstore.Memory(), eventstore.OnBus(bus), eventstore.Name("orders"), quiet)
		defer mustClose(t, store)
		bus.Tap(func(_ context.Context, _ string, payload any) {
			mu.Lock()
			defer mu.Unlock()
			d := payload.(eventstore.Delivery)
			tapped = append(tapped, fmt.Sprintf("%s %d %d", d.Key, d.Position, d.Attempt))
		}, "orders.listeners")
		calls := 0
		listen(t, store, "mail", func(context.Context, eventstore.Recorded) error {
			if calls++; calls == 1 {
				return errBoom
			}
			return nil
		})
		l := listen(t, store, "stock", func(context.Context, eventstore.Recorded) error { panic("boom") }, eventstore.Attempts(1))
		mustAppend(t, store, "a")
		pass(time.Second)
		var stats signals.SignalStats
		for _, s := range bus.Stats() {
			if s.Name == "orders.listeners" {
				stats = s
			}
		}
		if len(stats.Listeners) != 2 || stats.Emissions != 3 || stats.Failures != 2 || stats.Panics != 1 {
			t.Fatalf("%+v", stats)
		}
		for i, want := range []signals.ListenerStats{{Key: "mail", Deliveries: 2, Failures: 1}, {Key: "stock", Deliveries: 1, Failures: 1, Panics: 1}} {
			got := stats.Listeners[i]
			if got.Key != want.Key || got.Deliveries != want.Deliveries || got.Failures != want.Failures || got.Panics != want.Panics {
				t.Errorf("got %+v; want %+v", got, want)
			}
		}
		slices.Sort(tapped)
		if want := []string{"mail 1 1", "mail 1 2", "stock 1 1"}; !slices.Equal(tapped, want) {
			t.Errorf("tapped %v; want %v", tapped, want)
		}
		if len(failures) != 2 || failures[0].Key == failures[1].Key || failures[0].Signal != "orders.listeners" {
			t.Errorf("failures %+v", failures)
		}
		// What others do to the signal harms nobody.
		signal, _ := signals.Lookup[eventstore.Delivery](bus, "orders.listeners")
		signal.Emit(t.Context(), eventstore.Delivery{Key: "mail"})
		if calls != 2 || len(failures) != 3 {
			t.Errorf("%d calls, %d failures", calls, len(failures))
		}
		signal.Reset()
		mustAppend(t, store, "b")
		pass(time.Second)
		if calls != 3 || l.Stats().Dead != 2 {
			t.Errorf("after a Reset: %d calls, %+v", calls, l.Stats())
		}
		if all := store.Listeners(); len(all) != 2 || all[0].Key != "mail" || all[0].Deliveries != 2 {
			t.Errorf("%+v", all)
		}
	})
}

func TestStatsTellOfLagRateAndFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := eventstore.New(eventstore.Memory(), quiet)
		defer mustClose(t, store)
		l := listen(t, store, "k", func(_ context.Context, r eventstore.Recorded) error {
			if r.Type == "bad" {
				return errBoom
			}
			return nil
		}, eventstore.Backoff(time.Hour, time.Hour))
		for range 200 {
			mustAppend(t, store, "a")
			pass(100 * time.Millisecond)
		}
		if s := l.Stats(); s.Rate != 10 || s.Deliveries != 200 || s.Position != 200 || s.Lag != 0 || s.Err != nil {
			t.Errorf("%+v", s)
		}
		pass(5 * time.Second)
		if s := l.Stats(); s.Rate != 5 {
			t.Errorf("half of the time: %+v", s)
		}
		mustAppend(t, store, "bad", "a", "a")
		pass(time.Minute)
		if s := l.Stats(); s.Rate != 0 || s.Lag != 3 || s.Position != 200 || s.Failing != 201 || s.Attempts != 1 || s.Failures != 1 || s.Err != errBoom {
			t.Errorf("%+v", s)
		}
	})
}

package eventstore_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// silent is a backend whose notices do not say what was committed.
type silent struct{ *faulty }

func (s silent) Watch(fn func(eventstore.Notice)) func() {
	return s.faulty.Watch(func(n eventstore.Notice) { fn(eventstore.Notice{Key: n.Key}) })
}

func TestWhatPassesByIsNotWrittenAllTheTimeWhateverTheNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := silent{newFaulty()}
		store := eventstore.New(backend, quiet)
		defer mustClose(t, store)
		if _, err := store.Listen("k", eventstore.OfStream("mine"), func(context.Context, eventstore.Recorded) error { return nil }); err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			mustAppend(t, store, "other")
			pass(10 * time.Millisecond)
		}
		if n := backend.advances.Load(); n < 9 || n > 11 {
			t.Errorf("%d moves in ten seconds", n)
		}
	})
}

func TestWaitForWhatPassesByTakesNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := eventstore.New(eventstore.Memory(), quiet)
		defer mustClose(t, store)
		if _, err := store.Listen("k", eventstore.OfStream("mine"), func(context.Context, eventstore.Recorded) error { return nil }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		wait := func(p eventstore.Position) {
			if err := store.Wait(t.Context(), "k", p); err != nil || time.Since(began) > 0 {
				t.Errorf("waited %v for %d, %v", time.Since(began), p, err)
			}
		}
		mustAppend(t, store, "other", "other")
		synctest.Wait()
		wait(2) // which is there
		done := make(chan struct{})
		go func() {
			defer close(done)
			wait(4) // which comes
		}()
		synctest.Wait()
		mustAppend(t, store, "other", "other")
		<-done
	})
}

func TestWhatSucceededIsWrittenBeforeARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := eventstore.New(eventstore.Memory(), quiet)
		defer mustClose(t, store)
		mustAppend(t, store, "a", "a", "a")
		listen(t, store, "k", func(_ context.Context, r eventstore.Recorded) error {
			if r.Position == 3 {
				return errBoom
			}
			return nil
		}, eventstore.Backoff(time.Hour, time.Hour))
		synctest.Wait()
		if c, err := store.Checkpoints(t.Context()); err != nil || c[0].Position != 2 {
			t.Errorf("checkpoints %v, %v", c, err)
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

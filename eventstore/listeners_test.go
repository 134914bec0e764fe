package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
	"example.com/signals/eventstore"
)

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
		if s := l.Stats(); s.Rate != 0 || s.Lag != 3 || s.Position != 200 || s.Failing != 201 || s.Attempts != 1 || s.Failures != 1 || !errors.Is(s.Err, errBoom) {
			t.Errorf("%+v", s)
		}
	})
}

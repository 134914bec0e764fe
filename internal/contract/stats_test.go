package contract_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// statsOf returns the Stats of a signal of any kind.
func statsOf(s signals.Signal[int]) signals.SignalStats {
	return s.(interface{ Stats() signals.SignalStats }).Stats()
}

func TestASignalCountsOnABusWithAnObserverOrWhenAskedTo(t *testing.T) {
	for kind, build := range makers {
		for name, opts := range map[string][]signals.Option{
			"":         nil,
			"bus":      {signals.OnBus(signals.NewBus())},
			"observer": {signals.Observe(signals.Observer{})},
			"counted":  {signals.Counted()},
		} {
			s := build(opts...)
			s.Subscribe(nothing, signals.Key("all"))
			s.Subscribe(nothing, signals.Key("even"), signals.Filter(func(v int) bool { return v%2 == 0 }))
			s.Subscribe(nothing, signals.Key("once"), signals.Once())
			for v := range 10 {
				s.Emit(t.Context(), v)
			}
			settled(t, s)
			st := statsOf(s)
			emissions, deliveries, all, even := uint64(10), uint64(16), uint64(10), uint64(5)
			counted := name != ""
			if !counted && kind == signals.KindSync {
				emissions, deliveries, all, even = 0, 0, 0, 0
			}
			if st.Counted != counted || st.Kind != kind || st.Emissions != emissions || st.Deliveries != deliveries || len(st.Listeners) != 2 {
				t.Errorf("%s %s: got %+v", kind, name, st)
				continue
			}
			if l := st.Listeners; l[0].Key != "all" || l[0].Deliveries != all || l[1].Key != "even" || l[1].Deliveries != even {
				t.Errorf("%s %s: got %+v", kind, name, l)
			}
			for _, l := range st.Listeners {
				if timed := l.Durations.Count > 0; timed != counted {
					t.Errorf("%s %s: %s was timed: %t", kind, name, l.Key, timed)
				}
			}
		}
	}
}

func TestEmittersOfManyGoroutinesAreAllCounted(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		s.Subscribe(nothing)
		s.AddListener(func(context.Context, int) {})
		const goroutines, each = 8, 500
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for v := range each {
					s.Emit(t.Context(), v)
				}
			})
		}
		wg.Wait()
		settled(t, s)
		const n = goroutines * each
		st := statsOf(s)
		if st.Emissions != n || st.Deliveries != 2*n || st.Listeners[0].Deliveries != n || st.Listeners[1].Deliveries != n {
			t.Errorf("want %d emissions: %+v", n, st)
		}
	}, signals.Counted())
}

func TestOneCallInSixtyFourIsTimed(t *testing.T) {
	for kind, build := range makers {
		for name, opt := range map[string]signals.Option{
			"counted": signals.Counted(),
			"observed": signals.Observe(signals.Observer{
				ListenerBegin: func(ctx context.Context, _ *signals.ListenerInfo) context.Context { return ctx },
			}),
		} {
			synctest.Test(t, func(t *testing.T) {
				s := build(opt)
				sub := s.Subscribe(func(ctx context.Context, v int) error {
					takesItsTime(ctx, time.Millisecond)
					return nil
				})
				const calls = 20 * 64
				for v := range calls {
					s.Emit(t.Context(), v)
				}
				settled(t, s)
				// Each shard, and each stripe of a sync signal's counter, begins with a timed call.
				d := sub.Stats().Durations
				if d.Count < 20 || d.Count > 40 {
					t.Errorf("%s %s: %d of %d calls were timed, want 20", kind, name, d.Count, calls)
				}
				if d.Max != time.Millisecond || d.Sum != time.Duration(d.Count)*time.Millisecond {
					t.Errorf("%s %s: got %v in all, %v at most", kind, name, d.Sum, d.Max)
				}
				if q := d.Quantile(0.5); q != time.Millisecond {
					t.Errorf("%s %s: median %v", kind, name, q)
				}
			})
		}
	}
}

func TestStatsDescribeTheListenersInCallingOrder(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		s.Subscribe(nothing, signals.Key("c"))
		first := place(1)
		s.Subscribe(nothing, signals.Key("a"), signals.Priority(1))
		s.Subscribe(nothing)
		st := statsOf(s)
		if st.Name != "orders" || st.Payload != "int" || len(st.Listeners) != 3 {
			t.Fatalf("got %+v", st)
		}
		for i, key := range []string{"a", "c", ""} {
			if st.Listeners[i].Key != key {
				t.Errorf("listener %d has key %q, want %q", i, st.Listeners[i].Key, key)
			}
		}
		l := st.Listeners[0]
		if l.Priority != 1 || l.Listener != "contract_test.nothing" || l.Site[len(l.Site)-len(first):] != first {
			t.Errorf("got %+v, want site %s", l, first)
		}
	}, signals.Name("orders"))
}

func TestASubscriptionKeepsItsStatsWhenItHasEnded(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		sub := s.Subscribe(refuseAll, signals.Key("a"))
		s.Emit(t.Context(), 1)
		settled(t, s)
		sub.Unsubscribe()
		s.Emit(t.Context(), 1)
		settled(t, s)
		if got := sub.Stats(); got.Deliveries != 1 || got.Failures != 1 || got.Key != "a" || sub.Key() != "a" {
			t.Errorf("got %+v", got)
		}
	}, signals.Counted(), signals.OnFailure(func(context.Context, signals.Failure) {}))
	var none *signals.Subscription
	none.Unsubscribe()
	if err := none.Wait(t.Context()); err != nil || none.Key() != "" || none.Stats() != (signals.ListenerStats{}) {
		t.Errorf("a nil subscription is %q, %+v, %v", none.Key(), none.Stats(), err)
	}
}

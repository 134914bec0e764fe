package promsignals_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"example.com/signals"
	"example.com/signals/promsignals"
)

const delivered = "signals_listener_deliveries_total"

// observable are the ways in which a collector may come to a signal.
var observable = map[string]func() (signals.Signal[int], *promsignals.Collector){
	"sync on a bus": func() (signals.Signal[int], *promsignals.Collector) {
		bus := signals.NewBus(quiet)
		return signals.NewSync[int](signals.Name("s"), signals.OnBus(bus)), promsignals.NewBusCollector(bus)
	},
	"async on a bus": func() (signals.Signal[int], *promsignals.Collector) {
		bus := signals.NewBus(quiet)
		c := promsignals.NewBusCollector(bus)
		return signals.Topic[int](bus, "s"), c
	},
	"sharded": func() (signals.Signal[int], *promsignals.Collector) {
		s := signals.NewSharded[int](2, nil, signals.Name("s"), signals.Counted(), quiet)
		return s, promsignals.NewSignalCollector(s)
	},
	"beside a bus": func() (signals.Signal[int], *promsignals.Collector) {
		s := signals.NewSync[int](signals.Name("s"), signals.Counted(), quiet)
		return s, promsignals.NewBusCollector(signals.NewBus(), promsignals.Also(s))
	},
	"instrumented": func() (signals.Signal[int], *promsignals.Collector) {
		s := promsignals.NewInstrumented(signals.New[int](signals.Name("s"), quiet))
		return s, promsignals.NewSignalCollector(s)
	},
}

// run calls test for each of them.
func run(t *testing.T, test func(t *testing.T, s signals.Signal[int], c *promsignals.Collector)) {
	t.Helper()
	for name, build := range observable {
		t.Run(name, func(t *testing.T) {
			s, c := build()
			test(t, s, c)
		})
	}
}

func settle(t *testing.T, s signals.Signal[int]) {
	t.Helper()
	if d, ok := s.(interface{ Drain(context.Context) error }); ok {
		if err := d.Drain(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// sum returns the sum of a metric over all listeners.
func sum(families []*dto.MetricFamily, name string) (n float64) {
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func TestAKeyThatIsRegisteredAgainAndAgainCountsOn(t *testing.T) {
	run(t, func(t *testing.T, s signals.Signal[int], c *promsignals.Collector) {
		for round := range 73 {
			s.Subscribe(succeeds, signals.Key("k"))
			for i := range 10 {
				s.Emit(ctx, i)
			}
			settle(t, s)
			if round%3 == 0 {
				want(t, gather(t, c), float64(10*round+10), delivered, "listener", "k")
			}
			s.RemoveListener("k")
			if round%5 == 0 {
				want(t, gather(t, c), float64(10*round+10), delivered, "listener", "k")
			}
		}
		got := gather(t, c)
		want(t, got, 730, delivered, "listener", "k")
		want(t, got, 730, "signals_deliveries_total")
		for _, gauge := range []string{"signals_listener_lag", "signals_listener_calls_in_flight"} {
			if labels := values(got, gauge, "listener"); len(labels) > 0 {
				t.Errorf("%s has %q, which are gone", gauge, labels)
			}
		}
	})
}

func TestConnectionsThatComeAndGoBetweenScrapesAreCounted(t *testing.T) {
	run(t, func(t *testing.T, s signals.Signal[int], c *promsignals.Collector) {
		last := make(map[string]float64)
		for round := range 20 {
			for i := range 30 {
				s.Subscribe(fails, signals.Key(fmt.Sprintf("conn-%d-%d", round, i)))
			}
			for i := range 10 {
				s.Emit(ctx, i)
			}
			settle(t, s)
			s.(interface{ Reset() }).Reset()
			got := gather(t, c)
			if n := sum(got, delivered); n != float64(300*(round+1)) {
				t.Fatalf("round %d: %v calls, want %d", round, n, 300*(round+1))
			}
			for name, v := range totals(got) {
				if v < last[name] {
					t.Errorf("%s went from %v back to %v", name, last[name], v)
				}
				last[name] = v
			}
		}
		got := gather(t, c)
		if n := sum(got, "signals_listener_failures_total"); n != 6000 {
			t.Errorf("%v failures, want 6000", n)
		}
		if n := value(got, delivered, "listener", promsignals.Other); n != 5800 {
			t.Errorf("%v calls are in the sum, want those of all but 20", n)
		}
	})
}

// Those that scrapes see lose their series to others, and no call with them.
func TestWhatNoScrapeShowedOfALostSeriesIsInTheSum(t *testing.T) {
	s := signals.NewSync[int](signals.Name("s"), signals.Counted(), quiet)
	c := promsignals.NewSignalCollector(s, promsignals.MaxListeners(1))
	s.Subscribe(succeeds, signals.Key("a"))
	s.Emit(ctx, 1)
	want(t, gather(t, c), 1, delivered, "listener", "a")
	s.Emit(ctx, 1)
	s.Emit(ctx, 1)
	s.RemoveListener("a")
	s.Subscribe(succeeds, signals.Key("b"))
	s.Emit(ctx, 1)
	got := gather(t, c)
	want(t, got, 1, delivered, "listener", "b")
	want(t, got, 2, delivered, "listener", promsignals.Other)
	want(t, got, 4, "signals_deliveries_total")
}

func TestCallsInFlightAtRemovalAreCounted(t *testing.T) {
	bus := signals.NewBus(quiet)
	jobs := signals.Topic[int](bus, "jobs")
	c := promsignals.NewBusCollector(bus)
	entered, leave := make(chan bool), make(chan bool)
	jobs.Subscribe(func(context.Context, int) error {
		entered <- true
		<-leave
		return errDown
	}, signals.Key("k"))
	for i := range 3 {
		jobs.Emit(ctx, i)
	}
	<-entered
	gather(t, c)
	jobs.RemoveListener("k")
	got := gather(t, c)
	want(t, got, 0, "signals_listener_failures_total", "listener", "k")
	want(t, got, 2, "signals_listener_drops_total", "listener", "k")
	close(leave)
	if err := bus.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got = gather(t, c)
		want(t, got, 1, "signals_listener_failures_total", "listener", "k")
		want(t, got, 1, delivered, "listener", "k")
	}
}

// Once removes a listener before its call, and an emission of a sync signal goes on
// to call those that are removed meanwhile.
func TestCallsAfterRemovalAreCounted(t *testing.T) {
	run(t, func(t *testing.T, s signals.Signal[int], c *promsignals.Collector) {
		for range 6000 {
			s.Subscribe(succeeds, signals.Once())
		}
		s.Emit(ctx, 1)
		settle(t, s)
		got := gather(t, c)
		if n := sum(got, delivered); n != 6000 {
			t.Errorf("%v calls of Once listeners, want 6000", n)
		}
	})
	s := signals.NewSync[int](signals.Name("s"), signals.Counted(), quiet)
	c := promsignals.NewSignalCollector(s)
	s.Subscribe(func(context.Context, int) error {
		s.Reset()
		gather(t, c)
		return nil
	}, signals.Key("a"))
	s.Subscribe(fails, signals.Key("b"))
	s.Emit(ctx, 1)
	for range 2 {
		got := gather(t, c)
		want(t, got, 1, delivered, "listener", "a")
		want(t, got, 1, delivered, "listener", "b")
	}
}

func TestLabelsGoOnInASignalThatTakesTheName(t *testing.T) {
	bus := signals.NewBus(quiet)
	c := promsignals.NewBusCollector(bus)
	for round := range 3 {
		s := signals.Topic[int](bus, "s")
		s.Subscribe(succeeds, signals.Key("k"))
		s.Subscribe(succeeds, signals.Key("gone"))
		s.Emit(ctx, 1)
		settle(t, s)
		s.RemoveListener("gone")
		got := gather(t, c)
		want(t, got, float64(round+1), delivered, "listener", "k")
		want(t, got, float64(round+1), delivered, "listener", "gone")
		if err := s.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	want(t, gather(t, c), math.NaN(), delivered)
}

// stranger does not say who is removed.
type stranger struct{ s *signals.SyncSignal[int] }

func (f stranger) Stats() signals.SignalStats { return f.s.Stats() }

func TestAForeignSignalShowsWhatScrapesSaw(t *testing.T) {
	s := signals.NewSync[int](signals.Name("s"), signals.Counted(), quiet)
	c := promsignals.NewSignalCollector(stranger{s})
	for round := range 4 {
		s.Subscribe(succeeds, signals.Key("k"))
		s.Emit(ctx, 1)
		want(t, gather(t, c), float64(2*round+1), delivered, "listener", "k")
		s.Emit(ctx, 1)
		s.RemoveListener("k")
	}
	want(t, gather(t, c), 8, delivered, "listener", "k")
}

func TestCountersNeverGoBackWhileListenersComeAndGo(t *testing.T) {
	run(t, func(t *testing.T, s signals.Signal[int], c *promsignals.Collector) {
		stop := make(chan bool)
		var work, scrapes sync.WaitGroup
		for k := range 3 {
			work.Go(func() {
				for n := range 500 {
					key := fmt.Sprintf("%d-%d", k, n%4)
					s.Subscribe(fails, signals.Key(key))
					s.Subscribe(succeeds, signals.Once())
					s.Emit(ctx, n)
					s.RemoveListener(key)
					if n%16 == 0 {
						settle(t, s)
					}
				}
			})
		}
		for range 2 {
			scrapes.Go(func() {
				last := make(map[string]float64)
				for {
					for name, v := range totals(gather(t, c)) {
						if v < last[name] {
							t.Errorf("%s went from %v back to %v", name, last[name], v)
						}
						last[name] = v
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		work.Wait()
		close(stop)
		scrapes.Wait()
		settle(t, s)
		for range 2 {
			got := gather(t, c)
			for listener, signal := range map[string]string{
				delivered:                         "signals_deliveries_total",
				"signals_listener_failures_total": "signals_failures_total",
			} {
				if l, s := sum(got, listener), value(got, signal); l != s {
					t.Errorf("listeners have %v of %s, the signal has %v", l, strings.TrimPrefix(signal, "signals_"), s)
				}
			}
		}
	})
}

package promsignals_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/signals"
	"example.com/signals/promsignals"
)

var sink int

func adds(_ context.Context, n int) error {
	sink += n
	return nil
}

// What an Emit on a bus costs: without a collector, with one, with one that is
// scraped every 10 ms, and instrumented.
func BenchmarkEmit(b *testing.B) {
	kinds := map[string]func(*signals.Bus) promsignals.Counting[int]{
		"sync": func(bus *signals.Bus) promsignals.Counting[int] {
			return signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		},
		"async": func(bus *signals.Bus) promsignals.Counting[int] {
			return signals.Topic[int](bus, "s", signals.Capacity(1024, signals.Block))
		},
	}
	for _, kind := range []string{"sync", "async"} {
		setup := func() (*signals.Bus, promsignals.Counting[int]) {
			bus := signals.NewBus()
			s := kinds[kind](bus)
			s.Subscribe(adds, signals.Key("adds"))
			return bus, s
		}
		emit := func(b *testing.B, bus *signals.Bus, s signals.Signal[int]) {
			b.ReportAllocs()
			for b.Loop() {
				s.Emit(ctx, 1)
			}
			if err := bus.Drain(ctx); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(kind+"/without", func(b *testing.B) {
			bus, s := setup()
			emit(b, bus, s)
		})
		b.Run(kind+"/collector", func(b *testing.B) {
			bus, s := setup()
			gather(b, promsignals.NewBusCollector(bus))
			emit(b, bus, s)
		})
		b.Run(kind+"/scraped", func(b *testing.B) {
			bus, s := setup()
			defer scrapeEvery(b, 10*time.Millisecond, promsignals.NewBusCollector(bus))()
			emit(b, bus, s)
		})
		b.Run(kind+"/instrumented", func(b *testing.B) {
			bus, s := setup()
			emit(b, bus, promsignals.NewInstrumented(s))
		})
	}
}

// scrapeEvery scrapes until stop is called.
func scrapeEvery(b *testing.B, d time.Duration, c prometheus.Collector) (stop func()) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	ended, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				if _, err := reg.Gather(); err != nil {
					b.Error(err)
				}
			}
		}
	}()
	return func() {
		close(ended)
		<-done
	}
}

// What it costs to add and remove a listener, without a collector and with one.
func BenchmarkComeAndGo(b *testing.B) {
	for _, kind := range []string{"without", "collector"} {
		b.Run(kind, func(b *testing.B) {
			bus := signals.NewBus()
			if kind == "collector" {
				c := promsignals.NewBusCollector(bus)
				defer runtime.KeepAlive(c)
			}
			s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
			b.ReportAllocs()
			for b.Loop() {
				s.Subscribe(adds, signals.Key("k")).Unsubscribe()
			}
		})
	}
}

// What a scrape costs.
func BenchmarkScrape(b *testing.B) {
	for _, size := range []struct{ signals, listeners int }{{10, 10}, {1000, 10}, {10, 1000}} {
		b.Run(fmt.Sprintf("signals=%d/listeners=%d", size.signals, size.listeners), func(b *testing.B) {
			bus := signals.NewBus()
			for i := range size.signals {
				s := signals.Topic[int](bus, fmt.Sprint("s", i))
				for range size.listeners {
					s.Subscribe(adds, signals.Key(fmt.Sprint("k", s.Len())))
				}
			}
			reg := prometheus.NewRegistry()
			reg.MustRegister(promsignals.NewBusCollector(bus))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reg.Gather(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package promsignals_test

import (
	"context"
	"fmt"
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

// What an Emit on a sync signal of a bus costs: without a collector, with one,
// with one that is scraped every 10 ms, and instrumented.
func BenchmarkEmit(b *testing.B) {
	emit := func(b *testing.B, s signals.Signal[int]) {
		s.Subscribe(adds, signals.Key("adds"))
		b.ReportAllocs()
		for b.Loop() {
			s.Emit(ctx, 1)
		}
	}
	b.Run("without", func(b *testing.B) {
		emit(b, signals.NewSync[int](signals.Name("s"), signals.OnBus(signals.NewBus())))
	})
	b.Run("collector", func(b *testing.B) {
		bus := signals.NewBus()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		gather(b, promsignals.NewBusCollector(bus))
		emit(b, s)
	})
	b.Run("scraped", func(b *testing.B) {
		bus := signals.NewBus()
		s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
		reg := prometheus.NewRegistry()
		reg.MustRegister(promsignals.NewBusCollector(bus))
		stop, done := make(chan bool), make(chan bool)
		go func() {
			defer close(done)
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-stop:
					tick.Stop()
					return
				case <-tick.C:
					if _, err := reg.Gather(); err != nil {
						b.Error(err)
					}
				}
			}
		}()
		emit(b, s)
		close(stop)
		<-done
	})
	b.Run("instrumented", func(b *testing.B) {
		emit(b, promsignals.NewInstrumented(signals.NewSync[int](signals.Name("s"), signals.OnBus(signals.NewBus()))))
	})
	b.Run("uncounted", func(b *testing.B) {
		emit(b, signals.NewSync[int](signals.Name("s")))
	})
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

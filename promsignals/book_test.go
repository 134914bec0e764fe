package promsignals

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/signals"
)

func nothing(context.Context, int) error { return nil }

// Of a program that nobody scrapes little is kept, and what is counted is counted.
func TestWhatIsKeptBetweenScrapesIsBounded(t *testing.T) {
	const rounds = 10 * maxOpen
	bus := signals.NewBus()
	c := NewBusCollector(bus)
	s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
	s.Subscribe(nothing, signals.Key("stays"))
	c.collect()
	for i := range rounds {
		s.Subscribe(nothing, signals.Key(fmt.Sprint(i)))
		s.Emit(context.Background(), i)
		s.RemoveListener(fmt.Sprint(i))
	}
	s.RemoveListener("stays")
	book := &c.sources[0].book
	book.mu.Lock() // listeners that are final tell it, on goroutines of the collector of garbage
	defer book.mu.Unlock()
	p := book.by[s.Stats().Info()]
	if len(p.gone) > maxGone+2 || len(p.open) > maxOpen+2 || len(p.left) > 1 {
		t.Errorf("%d labels, %d open, %d left", len(p.gone), len(p.open), len(p.left))
	}
	if p.gone["stays"] == nil || p.gone["stays"].Deliveries != rounds {
		t.Errorf("what has a series is %+v", p.gone["stays"])
	}
	var all uint64
	for _, l := range p.gone {
		all += l.Deliveries
	}
	if all != 2*rounds {
		t.Errorf("%d deliveries, want %d", all, 2*rounds)
	}
}

// An emission under way goes on to call those that have been removed, however many
// and however long after.
func TestCallsLongAfterTheRemovalAreCounted(t *testing.T) {
	const n = 3 * maxOpen
	s := signals.NewSync[int](signals.Name("s"), signals.Counted())
	c := NewSignalCollector(s)
	s.Subscribe(func(context.Context, int) error {
		s.Reset()
		return nil
	}, signals.Key("first"))
	for range n {
		s.Subscribe(nothing)
	}
	s.Emit(context.Background(), 1)
	counted := func() (all uint64) {
		c.collect()
		for _, sr := range c.series {
			for _, t := range sr.own {
				all += t.shown.Deliveries
			}
		}
		return all
	}
	deadline := time.Now().Add(20 * time.Second)
	for counted() < n+1 && time.Now().Before(deadline) {
		runtime.GC()
	}
	if got := counted(); got != n+1 {
		t.Errorf("%d calls, want %d", got, n+1)
	}
}

// A signal that leaves its bus takes along what the book has of it.
func TestTheBookForgetsSignalsThatHaveLeft(t *testing.T) {
	bus := signals.NewBus()
	c := NewBusCollector(bus)
	for i := range 10 {
		s := signals.NewSync[int](signals.Name(fmt.Sprint(i)), signals.OnBus(bus))
		s.Subscribe(nothing).Unsubscribe()
		c.collect()
		bus.Remove(fmt.Sprint(i))
	}
	c.collect()
	if b := &c.sources[0].book; len(b.by) != 0 || len(c.series) != 0 {
		t.Errorf("the book has %d signals, the collector %d", len(b.by), len(c.series))
	}
}

func TestACollectorThatIsNotUsedAnyMoreIsLetGo(t *testing.T) {
	bus := signals.NewBus()
	s := signals.New[int](signals.Name("s"))
	books := func() (all []weak.Pointer[source]) {
		reg := prometheus.NewRegistry()
		c := NewBusCollector(bus, Also(s))
		reg.MustRegister(c)
		for _, src := range c.sources {
			all = append(all, weak.Make(src))
		}
		reg.Unregister(c)
		return all
	}()
	deadline := time.Now().Add(20 * time.Second)
	for _, b := range books {
		for b.Value() != nil && time.Now().Before(deadline) {
			runtime.GC()
		}
		if b.Value() != nil {
			t.Error("the bus or the signal still holds it")
		}
	}
	runtime.KeepAlive(bus)
	runtime.KeepAlive(s)
}

// Who removes a listener need not wait for a scrape.
func TestRemovalsDoNotWaitForAScrape(t *testing.T) {
	bus := signals.NewBus()
	c := NewBusCollector(bus)
	s := signals.Topic[int](bus, "s")
	src := c.sources[0]
	read := src.read
	src.read = func() []signals.SignalStats {
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { s.Subscribe(nothing).Unsubscribe() })
		}
		wg.Wait()
		return read()
	}
	c.collect()
}

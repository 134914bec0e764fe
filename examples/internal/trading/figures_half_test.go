package trading

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"example.com/signals/examples/internal/trading/itch"
)

// half is what is measured at half the full rate, in microseconds, p50 and p99.9:
// what the engine takes to the book and to an order, to the book if its shards are
// behind channels, and how late the machine alone makes goroutines that do nothing
// else than to look at the clock (p99.9).
type half struct {
	rate                  float64
	book, order, channels [2]float64
	clock, clocks         float64
}

// halves is how often each of them is measured, by turns; the median counts.
const halves = 5

var halfRates = func() func(t *testing.T) *half {
	var m *half
	return func(t *testing.T) *half {
		if m != nil {
			return m
		}
		m = &half{rate: ofTurns(t, func(o took) float64 { return 5e6 / o.engine.Seconds() }) / 2}
		var book, order, channels [2][]float64
		var clock, clocks []float64
		note := func(to *[2][]float64, l Latency) {
			to[0] = append(to[0], micro(l.At(50)))
			to[1] = append(to[1], micro(l.At(99.9)))
		}
		for range halves {
			e := halfFed(t, m.rate)
			note(&book, e.ToBook())
			note(&order, e.ToOrder())
			note(&channels, overChannels(t, m.rate))
			clock = append(clock, micro(looking(1, m.rate)))
			clocks = append(clocks, micro(looking(runtime.GOMAXPROCS(0), m.rate)))
		}
		for _, one := range []struct {
			to   *[2]float64
			from [2][]float64
		}{{&m.book, book}, {&m.order, order}, {&m.channels, channels}} {
			*one.to = [2]float64{median(one.from[0]), median(one.from[1])}
		}
		m.clock, m.clocks = median(clock), median(clocks)
		return m
	}
}()

func micro(d time.Duration) float64 { return float64(d) / 1e3 }

// halfFed is an engine that the day has been fed to at a rate.
func halfFed(t *testing.T, rate float64) *Engine {
	runtime.GC()
	e := New(Config{})
	StartImbalance(e)
	feed(t, e, theDay(t), Pace{Rate: rate})
	return e
}

// overChannels is the time to the book with a channel and a goroutine for each
// shard in place of market.data, and without a strategy, whose orders go that way.
func overChannels(t *testing.T, rate float64) Latency {
	runtime.GC()
	day := theDay(t)
	e := New(Config{})
	ctx := context.Background()
	shards := make([]chan Input, len(e.Market.shards))
	var books sync.WaitGroup
	for n := range shards {
		shards[n] = make(chan Input, backlog)
		books.Go(func() {
			for in := range shards[n] {
				_ = e.Market.OnInput(ctx, in)
			}
		})
	}
	r := itch.NewReader(bytes.NewReader(day), false)
	pace := Pace{Rate: rate}
	var in Input
	began := e.Now()
	for n := int64(0); ; n++ {
		if err := r.Next(&in.Message); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		in.Due = began + int64(pace.due(n, 0, 0)) + 1
		e.await(ctx, in.Due)
		shards[int(in.Message.Locate())%len(shards)] <- in
	}
	for _, c := range shards {
		close(c)
	}
	books.Wait()
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return e.ToBook()
}

// looking is the p99.9 of how late goroutines are that do nothing but to wait for
// the times at which messages would be due: nothing on this machine is sooner. As
// many as there are processors leave it none for anything else.
func looking(goroutines int, rate float64) time.Duration {
	all := NewRecorder()
	var done sync.WaitGroup
	for range goroutines {
		done.Go(func() {
			e := &Engine{began: time.Now()}
			l := NewLatency()
			for n := range int64(5_000_000) {
				due := int64((&Pace{Rate: rate}).due(n, 0, 0)) + 1
				e.await(context.Background(), due)
				l.Record(e.Now() - due)
			}
			all.mu.Lock()
			defer all.mu.Unlock()
			all.all.Add(l)
		})
	}
	done.Wait()
	return all.Latency().At(99.9)
}

func halfRate(of func(*half) float64) func(*testing.T) (float64, string, string) {
	return func(t *testing.T) (float64, string, string) {
		m := halfRates(t)
		return of(m), "", fmt.Sprintf("%.2f million a second", m.rate/1e6)
	}
}

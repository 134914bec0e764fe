package contract_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/signals"
)

func asyncWith[T any](n int, fn func(context.Context, T), opts ...signals.Option) *signals.AsyncSignal[T] {
	s := signals.New[T](opts...)
	for range n {
		s.AddListener(fn)
	}
	return s
}

// event is what a channel in place of a signal would carry.
type event struct {
	ctx     context.Context
	payload tick
}

// roundSize is how many emissions there are between two emptyings.
const roundSize = 8 * 1024

// rounds cuts a load into rounds.
func rounds(n, size int, do func(n int) time.Duration) (took time.Duration) {
	for ; n > 0; n -= size {
		took += do(min(n, size))
	}
	return took
}

// emptied waits until a signal is empty.
func emptied(s interface{ Drain(context.Context) error }) {
	if err := s.Drain(bg); err != nil {
		panic(err)
	}
}

// BenchmarkAsyncSignalEmit: what Emit costs its caller, while that many
// listeners are held in a call and do not compete for the processors; against
// a send on a buffered channel for each listener, which nobody receives from
// meanwhile.
func BenchmarkAsyncSignalEmit(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		bench(b, listeners(n), asyncHeld(n, 1))
		bench(b, listeners(n)+"/channel_each", channelsHeld(n))
	}
}

// asyncHeld: Emit by that many goroutines while all listeners are held.
func asyncHeld(listeners, emitters int, opts ...signals.Option) load {
	var inside sync.WaitGroup
	var held atomic.Bool
	gate := make(chan struct{})
	s := asyncWith(listeners, func(context.Context, tick) {
		if held.Load() {
			inside.Done()
			<-gate
		}
	}, opts...)
	emit := parallel(emitters, timed(func(n int) {
		for range n {
			s.Emit(bg, aTick)
		}
	}))
	if emitters == 1 {
		emit = timed(func(n int) {
			for range n {
				s.Emit(bg, aTick)
			}
		})
	}
	return func(n int) time.Duration {
		return rounds(n, roundSize*emitters, func(n int) time.Duration {
			held.Store(true)
			inside.Add(listeners)
			s.Emit(bg, aTick)
			inside.Wait()
			held.Store(false) // for the calls that follow
			took := emit(n)
			for range listeners {
				gate <- struct{}{}
			}
			emptied(s)
			return took
		})
	}
}

// guardedLog: that many goroutines append to a slice under a mutex, which is the
// least that an ordered log with several emitters can do.
func guardedLog(emitters int) load {
	var mu sync.Mutex
	type entry struct {
		ctx     context.Context
		payload tick
	}
	log := make([]entry, 0, roundSize*emitters)
	push := parallel(emitters, timed(func(n int) {
		for range n {
			mu.Lock()
			log = append(log, entry{bg, aTick})
			mu.Unlock()
		}
	}))
	return func(n int) time.Duration {
		return rounds(n, roundSize*emitters, func(n int) time.Duration {
			log = log[:0]
			return push(n)
		})
	}
}

func channelsHeld(listeners int) load {
	channels := make([]chan event, listeners)
	for i := range channels {
		channels[i] = make(chan event, roundSize)
	}
	return func(n int) time.Duration {
		return rounds(n, roundSize, func(n int) time.Duration {
			begun := time.Now()
			for range n {
				for _, c := range channels {
					c <- event{bg, aTick}
				}
			}
			took := time.Since(begun)
			for _, c := range channels {
				for len(c) > 0 {
					<-c
				}
			}
			return took
		})
	}
}

// BenchmarkAsyncEmitKeptUp: what Emit costs with one listener that keeps up,
// against a send to a goroutine that keeps up.
func BenchmarkAsyncEmitKeptUp(b *testing.B) {
	bench(b, "1_listener", asyncKeptUp())
	bench(b, "1_listener/channel", channelKeptUp())
}

// burst is what fits into the channel's buffer, so that a send never waits.
const burst = 1024

func asyncKeptUp() load {
	s := asyncWith(1, ignoreTick)
	return func(n int) time.Duration {
		return rounds(n, burst, func(n int) time.Duration {
			begun := time.Now()
			for range n {
				s.Emit(bg, aTick)
			}
			took := time.Since(begun)
			emptied(s)
			return took
		})
	}
}

func channelKeptUp() load {
	return func(n int) time.Duration {
		c, seen, done := make(chan event, burst+1), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for e := range c {
				if e.ctx == nil {
					seen <- struct{}{}
					continue
				}
				ignoreTick(e.ctx, e.payload)
			}
		}()
		defer func() { close(c); <-done }()
		return rounds(n, burst, func(n int) time.Duration {
			begun := time.Now()
			for range n {
				c <- event{bg, aTick}
			}
			took := time.Since(begun)
			c <- event{}
			<-seen
			return took
		})
	}
}

// BenchmarkAsyncEndToEnd: from the first Emit until every listener has run,
// per emission; against a buffered channel with a goroutine (1 listener), and
// against one goroutine that calls the listeners in a loop (more).
func BenchmarkAsyncEndToEnd(b *testing.B) {
	bench(b, "1_listener", asyncEndToEnd(1))
	bench(b, "1_listener/channel", channelEndToEnd())
	for _, n := range []int{10, 100, 1000} {
		bench(b, listeners(n), asyncEndToEnd(n))
		bench(b, listeners(n)+"/bare_loop", bareTotals(n))
	}
	bench(b, "100_listeners/MaxWorkers_2", asyncEndToEnd(100, signals.MaxWorkers(2)))
	bench(b, "100_listeners/counted", asyncEndToEnd(100, signals.Counted()))
}

// asyncEndToEnd empties the signal every few rounds, which is part of what is
// measured.
func asyncEndToEnd(listeners int, opts ...signals.Option) load {
	s := signals.New[tick](opts...)
	for _, fn := range totals(listeners) {
		s.AddListener(fn)
	}
	return func(n int) time.Duration {
		return rounds(n, 2*roundSize, timed(func(n int) {
			for range n {
				s.Emit(bg, aTick)
			}
			emptied(s)
		}))
	}
}

// totals returns listeners that keep a total each.
func totals(n int) []func(context.Context, tick) {
	fns := make([]func(context.Context, tick), n)
	for i := range fns {
		total := new(struct {
			size uint64
			_    [56]byte // to a cache line of its own
		})
		fns[i] = func(_ context.Context, t tick) { total.size += t.size }
	}
	return fns
}

func bareTotals(listeners int) load {
	fns := totals(listeners)
	return timed(func(n int) {
		for range n {
			for _, fn := range fns {
				fn(bg, aTick)
			}
		}
	})
}

func channelEndToEnd() load {
	total := totals(1)
	return timed(func(n int) {
		c, done := make(chan event, 1024), make(chan struct{})
		go func() {
			defer close(done)
			for e := range c {
				total[0](e.ctx, e.payload)
			}
		}()
		for range n {
			c <- event{bg, aTick}
		}
		close(c)
		<-done
	})
}

// BenchmarkAsyncParallel: emitters on all processors, against one, while the
// listener is held; per emission.
func BenchmarkAsyncParallel(b *testing.B) {
	bench(b, "1_emitter", asyncHeld(1, 1))
	bench(b, "all_emitters", asyncHeld(1, runtime.GOMAXPROCS(0)))
}

// BenchmarkFanOut: one emission to 100 idle listeners until all have run,
// against a goroutine for each.
func BenchmarkFanOut(b *testing.B) {
	bench(b, "100_idle_listeners", fanOut(100))
	bench(b, "100_goroutines", goroutineEach(100))
}

func fanOut(listeners int) load {
	var ran sync.WaitGroup
	s := asyncWith(listeners, func(context.Context, tick) { ran.Done() })
	return timed(func(n int) {
		for range n {
			ran.Add(listeners)
			s.Emit(bg, aTick)
			ran.Wait()
		}
	})
}

func goroutineEach(listeners int) load {
	var ran sync.WaitGroup
	fns := repeat(listeners, func(context.Context, tick) { ran.Done() })
	return timed(func(n int) {
		for range n {
			ran.Add(listeners)
			for _, fn := range fns {
				go fn(bg, aTick)
			}
			ran.Wait()
		}
	})
}

// BenchmarkOptions: end to end with options that change how emissions are
// claimed, per emission; against the signal without them.
func BenchmarkOptions(b *testing.B) {
	bench(b, "10_listeners/none", asyncEndToEnd(10))
	bench(b, "10_listeners/MaxWorkers_1", asyncEndToEnd(10, signals.MaxWorkers(1)))
	bench(b, "10_listeners/Capacity_1024", asyncEndToEnd(10, signals.Capacity(1024, signals.Block)))
	bench(b, "10_listeners/SlowAfter", asyncEndToEnd(10, signals.SlowAfter(time.Second)))
	for _, shards := range []int{1, 4} {
		s := signals.NewSharded[tick](shards, nil)
		for _, fn := range totalsOnShards(10) {
			s.AddListener(fn)
		}
		bench(b, fmt.Sprintf("10_listeners/%d_shards", shards), timed(func(n int) {
			for range n {
				s.Emit(bg, aTick)
			}
			emptied(s)
		}))
	}
}

// totalsOnShards returns listeners that may run on several shards at once.
func totalsOnShards(n int) []func(context.Context, tick) {
	fns := make([]func(context.Context, tick), n)
	for i := range fns {
		var total atomic.Uint64
		fns[i] = func(_ context.Context, t tick) { total.Add(t.size) }
	}
	return fns
}

// BenchmarkAsyncPayload: what it costs to hand over something large, by value
// and by pointer, to ten listeners, end to end.
func BenchmarkAsyncPayload(b *testing.B) {
	type large [1024]byte
	bench(b, "1KB_value", emitsAndDrains(asyncWith(10, ignore[large]), large{}))
	bench(b, "1KB_value/bare_loop", bareLoop(10, ignore[large], large{}))
	bench(b, "1KB_pointer", emitsAndDrains(asyncWith(10, ignore[*large]), &large{}))
	bench(b, "1KB_pointer/bare_loop", bareLoop(10, ignore[*large], &large{}))
}

func emitsAndDrains[T any](s *signals.AsyncSignal[T], payload T) load {
	return func(n int) time.Duration {
		return rounds(n, 2*roundSize, timed(func(n int) {
			for range n {
				s.Emit(bg, payload)
			}
			emptied(s)
		}))
	}
}

// BenchmarkAsyncContext: an emission whose context can be cancelled, against
// one whose context cannot.
func BenchmarkAsyncContext(b *testing.B) {
	for name, ctx := range map[string]context.Context{"cancellable": b.Context(), "background": bg} {
		s := asyncWith(1, ignoreTick)
		bench(b, name, func(n int) time.Duration {
			return rounds(n, 2*roundSize, timed(func(n int) {
				for range n {
					s.Emit(ctx, aTick)
				}
				emptied(s)
			}))
		})
	}
}

// BenchmarkSleepers: listeners that sleep for 100 microseconds, one call at a
// time and eight at once; per emission.
func BenchmarkSleepers(b *testing.B) {
	for _, n := range []int{1, 8} {
		s := signals.New[tick]()
		s.Subscribe(func(context.Context, tick) error { time.Sleep(100 * time.Microsecond); return nil }, signals.Concurrency(n))
		bench(b, fmt.Sprintf("Concurrency_%d", n), timed(func(n int) {
			for range n {
				s.Emit(bg, aTick)
			}
			emptied(s)
		}))
	}
}

// BenchmarkSlowAndFast: nine listeners that are quick beside one that takes
// 10 microseconds: until the quick ones are through, per emission; against the
// nine alone.
func BenchmarkSlowAndFast(b *testing.B) {
	for _, slow := range []int{0, 1} {
		s := signals.New[tick]()
		var quick sync.WaitGroup
		for range 9 {
			s.AddListener(func(context.Context, tick) { quick.Done() })
		}
		for range slow {
			s.AddListener(func(context.Context, tick) {
				for begun := time.Now(); time.Since(begun) < 10*time.Microsecond; {
				}
			})
		}
		bench(b, fmt.Sprintf("%d_slow", slow), func(n int) time.Duration {
			defer emptied(s)
			return rounds(n, 64, timed(func(n int) {
				quick.Add(9 * n)
				for range n {
					s.Emit(bg, aTick)
				}
				quick.Wait()
			}))
		})
	}
}

// BenchmarkTenMillion: ten million emissions to ten listeners: how much of the
// time goes to the garbage collector, and what is allocated.
func BenchmarkTenMillion(b *testing.B) {
	if b.N == 1 && testing.Short() {
		b.Skip("takes a second")
	}
	l := asyncEndToEnd(10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		l(10_000_000)
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.NumGC-before.NumGC)/float64(b.N), "GCs/op")
	b.ReportMetric(float64(after.PauseTotalNs-before.PauseTotalNs)/float64(b.N), "GC-pause-ns/op")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N), "B/op")
}

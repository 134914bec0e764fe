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

// A load does something n times and says how long that took, without what
// comes before and after. Each load of a signal has beside it what one would
// write by hand. The benchmarks run loads one after the other; figures_test.go
// runs the two of a pair by turns, and compares.
type load func(n int) time.Duration

// timed is a load of which everything counts.
func timed(do func(n int)) load {
	return func(n int) time.Duration {
		begun := time.Now()
		do(n)
		return time.Since(begun)
	}
}

// bench runs a load as a benchmark.
func bench(b *testing.B, name string, l load) {
	b.Run(name, func(b *testing.B) {
		l(1) // the first time is different
		b.ReportAllocs()
		b.ResetTimer()
		took := l(b.N)
		b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "ns/op")
	})
}

// tick is the payload: 32 bytes with a string.
type tick struct {
	symbol      string
	price, size uint64
}

var (
	aTick = tick{"ACME", 1250, 3}
	bg    = context.Background()
)

// volume keeps the compiler from removing the listeners. Those that may run at
// the same time as others do nothing.
var volume uint64

//go:noinline
func addVolume(_ context.Context, t tick) { volume += t.size }

//go:noinline
func addVolumeErr(_ context.Context, t tick) error { volume += t.size; return nil }

//go:noinline
func ignore[T any](context.Context, T) {}

//go:noinline
func ignoreTick(context.Context, tick) {}

func listeners(n int) string {
	if n == 1 {
		return "1_listener"
	}
	return fmt.Sprintf("%d_listeners", n)
}

// repeat returns n times the same.
func repeat[F any](n int, fn F) []F {
	fns := make([]F, n)
	for i := range fns {
		fns[i] = fn
	}
	return fns
}

func syncWith[T any](n int, fn func(context.Context, T), opts ...signals.Option) *signals.SyncSignal[T] {
	s := signals.NewSync[T](opts...)
	for range n {
		s.AddListener(fn)
	}
	return s
}

func onABus() signals.Option { return signals.OnBus(signals.NewBus()) }

// syncEmit: Emit with that many listeners.
func syncEmit(listeners int, opts ...signals.Option) load {
	return ticks(syncWith(listeners, addVolume, opts...))
}

// ticks and emits are the same; but in a function without type parameters, as
// most callers are, Emit is inlined.
func ticks(s *signals.SyncSignal[tick]) load {
	return timed(func(n int) {
		for range n {
			s.Emit(bg, aTick)
		}
	})
}

func emits[T any](s *signals.SyncSignal[T], payload T) load {
	return timed(func(n int) {
		for range n {
			s.Emit(bg, payload)
		}
	})
}

// bareCall: a call of the function that a slice holds.
func bareCall() load {
	fns := repeat(1, addVolume)
	return timed(func(n int) {
		for range n {
			fns[0](bg, aTick)
		}
	})
}

// bareLoop: calls of that many functions in a slice.
func bareLoop[T any](listeners int, fn func(context.Context, T), payload T) load {
	fns := repeat(listeners, fn)
	return timed(func(n int) {
		for range n {
			for _, fn := range fns {
				fn(bg, payload)
			}
		}
	})
}

// parallel: the same load on that many goroutines, n operations in all.
func parallel(goroutines int, l load) load {
	return timed(func(n int) {
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() { l(n / goroutines) })
		}
		wg.Wait()
	})
}

// BenchmarkSyncSignalEmit: one Emit with that many listeners, against a loop
// over a slice of the same functions.
func BenchmarkSyncSignalEmit(b *testing.B) {
	bench(b, "1_listener/bare_call", bareCall())
	for _, n := range []int{1, 10, 100, 1000} {
		bench(b, listeners(n), syncEmit(n))
		bench(b, listeners(n)+"/bare_loop", bareLoop(n, addVolume, aTick))
	}
}

// BenchmarkSyncSignalEmitCounted: on a bus, where emissions and deliveries are
// counted and durations sampled.
func BenchmarkSyncSignalEmitCounted(b *testing.B) {
	for _, n := range []int{1, 100} {
		bench(b, listeners(n), syncEmit(n, onABus()))
		bench(b, listeners(n)+"/bare_loop", bareLoop(n, addVolume, aTick))
	}
}

// BenchmarkSyncSignalEmitParallel: emitters on all processors, against one;
// per emission.
func BenchmarkSyncSignalEmitParallel(b *testing.B) {
	plain, counted := ticks(syncWith(1, ignoreTick)), ticks(syncWith(1, ignoreTick, onABus()))
	bench(b, "1_emitter", plain)
	bench(b, "all_emitters", parallel(runtime.GOMAXPROCS(0), plain))
	bench(b, "counted/1_emitter", counted)
	bench(b, "counted/all_emitters", parallel(runtime.GOMAXPROCS(0), counted))
}

// BenchmarkTryEmit: keyed listeners that can fail, with a context that cannot
// end and with one that can, against a loop over error functions.
func BenchmarkTryEmit(b *testing.B) {
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	for _, n := range []int{1, 100} {
		bench(b, listeners(n)+"/background", tryEmit(bg, n))
		bench(b, listeners(n)+"/cancellable", tryEmit(ctx, n))
		bench(b, listeners(n)+"/bare_loop", bareErrLoop(n))
	}
}

func tryEmit(ctx context.Context, listeners int) load {
	s := signals.NewSync[tick]()
	for i := range listeners {
		s.AddListenerWithErr(addVolumeErr, fmt.Sprint(i))
	}
	return timed(func(n int) {
		for range n {
			if err := s.TryEmit(ctx, aTick); err != nil {
				panic(err)
			}
		}
	})
}

func bareErrLoop(listeners int) load {
	fns := repeat(listeners, addVolumeErr)
	return timed(func(n int) {
		for range n {
			for _, fn := range fns {
				if err := fn(bg, aTick); err != nil {
					panic(err)
				}
			}
		}
	})
}

// BenchmarkSyncPayload: what it costs to hand over something large, by value
// and by pointer, to ten listeners.
func BenchmarkSyncPayload(b *testing.B) {
	type large [1024]byte
	bench(b, "1KB_value", emits(syncWith(10, ignore[large]), large{}))
	bench(b, "1KB_value/bare_loop", bareLoop(10, ignore[large], large{}))
	bench(b, "1KB_pointer", emits(syncWith(10, ignore[*large]), &large{}))
	bench(b, "1KB_pointer/bare_loop", bareLoop(10, ignore[*large], &large{}))
}

// BenchmarkAddListener: registering that many listeners on one signal while
// it is emitted on, and removing them again; per listener.
func BenchmarkAddListener(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		bench(b, listeners(n), addWhileEmitting(n, false))
	}
	bench(b, "1000_listeners/and_remove", addWhileEmitting(1000, true))
}

// addWhileEmitting takes one operation to be one listener of that many.
func addWhileEmitting(listeners int, remove bool) load {
	return func(n int) (took time.Duration) {
		for left := n; left > 0; left -= listeners {
			s := signals.NewSync[tick]()
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					default:
						s.Emit(bg, aTick)
						runtime.Gosched()
					}
				}
			}()
			subs := make([]*signals.Subscription, 0, listeners)
			begun := time.Now()
			for range listeners {
				subs = append(subs, s.Subscribe(func(context.Context, tick) error { return nil }))
			}
			if remove {
				for _, sub := range subs {
					sub.Unsubscribe()
				}
			}
			took += time.Since(begun)
			close(stop)
			<-stopped
		}
		return took * time.Duration(n) / time.Duration((n+listeners-1)/listeners*listeners)
	}
}

// BenchmarkChurn: one listener comes and goes among that many with each
// emission, against the emissions alone.
func BenchmarkChurn(b *testing.B) {
	for _, n := range []int{10, 1000} {
		s := syncWith(n, addVolume)
		bench(b, listeners(n), timed(func(n int) {
			for range n {
				sub := s.Subscribe(addVolumeErr)
				s.Emit(bg, aTick)
				sub.Unsubscribe()
			}
		}))
		bench(b, listeners(n)+"/none_comes_or_goes", syncEmit(n))
	}
}

// recovered: what one would write by hand for one listener if it must not end
// the program, and its failure must name the payload: a function behind an
// atomic pointer, and a deferred recovery that knows what it was called with.
// What a sync signal takes for one listener is nearly all in here: the deferred
// call is 0.6 of it, and keeping the context and the payload for the failure the
// rest.
func recovered() load {
	var e guarded
	fn := addVolume
	e.fn.Store(&fn)
	return timed(func(n int) {
		for range n {
			e.emit(bg, aTick)
		}
	})
}

type guarded struct {
	fn       atomic.Pointer[func(context.Context, tick)]
	failures []string
}

//go:noinline
func (e *guarded) emit(ctx context.Context, t tick) {
	fn := e.fn.Load()
	if fn == nil || ctx == nil {
		return
	}
	defer func() {
		if ctx != nil {
			e.failed(ctx, t, recover())
		}
	}()
	(*fn)(ctx, t)
	ctx = nil
}

//go:noinline
func (e *guarded) failed(_ context.Context, t tick, v any) {
	if v != nil {
		e.failures = append(e.failures, fmt.Sprint(v, t))
	}
}

// recoveredAndCounted is the same with three counters, as a signal on a bus has.
func recoveredAndCounted() load {
	var e guarded
	fn := addVolume
	e.fn.Store(&fn)
	var emitted, delivered, all atomic.Uint64
	return timed(func(n int) {
		for range n {
			emitted.Add(1)
			e.emit(bg, aTick)
			delivered.Add(1)
			all.Add(1)
		}
	})
}

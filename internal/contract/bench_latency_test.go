package contract_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/signals"
)

// percentile returns the p-th percentile, and sorts d.
func percentile(d []time.Duration, p float64) time.Duration {
	slices.Sort(d)
	return d[min(int(p/100*float64(len(d))), len(d)-1)]
}

// report reports percentiles as a benchmark does.
func report(b *testing.B, d []time.Duration) {
	for _, p := range []float64{50, 99, 99.9} {
		b.ReportMetric(float64(percentile(d, p)), fmt.Sprintf("p%v-ns", p))
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFirstCall: from Emit on an idle signal until the listener runs,
// against a go statement.
func BenchmarkFirstCall(b *testing.B) {
	b.Run("idle_signal", func(b *testing.B) { report(b, idleCalls(b.N)) })
	b.Run("go", func(b *testing.B) { report(b, goCalls(b.N)) })
}

func idleCalls(n int) []time.Duration {
	ran := make(chan time.Time)
	s := asyncWith(1, func(context.Context, tick) { ran <- time.Now() })
	return delays(n, ran, func() { s.Emit(bg, aTick) }, func() {
		for s.Stats().Workers > 0 { // it is idle again when its worker has ended
			runtime.Gosched()
		}
	})
}

func goCalls(n int) []time.Duration {
	ran := make(chan time.Time)
	return delays(n, ran, func() { go func() { ran <- time.Now() }() }, func() {})
}

func delays(n int, ran chan time.Time, start, settle func()) []time.Duration {
	d := make([]time.Duration, n)
	for i := range d {
		begun := time.Now()
		start()
		d[i] = (<-ran).Sub(begun)
		settle()
	}
	return d
}

// firstCall compares percentiles, by turns.
func firstCall(p float64) measured {
	var ratios, idle, gos []time.Duration
	for range samples {
		i, g := percentile(idleCalls(20000), p), percentile(goCalls(20000), p)
		idle, gos = append(idle, i), append(gos, g)
		ratios = append(ratios, i*1000/g)
	}
	return measured{float64(percentile(ratios, 50)) / 1000, percentile(gos, 50).String(), percentile(idle, 50).String()}
}

// Benchmark1000Concurrent: a thousand goroutines that are released together
// emit once each, with one listener; and one emits to a thousand listeners. The
// signal is emptied between rounds. Percentiles of what Emit takes.
func Benchmark1000Concurrent(b *testing.B) {
	for _, kind := range []string{"sync", "async"} {
		for _, c := range []struct{ emitters, listeners int }{{1000, 1}, {1, 1000}} {
			b.Run(fmt.Sprintf("%s/%d_emitters/%s", kind, c.emitters, listeners(c.listeners)), func(b *testing.B) {
				emit, empty := signalOf(kind, c.listeners)
				var all []time.Duration
				for range b.N {
					all = append(all, released(c.emitters, emit)...)
					empty()
				}
				report(b, all)
			})
		}
	}
}

func signalOf(kind string, listeners int) (emit, empty func()) {
	if kind == "sync" {
		s := syncWith(listeners, ignoreTick)
		return func() { s.Emit(bg, aTick) }, func() {}
	}
	s := asyncWith(listeners, ignoreTick)
	return func() { s.Emit(bg, aTick) }, func() { emptied(s) }
}

// released lets that many goroutines call emit once each, all at once.
func released(emitters int, emit func()) []time.Duration {
	took := make([]time.Duration, emitters)
	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(emitters)
	for i := range emitters {
		done.Go(func() {
			ready.Done()
			<-gate
			begun := time.Now()
			emit()
			took[i] = time.Since(begun)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
	return took
}

// concurrent: 200 rounds, drained between; the median of five such, and the
// least that the heap grew by from one to the next: a leak would show in all,
// the descriptors of goroutines that the runtime keeps only in some.
func concurrent(kind string, emitters, listeners int) measured {
	emit, empty := signalOf(kind, listeners)
	var worst [samples]time.Duration
	var heaps [samples]int64
	all := make([]time.Duration, 0, 200*emitters) // made once, so that it does not count
	for i := range worst {
		all = all[:0]
		for range 200 {
			all = append(all, released(emitters, emit)...)
			empty()
		}
		worst[i] = percentile(all, 99.9)
		heaps[i] = heapAfterGC()
	}
	grown := heaps[1] - heaps[0]
	for i := 2; i < samples; i++ {
		grown = min(grown, heaps[i]-heaps[i-1])
	}
	runtime.KeepAlive(all)
	return measured{float64(percentile(worst[:], 50)) / 1000, "", fmt.Sprintf("heap grew by %d bytes", max(grown, 0))}
}

func heapAfterGC() int64 {
	runtime.GC()
	runtime.GC() // the pools need two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// othersDelay: of 100 listeners ten block at each emission; how long after
// Emit the others run.
func othersDelay() measured {
	var medians []time.Duration
	for range samples {
		medians = append(medians, percentile(blockedDelays(200), 50))
	}
	return measured{float64(percentile(medians, 50)) / 1000, "", ""}
}

// BenchmarkTenOfHundredBlock: how long after Emit the other 90 run.
func BenchmarkTenOfHundredBlock(b *testing.B) { report(b, blockedDelays(b.N)) }

func blockedDelays(n int) []time.Duration {
	var (
		s       = signals.New[time.Time]()
		mu      sync.Mutex
		all     []time.Duration
		ran     sync.WaitGroup
		release chan struct{}
	)
	for i := range 100 {
		s.AddListener(func(_ context.Context, begun time.Time) {
			if i%10 == 5 {
				<-release
				return
			}
			took := time.Since(begun)
			mu.Lock()
			all = append(all, took)
			mu.Unlock()
			ran.Done()
		})
	}
	for range n {
		release = make(chan struct{})
		ran.Add(90)
		s.Emit(bg, time.Now())
		ran.Wait()
		close(release)
		emptied(s)
	}
	return all
}

// idleMemory: what one signal with ten listeners takes, of a thousand.
func idleMemory(emitted bool) measured {
	const n = 1000
	kept := make([]*signals.AsyncSignal[tick], n)
	before := heapAfterGC()
	for i := range kept {
		kept[i] = asyncWith(10, ignoreTick)
		if emitted {
			kept[i].Emit(bg, aTick)
			emptied(kept[i])
		}
	}
	grown := heapAfterGC() - before
	runtime.KeepAlive(kept)
	return measured{value: float64(grown) / n}
}

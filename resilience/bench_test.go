package resilience_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"example.com/signals"
	"example.com/signals/resilience"
)

var sink int

//go:noinline
func addToSink(_ context.Context, n int) error { sink += n; return nil }

// BenchmarkListener: one call of a listener that succeeds, bare and in each
// wrapper.
func BenchmarkListener(b *testing.B) {
	ctx := context.Background()
	all := func() func(context.Context, int) error {
		return resilience.DeadLetter(resilience.Retry(resilience.Breaker(
			resilience.Timeout(addToSink, time.Minute), resilience.NewCircuit())), signals.NewSync[resilience.Letter[int]]())
	}
	for _, bench := range []struct {
		name string
		fn   func(context.Context, int) error
	}{
		{"bare", addToSink},
		{"Retry", resilience.Retry(addToSink)},
		{"Breaker", resilience.Breaker(addToSink, resilience.NewCircuit())},
		{"Breaker_FailureRate", resilience.Breaker(addToSink, resilience.NewCircuit(resilience.FailureRate(0.5, time.Minute, 10)))},
		{"Limit", resilience.Limit(addToSink, rate.NewLimiter(rate.Limit(1e12), 1e9))},
		{"Timeout", resilience.Timeout(addToSink, time.Minute)},
		{"Bulkhead", resilience.Bulkhead(addToSink, semaphore.NewWeighted(4))},
		{"DeadLetter", resilience.DeadLetter(addToSink, signals.NewSync[resilience.Letter[int]]())},
		{"Retry_Breaker_Timeout_DeadLetter", all()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = bench.fn(ctx, 1)
			}
		})
	}

	b.Run("Dedup_new", func(b *testing.B) { // each key is new, and pushes one out
		fn := resilience.Dedup(addToSink, itself, 1000)
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			_ = fn(ctx, n)
		}
	})
	b.Run("Dedup_known", func(b *testing.B) {
		fn := resilience.Dedup(addToSink, itself, 1000)
		b.ReportAllocs()
		for b.Loop() {
			_ = fn(ctx, 1)
		}
	})
}

// BenchmarkSignalEmit: one Emit on a sync signal with one listener, bare and in
// each wrapper, and one that the wrapper refuses.
func BenchmarkSignalEmit(b *testing.B) {
	ctx := context.Background()
	quiet := signals.OnFailure(func(context.Context, signals.Failure) {})
	open := resilience.NewCircuit(resilience.FailureThreshold(1), resilience.OpenFor(time.Hour))
	_ = resilience.Breaker(fails, open)(ctx, 1)
	for _, bench := range []struct {
		name string
		s    signals.Signal[int]
	}{
		{"bare", signals.NewSync[int]()},
		{"bare_counted", signals.NewSync[int](signals.Counted())},
		{"RateLimited", resilience.NewRateLimited(signals.NewSync[int](), rate.NewLimiter(rate.Limit(1e12), 1e9))},
		{"RateLimited_refused", resilience.NewRateLimited(signals.NewSync[int](quiet), rate.NewLimiter(0, 0))},
		{"CircuitBreaker", resilience.NewCircuitBreaker(signals.NewSync[int], resilience.NewCircuit())},
		{"CircuitBreaker_refused", resilience.NewCircuitBreaker(signals.NewSync[int], open, quiet)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			bench.s.Subscribe(addToSink)
			b.ReportAllocs()
			for b.Loop() {
				bench.s.Emit(ctx, 1)
			}
			bench.s.Reset()
		})
	}
}

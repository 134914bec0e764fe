package document

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"example.com/signals"
	"example.com/signals/examples/internal/docs/document/prometheus"
	"example.com/signals/examples/internal/docs/document/rate"
)

// AsyncSignal is embedded by its bare name in the document.
type AsyncSignal[T any] = signals.AsyncSignal[T]

// region tuned

type TunedSignal[T any] struct {
	*AsyncSignal[T]
	poolSize   int
	workerPool chan struct{} // Limit concurrent goroutines
}

func NewTunedSignal[T any](poolSize, maxWorkers int) *TunedSignal[T] {
	return &TunedSignal[T]{
		AsyncSignal: signals.New[T](),
		poolSize:    poolSize,
		workerPool:  make(chan struct{}, maxWorkers),
	}
}

func (ts *TunedSignal[T]) EmitControlled(ctx context.Context, data T) {
	select {
	case ts.workerPool <- struct{}{}:
		defer func() { <-ts.workerPool }()
		ts.AsyncSignal.Emit(ctx, data)
	case <-ctx.Done():
		return // Respect cancellation
	}
}

// endregion

// region affinity

type CPUAffinitySignal[T any] struct {
	signals    []signals.Signal[T]
	cpuCount   int
	roundRobin uint64
}

func (cas *CPUAffinitySignal[T]) Emit(ctx context.Context, data T) {
	// Distribute across CPU cores
	cpu := atomic.AddUint64(&cas.roundRobin, 1) % uint64(cas.cpuCount)
	cas.signals[cpu].Emit(ctx, data)
}

// endregion

// region limited

type RateLimitedSignal[T any] struct {
	signal  signals.Signal[T]
	limiter *rate.Limiter
}

func (rls *RateLimitedSignal[T]) EmitWithLimit(ctx context.Context, data T) error {
	if err := rls.limiter.Wait(ctx); err != nil {
		return fmt.Errorf("rate limit exceeded: %w", err)
	}

	rls.signal.Emit(ctx, data)
	return nil
}

// endregion

// region instrumented

type InstrumentedSignal[T any] struct {
	signal      signals.Signal[T]
	emitCounter prometheus.Counter
	latencyHist prometheus.Histogram
	errorRate   prometheus.Counter
}

func (is *InstrumentedSignal[T]) Emit(ctx context.Context, data T) {
	start := time.Now()
	defer func() {
		duration := time.Since(start)
		is.emitCounter.Inc()
		is.latencyHist.Observe(duration.Seconds())
	}()

	is.signal.Emit(ctx, data)
}

// endregion

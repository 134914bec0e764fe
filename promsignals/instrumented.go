package promsignals

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/signals"
)

// Counting is a signal that counts what it does, as those of package signals
// and of package resilience.
type Counting[T any] interface {
	signals.Signal[T]
	Signal
}

// InstrumentedSignal is a signal that times each emission on it. It is a
// prometheus.Collector of three metrics, with the label signal:
//
//   - signals_emit_calls_total, the emissions on it;
//   - signals_emit_duration_seconds, a histogram of how long each took: of a
//     sync signal with its listeners, of an async one until it was accepted;
//   - signals_emit_errors_total, the failures of listeners and the refusals of
//     the signal, as it counts them. Divided by the first it is the error rate.
//
// What is emitted on the signal within is not seen, but for its errors.
type InstrumentedSignal[T any] struct {
	signals.Signal[T]
	counting    Signal
	emitCounter prometheus.Counter
	latencyHist prometheus.Histogram
	errorRate   prometheus.CounterFunc
}

var (
	_ Counting[int]        = (*InstrumentedSignal[int])(nil)
	_ prometheus.Collector = (*InstrumentedSignal[int])(nil)
)

// NewInstrumented puts meters around a signal, which must have its name by
// now:
//
//	orders := promsignals.NewInstrumented(signals.NewSync[Order](signals.Name("order.placed")))
//	reg.MustRegister(orders)
func NewInstrumented[T any](sig Counting[T]) *InstrumentedSignal[T] {
	if sig == nil {
		panic("promsignals: NewInstrumented: the signal is nil")
	}
	labels := prometheus.Labels{"signal": valid(sig.Stats().Name)}
	buckets := make([]float64, len(bounds))
	for i, b := range bounds {
		buckets[i] = signals.BucketBound(b).Seconds()
	}
	return &InstrumentedSignal[T]{
		Signal: sig, counting: sig,
		emitCounter: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signals_emit_calls_total", Help: "Emissions on the instrumented signal.", ConstLabels: labels}),
		latencyHist: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "signals_emit_duration_seconds", Help: "How long emissions on the instrumented signal took.",
			ConstLabels: labels, Buckets: buckets}),
		errorRate: prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "signals_emit_errors_total", Help: "Failures of listeners, and refusals, of the instrumented signal.", ConstLabels: labels},
			func() float64 {
				s := sig.Stats()
				return float64(s.Failures + s.Refusals)
			}),
	}
}

// Describe implements prometheus.Collector.
func (i *InstrumentedSignal[T]) Describe(ch chan<- *prometheus.Desc) {
	i.emitCounter.Describe(ch)
	i.latencyHist.Describe(ch)
	i.errorRate.Describe(ch)
}

// Collect implements prometheus.Collector.
func (i *InstrumentedSignal[T]) Collect(ch chan<- prometheus.Metric) {
	i.emitCounter.Collect(ch)
	i.latencyHist.Collect(ch)
	i.errorRate.Collect(ch)
}

// measure is deferred around an emission; it also counts one that a panic or
// runtime.Goexit ends.
func (i *InstrumentedSignal[T]) measure(begun time.Time) {
	i.latencyHist.Observe(time.Since(begun).Seconds())
	i.emitCounter.Inc()
}

// Emit emits.
func (i *InstrumentedSignal[T]) Emit(ctx context.Context, payload T) {
	defer i.measure(time.Now())
	i.Signal.Emit(ctx, payload)
}

// TryEmit emits and returns the first failure, as SyncSignal.TryEmit; an async
// signal says whether it accepted, as Offer.
func (i *InstrumentedSignal[T]) TryEmit(ctx context.Context, payload T) error {
	defer i.measure(time.Now())
	if s, ok := i.Signal.(interface {
		TryEmit(ctx context.Context, payload T) error
	}); ok {
		return s.TryEmit(ctx, payload)
	}
	return i.offer(ctx, payload)
}

// Offer emits and says whether the emission was accepted, as
// AsyncSignal.Offer; a sync signal always accepts.
func (i *InstrumentedSignal[T]) Offer(ctx context.Context, payload T) error {
	defer i.measure(time.Now())
	return i.offer(ctx, payload)
}

func (i *InstrumentedSignal[T]) offer(ctx context.Context, payload T) error {
	if s, ok := i.Signal.(interface {
		Offer(ctx context.Context, payload T) error
	}); ok {
		return s.Offer(ctx, payload)
	}
	i.Signal.Emit(ctx, payload)
	return nil
}

// Refuse reports an emission that a wrapper around this one turned away.
func (i *InstrumentedSignal[T]) Refuse(ctx context.Context, payload T, err error) {
	if s, ok := i.Signal.(interface {
		Refuse(ctx context.Context, payload T, err error)
	}); ok {
		s.Refuse(ctx, payload, err)
		return
	}
	slog.ErrorContext(ctx, "promsignals: emission refused", "err", err)
}

// Drain waits as the signal's Drain; a sync signal has nothing to wait for.
func (i *InstrumentedSignal[T]) Drain(ctx context.Context) error {
	if s, ok := i.Signal.(interface {
		Drain(ctx context.Context) error
	}); ok {
		return s.Drain(ctx)
	}
	return nil
}

// Close closes as the signal's Close; a sync signal has nothing to close.
func (i *InstrumentedSignal[T]) Close(ctx context.Context) error {
	if s, ok := i.Signal.(interface {
		Close(ctx context.Context) error
	}); ok {
		return s.Close(ctx)
	}
	return nil
}

// ObserveListeners observes those of the signal, as its ObserveListeners does. It
// returns nil if that has none.
func (i *InstrumentedSignal[T]) ObserveListeners(added, removed func(l *signals.ListenerInfo)) (stop func()) {
	if s, ok := i.Signal.(interface {
		ObserveListeners(added, removed func(l *signals.ListenerInfo)) (stop func())
	}); ok {
		return s.ObserveListeners(added, removed)
	}
	return nil
}

// Stats returns what the signal has counted.
func (i *InstrumentedSignal[T]) Stats() signals.SignalStats { return i.counting.Stats() }

// Unwrap returns the signal within. What is emitted on it passes the meters by.
func (i *InstrumentedSignal[T]) Unwrap() signals.Signal[T] { return i.Signal }

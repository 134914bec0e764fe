package promsignals

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

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
//   - signals_emit_errors_total, those of the emissions that failed: a listener did,
//     one or more, also later on an async signal; the signal refused; or TryEmit or
//     Offer returned an error, also that ctx had ended. A veto is none. Divided by
//     the first it is the error rate, which is never above 1.
//
// What a wrapper around it turns away, and says so with Refuse or Refused, is an
// emission and an error. What is emitted on the signal within is not seen. If that is
// foreign, and has no ObserveFailures, a listener that fails in an Emit is not either.
type InstrumentedSignal[T any] struct {
	signals.Signal[T]
	counting    Signal
	emitCounter prometheus.Counter
	latencyHist prometheus.Histogram
	errorRate   prometheus.Counter
	observed    bool // failures of listeners
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
func NewInstrumented[T any](sig Counting[T], opts ...InstrumentedOption) *InstrumentedSignal[T] {
	if sig == nil {
		panic("promsignals: NewInstrumented: the signal is nil")
	}
	labels := prometheus.Labels{"signal": valid(sig.Stats().Name)}
	c := instrument{bounds: defaultBounds()}
	for _, o := range opts {
		o(&c)
	}
	i := &InstrumentedSignal[T]{
		Signal: sig, counting: sig,
		emitCounter: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signals_emit_calls_total", Help: "Emissions on the instrumented signal.", ConstLabels: labels}),
		latencyHist: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "signals_emit_duration_seconds", Help: "How long emissions on the instrumented signal took.",
			ConstLabels: labels, Buckets: c.bounds, NativeHistogramBucketFactor: c.factor, NativeHistogramMaxBucketNumber: 160}),
		errorRate: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "signals_emit_errors_total", Help: "Emissions on the instrumented signal that failed.", ConstLabels: labels}),
	}
	if o, ok := sig.(interface {
		ObserveFailures(told func(ctx context.Context, f signals.Failure)) (stop func())
	}); ok {
		i.observed = o.ObserveFailures(func(ctx context.Context, _ signals.Failure) {
			if e, ok := ctx.Value(i).(*emission); ok {
				e.fail()
			}
		}) != nil
	}
	return i
}

// InstrumentedOption configures NewInstrumented.
type InstrumentedOption func(*instrument)

type instrument struct {
	bounds []float64 // in seconds
	factor float64   // 0: no native histogram
}

// EmitBuckets sets the upper bounds of the histogram, which must grow. Without it
// they are from a microsecond to 17 seconds, each twice the last.
func EmitBuckets(bounds ...time.Duration) InstrumentedOption {
	seconds := make([]float64, len(bounds))
	for i, b := range bounds {
		if b <= 0 || i > 0 && b <= bounds[i-1] {
			panic(fmt.Sprintf("promsignals: EmitBuckets(%v): bound %d is %v; want bounds above 0 that grow", bounds, i, b))
		}
		seconds[i] = b.Seconds()
	}
	if len(bounds) == 0 {
		panic("promsignals: EmitBuckets(): want a bound; leave the option out for the usual ones")
	}
	return func(c *instrument) { c.bounds = seconds }
}

// NativeHistogram makes the histogram a native one as well, for a Prometheus that
// scrapes those: each bucket is at most factor times as wide as the last, such as
// 1.1, and there are 160 at most.
func NativeHistogram(factor float64) InstrumentedOption {
	if !(factor > 1) {
		panic(fmt.Sprintf("promsignals: NativeHistogram(%v): want more than 1, such as 1.1", factor))
	}
	return func(c *instrument) { c.factor = factor }
}

// emission is the context of one emission: by it a failure is known to be one of
// that.
type emission struct {
	context.Context
	of     any // the InstrumentedSignal
	errors prometheus.Counter
	failed atomic.Bool
}

func (e *emission) Value(key any) any {
	if key == e.of {
		return e
	}
	return e.Context.Value(key)
}

// fail counts the emission as failed, once.
func (e *emission) fail() {
	if e.failed.CompareAndSwap(false, true) {
		e.errors.Inc()
	}
}

// begin returns the context of an emission.
func (i *InstrumentedSignal[T]) begin(ctx context.Context) *emission {
	if ctx == nil {
		ctx = context.Background()
	}
	return &emission{Context: ctx, of: i, errors: i.errorRate}
}

// came returns err, and counts it unless it is a veto.
func (e *emission) came(err error) error {
	if err != nil && !vetoed(err) {
		e.fail()
	}
	return err
}

// vetoed is signals.IsVeto for errors whose methods may panic.
func vetoed(err error) (yes bool) {
	defer func() { _ = recover() }()
	return signals.IsVeto(err)
}

// Describe implements prometheus.Collector.
func (i *InstrumentedSignal[T]) Describe(ch chan<- *prometheus.Desc) {
	i.emitCounter.Describe(ch)
	i.latencyHist.Describe(ch)
	i.errorRate.Describe(ch)
}

// Collect implements prometheus.Collector. An emission is counted when it begins and
// an error after that, so that the errors, which are read first, are never above the
// emissions, whatever happens meanwhile. The registry would read them in any order.
func (i *InstrumentedSignal[T]) Collect(ch chan<- prometheus.Metric) {
	failed := read(i.errorRate)
	ch <- read(i.emitCounter)
	i.latencyHist.Collect(ch)
	ch <- failed
}

// counted is a counter as it was read.
type counted struct {
	desc *prometheus.Desc
	was  dto.Metric
	err  error
}

func read(c prometheus.Counter) *counted {
	m := &counted{desc: c.Desc()}
	m.err = c.Write(&m.was)
	return m
}

// Desc implements prometheus.Metric.
func (m *counted) Desc() *prometheus.Desc { return m.desc }

// Write implements prometheus.Metric.
func (m *counted) Write(to *dto.Metric) error {
	to.Label, to.Counter = m.was.GetLabel(), m.was.GetCounter()
	return m.err
}

// measure begins to measure an emission; what it returns is deferred around it, and
// so also times one that a panic or runtime.Goexit ends.
func (i *InstrumentedSignal[T]) measure() (ended func()) {
	i.emitCounter.Inc()
	begun := time.Now()
	return func() { i.latencyHist.Observe(time.Since(begun).Seconds()) }
}

// Emit emits.
func (i *InstrumentedSignal[T]) Emit(ctx context.Context, payload T) {
	defer i.measure()()
	if i.observed {
		ctx = i.begin(ctx)
	}
	i.Signal.Emit(ctx, payload)
}

// TryEmit emits and returns the first failure, as SyncSignal.TryEmit; an async
// signal says whether it accepted, as Offer.
func (i *InstrumentedSignal[T]) TryEmit(ctx context.Context, payload T) error {
	defer i.measure()()
	e := i.begin(ctx)
	if s, ok := i.Signal.(interface {
		TryEmit(ctx context.Context, payload T) error
	}); ok {
		return e.came(s.TryEmit(e, payload))
	}
	return e.came(i.offer(e, payload))
}

// Offer emits and says whether the emission was accepted, as
// AsyncSignal.Offer; a sync signal always accepts.
func (i *InstrumentedSignal[T]) Offer(ctx context.Context, payload T) error {
	defer i.measure()()
	e := i.begin(ctx)
	return e.came(i.offer(e, payload))
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
	i.refused()
	if s, ok := i.Signal.(interface {
		Refuse(ctx context.Context, payload T, err error)
	}); ok {
		s.Refuse(ctx, payload, err)
		return
	}
	slog.ErrorContext(ctx, "promsignals: emission refused", "err", err)
}

// Refused reports one that a wrapper around this one turned away and whose emitter
// has been told.
func (i *InstrumentedSignal[T]) Refused(ctx context.Context, payload any, err error) {
	i.refused()
	if s, ok := i.Signal.(interface {
		Refused(ctx context.Context, payload any, err error)
	}); ok {
		s.Refused(ctx, payload, err)
	}
}

func (i *InstrumentedSignal[T]) refused() {
	i.emitCounter.Inc()
	i.errorRate.Inc()
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

// ObserveFailures observes those of the signal, as its ObserveFailures does. It
// returns nil if that has none.
func (i *InstrumentedSignal[T]) ObserveFailures(told func(ctx context.Context, f signals.Failure)) (stop func()) {
	if s, ok := i.Signal.(interface {
		ObserveFailures(told func(ctx context.Context, f signals.Failure)) (stop func())
	}); ok {
		return s.ObserveFailures(told)
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

package otelsignals

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"example.com/signals"
)

// scope is the name of the tracer and of the meter.
const scope = "example.com/signals/otelsignals"

// Option configures New.
type Option func(*config)

type config struct {
	tracers   trace.TracerProvider
	meters    metric.MeterProvider
	noTraces  bool
	noMetrics bool
	newTraces bool
}

// TracerProvider sets where spans go; otel.GetTracerProvider() without it.
func TracerProvider(p trace.TracerProvider) Option {
	need(p != nil, "TracerProvider(nil): leave the option out for the global provider, or take NoTraces")
	return func(c *config) { c.tracers = p }
}

// MeterProvider sets where metrics go; otel.GetMeterProvider() without it.
func MeterProvider(p metric.MeterProvider) Option {
	need(p != nil, "MeterProvider(nil): leave the option out for the global provider, or take NoMetrics")
	return func(c *config) { c.meters = p }
}

// NoTraces leaves traces out.
func NoTraces() Option { return func(c *config) { c.noTraces = true } }

// NoMetrics leaves metrics out.
func NoMetrics() Option { return func(c *config) { c.noMetrics = true } }

// NewTraces lets each call of a listener of an async signal begin a trace of
// its own, with a link to the emission, rather than go on with that of the
// emission. A sampler then decides on each anew, but is not asked about those
// whose emission is not recorded.
func NewTraces() Option { return func(c *config) { c.newTraces = true } }

// New returns an observer that traces and measures the signals it is attached
// to.
func New(opts ...Option) signals.Observer {
	var c config
	for _, o := range opts {
		o(&c)
	}
	need(!c.noTraces || !c.noMetrics, "New: NoTraces and NoMetrics leave nothing; take one")
	if c.tracers == nil {
		c.tracers = otel.GetTracerProvider()
	}
	if c.meters == nil {
		c.meters = otel.GetMeterProvider()
	}
	w := &watcher{newTraces: c.newTraces}
	w.signals.make, w.listeners.make = signalNames, listenerNames
	observer := signals.Observer{
		EmitBegin: w.emitBegin, EmitEnd: w.emitEnd, ListenerBegin: w.listenerBegin, ListenerEnd: w.listenerEnd,
	}
	if !c.noTraces {
		w.tracer = c.tracers.Tracer(scope, trace.WithInstrumentationVersion(version()), trace.WithSchemaURL(schemaURL))
	} else {
		observer.ListenerBegin = nil
	}
	if !c.noMetrics {
		w.measure(c.meters.Meter(scope, metric.WithInstrumentationVersion(version()), metric.WithSchemaURL(schemaURL)))
		observer.Drop = w.drop
	}
	return observer
}

func need(ok bool, misuse string) {
	if !ok {
		panic("otelsignals: " + misuse)
	}
}

// watcher is what an observer's functions share.
type watcher struct {
	tracer    trace.Tracer // nil: no traces
	newTraces bool

	metrics bool
	emits   messagingconv.ClientOperationDuration
	calls   messagingconv.ProcessDuration
	drops   metric.Int64Counter

	signals   cache[signals.SignalInfo]
	listeners cache[signals.ListenerInfo]
}

// measure makes the instruments. One that cannot be made is reported and does
// nothing.
func (w *watcher) measure(m metric.Meter) {
	var errs [3]error
	w.metrics = true
	w.emits, errs[0] = newEmitDuration(m, metric.WithExplicitBucketBoundaries(boundaries...))
	w.calls, errs[1] = newCallDuration(m, metric.WithExplicitBucketBoundaries(boundaries...))
	w.drops, errs[2] = m.Int64Counter(dropsName, metric.WithUnit(dropsUnit), metric.WithDescription(dropsHelp))
	if err := errors.Join(errs[:]...); err != nil {
		otel.Handle(err)
	}
}

// emission is the value that emitBegin leaves in the context, for emitEnd and
// for the listeners.
type emission struct {
	signal   string
	span     trace.Span // nil: no traces
	recorded bool       // the span was, when it began
	begun    time.Duration
}

// delivery is what listenerBegin leaves for listenerEnd, if the call is
// recorded.
type delivery struct {
	of   *emission // tells it from that of a listener which emitted
	span trace.Span
}

// The keys of those values. They hold the watcher, since there may be several.
type (
	emissionKey struct{ *watcher }
	deliveryKey struct{ *watcher }
)

func (w *watcher) emitBegin(ctx context.Context, s *signals.SignalInfo) context.Context {
	e := &emission{signal: s.Name, begun: now()}
	if w.tracer != nil {
		n := w.signals.get(s)
		ctx, e.span = w.tracer.Start(ctx, n.span, n.start...)
		e.recorded = e.span.IsRecording()
	}
	return context.WithValue(ctx, emissionKey{w}, e)
}

func (w *watcher) emitEnd(ctx context.Context, s *signals.SignalInfo, err error) {
	e := w.emission(ctx)
	if e == nil {
		return
	}
	if e.span != nil {
		end(e.span, err)
	}
	if w.metrics {
		w.emits.RecordSet(ctx, (now() - e.begun).Seconds(), with(w.signals.get(s).metric, err))
	}
}

func (w *watcher) listenerBegin(ctx context.Context, l *signals.ListenerInfo) context.Context {
	of := w.emission(ctx)
	// One of another signal is that of a listener that emitted on this signal
	// before it was observed.
	known := of != nil && of.signal == l.Signal.Name
	if known && !of.recorded {
		return ctx
	}
	n := w.listeners.get(l)
	start := n.start
	if known && l.Signal.Kind != signals.KindSync {
		start = append(slices.Clip(start), trace.WithLinks(trace.Link{SpanContext: of.span.SpanContext()}))
		if w.newTraces {
			start = append(start, trace.WithNewRoot())
		}
	}
	ctx, span := w.tracer.Start(ctx, n.span, start...)
	return context.WithValue(ctx, deliveryKey{w}, &delivery{of, span})
}

func (w *watcher) listenerEnd(ctx context.Context, l *signals.ListenerInfo, took time.Duration, err error) {
	if w.tracer != nil {
		if d, _ := ctx.Value(deliveryKey{w}).(*delivery); d != nil && d.of == w.emission(ctx) {
			end(d.span, err)
		}
	}
	if w.metrics {
		w.calls.RecordSet(ctx, took.Seconds(), with(w.listeners.get(l).metric, err))
	}
}

// emission returns the innermost one that the context belongs to, or nil.
func (w *watcher) emission(ctx context.Context) *emission {
	e, _ := ctx.Value(emissionKey{w}).(*emission)
	return e
}

func (w *watcher) drop(l *signals.ListenerInfo, n int) {
	w.drops.Add(context.Background(), int64(n), metric.WithAttributeSet(w.listeners.get(l).metric))
}

// end ends a span, with a failure if there is one.
func end(span trace.Span, err error) {
	if span.IsRecording() && failed(err) {
		class, p := classOf(err)
		span.SetStatus(codes.Error, textOf(err))
		span.SetAttributes(class)
		if p != nil {
			span.AddEvent(exceptionEvent, trace.WithAttributes(
				keyExceptionType.String("*signals.PanicError"), keyMessage.String(textOf(p)), keyStack.String(valid(string(p.Stack)))))
		}
	}
	span.End()
}

// with returns the attributes of a measurement.
func with(set attribute.Set, err error) attribute.Set {
	if !failed(err) {
		return set
	}
	class, _ := classOf(err)
	return attribute.NewSet(append(set.ToSlice(), class)...)
}

// now is the time since the process began.
func now() time.Duration { return time.Since(started) }

var started = time.Now()

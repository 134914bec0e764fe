package otelsignals_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"example.com/signals"
	"example.com/signals/otelsignals"
)

var (
	ctx     = context.Background()
	errDown = errors.New("down")
	quiet   = signals.Logger(slog.New(slog.DiscardHandler))
)

func succeeds(context.Context, int) error { return nil }

func fails(context.Context, int) error { return errDown }

func panics(context.Context, int) error { panic("boom") }

// observed is a bus with an observer, and what that has recorded.
type observed struct {
	t      testing.TB
	bus    *signals.Bus
	spans  *tracetest.InMemoryExporter
	reader *metric.ManualReader
	tracer trace.Tracer // of the program around
	same   signals.Observer
}

func observe(t testing.TB, sampler sdktrace.Sampler, opts ...otelsignals.Option) *observed {
	t.Helper()
	o := &observed{t: t, bus: signals.NewBus(quiet), spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(o.spans), sdktrace.WithSampler(sampler))
	meters := metric.NewMeterProvider(metric.WithReader(o.reader))
	o.tracer = traces.Tracer("program")
	o.same = otelsignals.New(append([]otelsignals.Option{
		otelsignals.TracerProvider(traces), otelsignals.MeterProvider(meters)}, opts...)...)
	o.bus.Observe(o.same)
	return o
}

func (o *observed) drain() {
	o.t.Helper()
	if err := o.bus.Drain(ctx); err != nil {
		o.t.Fatal(err)
	}
}

// span returns the only span of that name, and for process spans of that
// listener.
func (o *observed) span(name, listener string) tracetest.SpanStub {
	o.t.Helper()
	var found []tracetest.SpanStub
	for _, s := range o.spans.GetSpans() {
		if s.Name == name && attr(s.Attributes, "messaging.destination.subscription.name") == listener {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		o.t.Fatalf("%d spans %q of %q, want 1; there are %v", len(found), name, listener, o.names())
	}
	return found[0]
}

func (o *observed) names() (all []string) {
	for _, s := range o.spans.GetSpans() {
		all = append(all, s.Name)
	}
	return all
}

func attr(attrs []attribute.KeyValue, key string) string {
	for _, a := range attrs {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

// count returns the count of a histogram, or the value of a counter, over the
// points that have the attributes, which are keys and values in turn.
func (o *observed) count(name string, attrs ...string) (n uint64) {
	o.t.Helper()
	var all metricdata.ResourceMetrics
	if err := o.reader.Collect(ctx, &all); err != nil {
		o.t.Fatal(err)
	}
	has := func(set attribute.Set) bool {
		for i := 0; i < len(attrs); i += 2 {
			if v, _ := set.Value(attribute.Key(attrs[i])); v.String() != attrs[i+1] {
				return false
			}
		}
		return true
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					if has(p.Attributes) {
						n += p.Count
					}
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					if has(p.Attributes) {
						n += uint64(p.Value)
					}
				}
			}
		}
	}
	return n
}

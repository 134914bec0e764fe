package otelsignals_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"example.com/signals"
	"example.com/signals/otelsignals"
)

// discard is an exporter, so that the figures are those of making spans.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }

// One emission with one listener on a bus: without an observer, with one that
// was stopped, and with traces that are left out or recorded, with metrics, and
// with both.
func Benchmark(b *testing.B) {
	traces := func(s sdktrace.Sampler) otelsignals.Option {
		return otelsignals.TracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(s), sdktrace.WithSpanProcessor(discard{})))
	}
	meters := otelsignals.MeterProvider(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())))
	never, always := sdktrace.ParentBased(sdktrace.NeverSample()), sdktrace.ParentBased(sdktrace.AlwaysSample())
	for _, setup := range []struct {
		name    string
		observe func(*signals.Bus)
	}{
		{"without", func(*signals.Bus) {}},
		{"stopped", func(bus *signals.Bus) { bus.Observe(otelsignals.New(traces(always), meters))() }},
		{"traces/unsampled", func(bus *signals.Bus) { bus.Observe(otelsignals.New(traces(never), otelsignals.NoMetrics())) }},
		{"traces/1%", func(bus *signals.Bus) {
			bus.Observe(otelsignals.New(traces(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.01))), otelsignals.NoMetrics()))
		}},
		{"traces/sampled", func(bus *signals.Bus) { bus.Observe(otelsignals.New(traces(always), otelsignals.NoMetrics())) }},
		{"metrics", func(bus *signals.Bus) { bus.Observe(otelsignals.New(meters, otelsignals.NoTraces())) }},
		{"both/unsampled", func(bus *signals.Bus) { bus.Observe(otelsignals.New(traces(never), meters)) }},
		{"both/sampled", func(bus *signals.Bus) { bus.Observe(otelsignals.New(traces(always), meters)) }},
	} {
		n := 0
		listen := func(_ context.Context, i int) error {
			n += i
			return nil
		}
		b.Run("sync/"+setup.name, func(b *testing.B) {
			bus := signals.NewBus()
			setup.observe(bus)
			s := signals.NewSync[int](signals.Name("s"), signals.OnBus(bus))
			s.Subscribe(listen, signals.Key("k"))
			b.ReportAllocs()
			for b.Loop() {
				s.Emit(ctx, 1)
			}
		})
		b.Run("async/"+setup.name, func(b *testing.B) {
			bus := signals.NewBus()
			setup.observe(bus)
			s := signals.Topic[int](bus, "s", signals.Capacity(1024, signals.Block))
			s.Subscribe(listen, signals.Key("k"))
			b.ReportAllocs()
			for b.Loop() {
				s.Emit(ctx, 1)
			}
			if err := bus.Drain(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
}

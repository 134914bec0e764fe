package otelsignals_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/signals"
	"example.com/signals/otelsignals"
)

// region provider

// telemetry builds the providers of a service from its exporters. Call stop when
// the bus is closed: it sends what has been collected.
func telemetry(spans sdktrace.SpanExporter, metrics metric.Reader) (observer signals.Observer, stop func(context.Context) error, err error) {
	service, err := resource.Merge(resource.Default(), // and OTEL_RESOURCE_ATTRIBUTES
		resource.NewSchemaless(attribute.String("service.name", "shop")))
	if err != nil {
		return signals.Observer{}, nil, err
	}
	traces := sdktrace.NewTracerProvider(
		sdktrace.WithResource(service),
		sdktrace.WithBatcher(spans),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.1)))) // a tenth of the requests
	meters := metric.NewMeterProvider(
		metric.WithResource(service),
		metric.WithReader(metrics))
	stop = func(ctx context.Context) error {
		return errors.Join(traces.Shutdown(ctx), meters.Shutdown(ctx))
	}
	return otelsignals.New(otelsignals.TracerProvider(traces), otelsignals.MeterProvider(meters)), stop, nil
}

// endregion

// The providers are built once, when the program starts.
func Example_provider() {
	ctx := context.Background()
	spans, metrics := tracetest.NewInMemoryExporter(), metric.NewManualReader()
	observer, stop, err := telemetry(spans, metrics)
	if err != nil {
		fmt.Println(err)
		return
	}
	// region use
	bus := signals.NewBus()
	bus.Observe(observer)
	// ... and when the program ends, after the bus:
	within, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = errors.Join(bus.Close(within), stop(within))
	// endregion
	fmt.Println(err)

	// Output:
	// <nil>
}

package otelsignals_test

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/signals"
	"example.com/signals/otelsignals"
)

func Example() {
	ctx := context.Background()
	exporter := tracetest.NewInMemoryExporter() // yours: OTLP
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))

	// region observe
	bus := signals.NewBus()
	bus.Observe(otelsignals.New(
		otelsignals.TracerProvider(provider), // or the global one
		otelsignals.NoMetrics()))
	// endregion

	// region trace
	orders := signals.NewSync[string](signals.Name("order.placed"), signals.OnBus(bus))
	mails := signals.Topic[string](bus, "mail")
	orders.Subscribe(func(ctx context.Context, order string) error {
		mails.Emit(ctx, order) // ctx, so that the trace goes on
		return nil
	}, signals.Key("confirm"))
	mails.Subscribe(func(context.Context, string) error { return errors.New("no route") }, signals.Key("smtp"))

	request, span := provider.Tracer("web").Start(ctx, "POST /orders")
	orders.Emit(request, "A1")
	span.End()
	// endregion
	if err := bus.Drain(ctx); err != nil {
		fmt.Println(err)
	}
	print(exporter.GetSpans())
	// Output:
	// POST /orders
	//   emit order.placed
	//     process order.placed
	//       emit mail
	//         process mail (linked): no route
}

// print writes one trace as a tree.
func print(spans tracetest.SpanStubs) {
	var under func(parent, indent string)
	under = func(parent, indent string) {
		for _, s := range spans {
			if s.Parent.SpanID().String() != parent {
				continue
			}
			fmt.Print(indent, s.Name)
			if len(s.Links) > 0 {
				fmt.Print(" (linked)")
			}
			if s.Status.Description != "" {
				fmt.Print(": ", s.Status.Description)
			}
			fmt.Println()
			under(s.SpanContext.SpanID().String(), indent+"  ")
		}
	}
	under("0000000000000000", "")
}

func ExampleNew_metrics() {
	ctx := context.Background()
	reader := metric.NewManualReader() // yours: a periodic one, or the exporter for Prometheus
	bus := signals.NewBus()
	bus.Observe(otelsignals.New(otelsignals.NoTraces(),
		otelsignals.MeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))))

	prices := signals.NewSync[int](signals.Name("price"), signals.OnBus(bus))
	prices.Subscribe(func(context.Context, int) error { return nil }, signals.Key("chart"))
	for i := range 3 {
		prices.Emit(ctx, i)
	}

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		fmt.Println(err)
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
			fmt.Println(m.Name, m.Unit, p.Count)
		}
	}
	// Output:
	// messaging.client.operation.duration s 3
	// messaging.process.duration s 3
}

func ExampleInject() {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	bus := signals.NewBus(signals.Observe(otelsignals.New(otelsignals.TracerProvider(provider), otelsignals.NoMetrics())))

	// region propagate
	type message struct {
		Headers map[string]string
		Order   string
	}
	outbox := make(chan message, 1) // a queue to another process

	placed := signals.NewSync[string](signals.Name("order.placed"), signals.OnBus(bus))
	placed.AddListener(func(ctx context.Context, order string) {
		outbox <- message{otelsignals.Inject(ctx, nil), order}
	})
	placed.Emit(context.Background(), "A1")

	// There:
	shipped := signals.NewSync[string](signals.Name("order.shipped"), signals.OnBus(bus))
	msg := <-outbox
	shipped.Emit(otelsignals.Extract(context.Background(), msg.Headers), msg.Order)
	// endregion

	print(exporter.GetSpans())
	// Output:
	// emit order.placed
	//   process order.placed
	//     emit order.shipped
}

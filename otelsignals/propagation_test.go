package otelsignals_test

import (
	"maps"
	"slices"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"example.com/signals"
	"example.com/signals/otelsignals"
)

func TestTraceGoesOnInAnotherProcess(t *testing.T) {
	o := observe(t, sdktrace.AlwaysSample())
	sending, span := o.tracer.Start(ctx, "send")
	member, err := baggage.NewMember("tenant", "acme")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	headers := otelsignals.Inject(baggage.ContextWithBaggage(sending, bag), nil)
	span.End()
	if headers["traceparent"] == "" || headers["baggage"] != "tenant=acme" {
		t.Fatalf("headers are %v", headers)
	}

	received := otelsignals.Extract(ctx, headers)
	if got := baggage.FromContext(received).Member("tenant").Value(); got != "acme" {
		t.Errorf("tenant is %q", got)
	}
	orders := signals.NewSync[int](signals.Name("orders"), signals.OnBus(o.bus))
	orders.Emit(received, 1)
	emit := o.span("emit orders", "")
	if emit.Parent.SpanID() != span.SpanContext().SpanID() || !emit.Parent.IsRemote() {
		t.Errorf("the emission's parent is %v", emit.Parent)
	}
}

func TestHeadersAreKept(t *testing.T) {
	headers := map[string]string{"id": "7"}
	if got := otelsignals.Inject(ctx, headers); got["id"] != "7" || len(headers) != 1 {
		t.Errorf("without a span headers are %v", got)
	}
	if got := otelsignals.Extract(ctx, nil); got != ctx {
		t.Error("without headers the context is another")
	}
}

func TestGlobalPropagatorIsUsedIfThereIsOne(t *testing.T) {
	before := otel.GetTextMapPropagator()
	defer otel.SetTextMapPropagator(before)
	otel.SetTextMapPropagator(propagation.TraceContext{}) // no baggage
	o := observe(t, sdktrace.AlwaysSample())
	sending, span := o.tracer.Start(ctx, "send")
	defer span.End()
	member, err := baggage.NewMember("tenant", "acme")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	headers := otelsignals.Inject(baggage.ContextWithBaggage(sending, bag), nil)
	if keys := slices.Collect(maps.Keys(headers)); !slices.Equal(keys, []string{"traceparent"}) {
		t.Errorf("headers are %v", headers)
	}
}

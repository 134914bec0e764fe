package otelsignals

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// Inject writes the trace context of ctx into the headers of a message that
// leaves the process, and returns them; nil headers are made. The format is
// that of the global propagator, or W3C Trace Context and Baggage if none is
// set.
//
//	msg.Headers = otelsignals.Inject(ctx, msg.Headers) // in a listener
func Inject(ctx context.Context, headers map[string]string) map[string]string {
	if headers == nil {
		headers = make(map[string]string)
	}
	propagator().Inject(orBackground(ctx), propagation.MapCarrier(headers))
	return headers
}

// Extract returns ctx with the trace context that the headers of a message
// carry. What is emitted with it goes on with the trace of the sender.
//
//	orders.Emit(otelsignals.Extract(ctx, msg.Headers), order)
func Extract(ctx context.Context, headers map[string]string) context.Context {
	return propagator().Extract(orBackground(ctx), propagation.MapCarrier(headers))
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

var w3c = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

func propagator() propagation.TextMapPropagator {
	if p := otel.GetTextMapPropagator(); len(p.Fields()) > 0 {
		return p
	}
	return w3c
}

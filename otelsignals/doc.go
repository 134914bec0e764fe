// Package otelsignals traces and measures signals with OpenTelemetry.
//
//	stop := bus.Observe(otelsignals.New())
//
// [New] returns a signals.Observer, for a bus or, with signals.Observe, for one
// signal. It takes the global providers unless told otherwise, and the
// propagation is that of contexts: emit with the context of the request.
//
// # Traces
//
// Each emission is a span "emit NAME", a child of the span of the context it was
// emitted with. Each call of a listener is a span "process NAME" with the
// listener's key, or its function, as messaging.destination.subscription.name.
//
//   - On a sync signal listeners run inside Emit. Their spans are children of the
//     emission's, and all are of kind INTERNAL.
//   - On an async signal the emission is a PRODUCER span that ends when the
//     emission is accepted, and each call is a CONSUMER span with a link to it. It
//     also is its child, which the conventions leave open for single messages: one
//     trace then shows all that came of a request, and samplers that go by the
//     parent keep or leave all of it. With [NewTraces] each call begins a trace
//     of its own, and has only the link.
//
// A call whose emission is not recorded is not recorded either, and costs little.
// A failure sets the status of its span; a panic is an event with the stack. A
// veto is no failure: its spans are not in error, and have no error.type. A
// refused emission is a failed emit span. Payloads are never recorded.
//
// # Metrics
//
//   - messaging.client.operation.duration: how long emissions took, of a sync
//     signal with its listeners; with error.type if it failed or was refused.
//   - messaging.process.duration: how long calls of listeners took; with
//     error.type if they failed.
//   - signals.drops: deliveries that were dropped.
//
// Every emission and every call is measured; the counts of the histograms are
// those of emissions and deliveries. Lag, pending emissions and calls that never
// return are not events and cannot be seen by an observer: they are in Stats, and
// package promsignals shows those.
//
// # Conventions
//
// Names are those of the messaging conventions, version 1.43.0; those
// conventions are not stable. All of them stand in semconv.go, with those of
// ours. messaging.system is "signals". error.type is one of panic, goexit,
// overflow, closed, canceled, timeout, or the type of the error. The version of
// the instrumentation scope is that of this module in the program, and absent
// where it was built from a checkout.
//
// # Other processes
//
// [Inject] writes the trace context into the headers of a message that leaves
// the process, [Extract] reads it from one that came.
package otelsignals

package otelsignals

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"

	"example.com/signals"
)

// All names that this module gives to OpenTelemetry: those of the semantic
// conventions, whose version is in the imports, and behind them ours.
const (
	schemaURL = semconv.SchemaURL

	keySystem        = semconv.MessagingSystemKey
	keyDestination   = semconv.MessagingDestinationNameKey
	keySubscription  = semconv.MessagingDestinationSubscriptionNameKey
	keyOperation     = semconv.MessagingOperationNameKey
	keyOperationType = semconv.MessagingOperationTypeKey
	keyFunction      = semconv.CodeFunctionNameKey
	keyErrorType     = semconv.ErrorTypeKey
	keyStack         = semconv.ExceptionStacktraceKey
	keyMessage       = semconv.ExceptionMessageKey
	keyExceptionType = semconv.ExceptionTypeKey
	exceptionEvent   = "exception"

	system         = "signals"
	opEmit, opCall = "emit", "process" // messaging.operation.name, and spans' names begin with them

	keyKind    = attribute.Key("signals.kind")          // sync, async or sharded
	keyPayload = attribute.Key("signals.payload.type")  // such as shop.Order
	keySite    = attribute.Key("signals.listener.site") // file:line of the registration

	dropsName, dropsUnit, dropsHelp = "signals.drops", "{delivery}", "Deliveries that were dropped."
)

var (
	typeSend    = semconv.MessagingOperationTypeSend
	typeProcess = semconv.MessagingOperationTypeProcess

	newEmitDuration = messagingconv.NewClientOperationDuration
	newCallDuration = messagingconv.NewProcessDuration
)

// signalAttrs are those of emit spans and, the first four, of their metrics.
func signalAttrs(s *signals.SignalInfo) []attribute.KeyValue {
	return []attribute.KeyValue{
		keySystem.String(system), keyDestination.String(valid(s.Name)), keyOperation.String(opEmit), typeSend,
		keyKind.String(string(s.Kind)), keyPayload.String(valid(s.Payload)),
	}
}

// listenerAttrs are those of process spans and, the first five, of their
// metrics; the fifth is the listener.
func listenerAttrs(l *signals.ListenerInfo) []attribute.KeyValue {
	name, function := l.Key, l.Function()
	if name == "" {
		name = l.Listener
	}
	if function == "" {
		function = l.Listener
	}
	return []attribute.KeyValue{
		keySystem.String(system), keyDestination.String(valid(l.Signal.Name)), keyOperation.String(opCall), typeProcess,
		keySubscription.String(valid(name)),
		keyFunction.String(valid(function)), keySite.String(valid(l.Site)), keyKind.String(string(l.Signal.Kind)),
	}
}

const (
	signalMetricAttrs   = 4
	listenerMetricAttrs = 5
)

// boundaries of both histograms are those of the conventions, which begin at 5 ms,
// and below them some for calls within a process.
var boundaries = []float64{
	1e-6, 5e-6, 25e-6, 1e-4, 5e-4, 0.001, 0.0025,
	0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
}

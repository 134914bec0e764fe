package natsignals

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Names of headers. Those of CloudEvents are as in the binary content mode of
// its NATS protocol binding; the others are W3C Trace Context.
const (
	headerID          = "ce-id"
	headerSource      = "ce-source"
	headerType        = "ce-type"
	headerTime        = "ce-time"
	headerSpec        = "ce-specversion"
	headerSubject     = "ce-subject" // the event's stream
	headerContentType = "content-type"
	headerTraceParent = "traceparent"
	headerTraceState  = "tracestate"
)

// Headers of a dead letter, beside those that the message had. Those of the message
// that begin with "Nats-" are left out: they are for the stream that it was in.
const (
	HeaderError    = "Signals-Error"    // the last error
	HeaderAttempts = "Signals-Attempts" // how often it was tried
	HeaderStream   = "Signals-Stream"   // the stream that it is from
	HeaderSequence = "Signals-Sequence" // its sequence there
	HeaderSubject  = "Signals-Subject"  // its subject there
	HeaderConsumer = "Signals-Consumer" // the durable name of who gave up
)

// DeadLetterHeaders lists the headers that a dead letter has beside those of
// the message. Its own Nats-Msg-Id is made of stream, sequence, the time at which the
// message was stored, and consumer, so that it is stored once.
var DeadLetterHeaders = []string{HeaderError, HeaderAttempts, HeaderStream, HeaderSequence, HeaderSubject, HeaderConsumer}

type traceKey struct{}

type trace struct{ parent, state string }

// WithTrace puts a W3C trace context into ctx: emit with it, and the listeners
// on the other side find it with [TraceOf].
func WithTrace(ctx context.Context, traceparent, tracestate string) context.Context {
	return context.WithValue(ctx, traceKey{}, trace{traceparent, tracestate})
}

// TraceOf returns the W3C trace context in ctx, or two empty strings.
func TraceOf(ctx context.Context) (traceparent, tracestate string) {
	t, _ := ctx.Value(traceKey{}).(trace)
	return t.parent, t.state
}

func injectTrace(ctx context.Context, h nats.Header) {
	parent, state := TraceOf(ctx)
	if parent == "" {
		return
	}
	h.Set(headerTraceParent, parent)
	if state != "" {
		h.Set(headerTraceState, state)
	}
}

func extractTrace(ctx context.Context, h nats.Header) context.Context {
	if parent := h.Get(headerTraceParent); parent != "" {
		return WithTrace(ctx, parent, h.Get(headerTraceState))
	}
	return ctx
}

// event is what the headers say of a message.
type event struct {
	id, source, kind, contentType string
	time                          time.Time
}

func (e event) header() nats.Header {
	return nats.Header{
		jetstream.MsgIDHeader: {e.id},
		headerID:              {e.id},
		headerSource:          {e.source},
		headerType:            {e.kind},
		headerTime:            {e.time.UTC().Format(time.RFC3339Nano)},
		headerSpec:            {"1.0"},
		headerContentType:     {e.contentType},
	}
}

// Message is what is known of the message that a listener is called for.
type Message struct {
	ID        string // ce-id, else Nats-Msg-Id, else made of Stream, Sequence and Stored
	Stream    string
	Sequence  uint64 // in the stream
	Subject   string
	Stored    time.Time // when the stream stored it
	Delivered uint64    // how often the server has delivered it
	Header    nats.Header
	ordered   bool
}

type messageKey struct{}

// MessageOf returns the message that a listener is called for, from the context
// that the listener got; false if the emission came from no bridge.
func MessageOf(ctx context.Context) (*Message, bool) {
	m, ok := ctx.Value(messageKey{}).(*Message)
	return m, ok
}

func messageFrom(m jetstream.Msg, meta *jetstream.MsgMetadata, ordered bool) *Message {
	h := m.Headers()
	id := h.Get(headerID)
	if id == "" {
		id = h.Get(jetstream.MsgIDHeader)
	}
	if id == "" {
		id = placeOf(meta)
	}
	return &Message{
		ID: id, Stream: meta.Stream, Sequence: meta.Sequence.Stream, Subject: m.Subject(), Stored: meta.Timestamp,
		Delivered: meta.NumDelivered, Header: h, ordered: ordered,
	}
}

// placeOf names a message by where it is stored. A stream that was made again, or
// is an older copy of itself, gives its sequences out a second time, and so
// the time is a part of it.
func placeOf(meta *jetstream.MsgMetadata) string {
	return fmt.Sprintf("%s:%d:%d", meta.Stream, meta.Sequence.Stream, meta.Timestamp.UnixNano())
}

func program() string {
	if exe, err := os.Executable(); err == nil {
		return "/" + filepath.Base(exe)
	}
	return "/"
}

func typeName[T any]() string { return reflect.TypeFor[T]().String() }

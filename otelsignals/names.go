package otelsignals

import (
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"example.com/signals"
)

// names are what does not change between the spans and measurements of one
// signal, or of one listener.
type names struct {
	span   string
	start  []trace.SpanStartOption
	metric attribute.Set
}

func signalNames(s *signals.SignalInfo) *names {
	attrs := signalAttrs(s)
	return newNames(opEmit, s, trace.SpanKindProducer, attrs, attrs[:signalMetricAttrs])
}

func listenerNames(l *signals.ListenerInfo) *names {
	attrs := listenerAttrs(l)
	return newNames(opCall, l.Signal, trace.SpanKindConsumer, attrs, attrs[:listenerMetricAttrs])
}

func newNames(op string, s *signals.SignalInfo, kind trace.SpanKind, attrs, metric []attribute.KeyValue) *names {
	if s.Kind == signals.KindSync {
		kind = trace.SpanKindInternal
	}
	return &names{
		span:   op + " " + valid(s.Name),
		start:  []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(attrs...)},
		metric: attribute.NewSet(metric...),
	}
}

// cache keeps the names of signals or listeners, by the pointers that observers
// get. It forgets everything when it is full, so that those of listeners long
// gone are not kept for ever.
type cache[I any] struct {
	make func(*I) *names // read only
	all  sync.Map        // *I to *names
	n    atomic.Int64
}

const maxNames = 4096

func (c *cache[I]) get(info *I) *names {
	if n, ok := c.all.Load(info); ok {
		return n.(*names)
	}
	if c.n.Add(1) > maxNames {
		c.all.Clear()
		c.n.Store(1)
	}
	n := c.make(info)
	c.all.Store(info, n)
	return n
}

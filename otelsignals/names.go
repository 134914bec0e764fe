package otelsignals

import (
	"slices"
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

// keys are the keys of listeners that are labels of metrics. An SDK never forgets a
// label, and has room for 2,000 of an instrument: of a signal whose listeners are
// connections the first ones have labels, and the others that of their function.
type keys struct {
	limit int // read only
	mu    sync.Mutex
	of    map[string]map[string]bool // by name of the signal; under mu
}

// has reports whether the key of a listener is a label.
func (k *keys) has(l *signals.ListenerInfo) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.of[l.Signal.Name]
	if known[l.Key] {
		return true
	}
	if len(known) >= k.limit {
		return false
	}
	if known == nil {
		known = make(map[string]bool)
		if k.of == nil {
			k.of = make(map[string]map[string]bool)
		}
		k.of[l.Signal.Name] = known
	}
	known[l.Key] = true
	return true
}

func (k *keys) listenerNames(l *signals.ListenerInfo) *names {
	attrs := listenerAttrs(l)
	metric := attrs[:listenerMetricAttrs]
	if l.Key != "" && !k.has(l) {
		metric = slices.Clone(metric)
		metric[len(metric)-1] = keySubscription.String(valid(l.Listener))
	}
	return newNames(opCall, l.Signal, trace.SpanKindConsumer, attrs, metric)
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

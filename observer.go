package signals

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Observer is called at the stages of emissions and deliveries: the seam for
// tracing, metrics and inspection. Nil fields cost nothing. The functions run
// on the goroutine that emits or delivers, so they must be quick; they may be
// called from many goroutines at once. A panic in one is logged; they must not
// call runtime.Goexit. Fields may be added: use field names in literals.
type Observer struct {
	// EmitBegin is called before an emission; the context that it returns
	// goes on to the listeners. Nil stands for ctx itself.
	EmitBegin func(ctx context.Context, s *SignalInfo) context.Context
	// EmitEnd is called when Emit is about to return: sync with the failures
	// joined, async with the reason for a refusal.
	EmitEnd func(ctx context.Context, s *SignalInfo, err error)
	// ListenerBegin is called before a listener; the context that it returns
	// goes to that call. Nil stands for ctx itself.
	ListenerBegin func(ctx context.Context, l *ListenerInfo) context.Context
	// ListenerEnd is called after a listener: how long it took, and its
	// failure or nil.
	ListenerEnd func(ctx context.Context, l *ListenerInfo, took time.Duration, err error)
	// Drop is called when n accepted emissions will not reach a listener.
	Drop func(l *ListenerInfo, n int)
	// Failure is called for each failure of a listener, whether it goes to a
	// handler or to the emitter, and for each Emit that is refused. An
	// observer with only Failure and Drop costs emissions nothing, and async
	// deliveries a look at the clock for each batch.
	Failure func(ctx context.Context, f Failure)
}

// Kind says what kind of signal it is.
type Kind string

// The kinds of signal.
const (
	KindSync    Kind = "sync"
	KindAsync   Kind = "async"
	KindSharded Kind = "sharded"
)

// SignalInfo says which signal it is. It does not change.
type SignalInfo struct {
	Name    string // as given, or derived from payload type and first registration
	Kind    Kind
	Payload string // payload type, such as "shop.Order"
	Site    string // file:line that made the signal, or first registered on it
}

// ListenerInfo says which listener it is. It does not change.
type ListenerInfo struct {
	Signal   *SignalInfo
	Key      string // or ""
	Listener string // function, such as "shop.(*Stock).reserve"
	Site     string // file:line of the registration
	Priority int
}

// hooks are the observers of one emission or delivery, in calling order.
type hooks []Observer

// stage is when observers are called. Each stage has its own list, so that an
// observer costs nothing at a stage for which it has no function.
type stage int

const (
	emitting   stage = iota // EmitBegin, EmitEnd
	delivering              // ListenerBegin, ListenerEnd
	telling                 // Drop, Failure
	stages
)

// staged is a list of observers for each stage. It does not change.
type staged [stages]hooks

func newStaged(observers []Observer) *staged {
	var s staged
	for _, o := range observers {
		if o.EmitBegin != nil || o.EmitEnd != nil {
			s[emitting] = append(s[emitting], o)
		}
		if o.ListenerBegin != nil || o.ListenerEnd != nil {
			s[delivering] = append(s[delivering], o)
		}
		if o.Drop != nil || o.Failure != nil {
			s[telling] = append(s[telling], o)
		}
	}
	return &s
}

func (h hooks) emitBegin(ctx context.Context, st *settings) context.Context {
	for i := range h {
		if f := h[i].EmitBegin; f != nil {
			ctx = st.begin(ctx, "EmitBegin", func() context.Context { return f(ctx, st.info()) })
		}
	}
	return ctx
}

func (h hooks) emitEnd(ctx context.Context, st *settings, err error) {
	for i := range h {
		if f := h[i].EmitEnd; f != nil {
			st.guard(ctx, "EmitEnd", func() { f(ctx, st.info(), err) })
		}
	}
}

func (h hooks) listenerBegin(ctx context.Context, st *settings, l *ListenerInfo) context.Context {
	for i := range h {
		if f := h[i].ListenerBegin; f != nil {
			ctx = st.begin(ctx, "ListenerBegin", func() context.Context { return f(ctx, l) })
		}
	}
	return ctx
}

func (h hooks) listenerEnd(ctx context.Context, st *settings, l *ListenerInfo, took time.Duration, err error) {
	for i := range h {
		if f := h[i].ListenerEnd; f != nil {
			st.guard(ctx, "ListenerEnd", func() { f(ctx, l, took, err) })
		}
	}
}

func (h hooks) drop(st *settings, l *ListenerInfo, n int) {
	for i := range h {
		if f := h[i].Drop; f != nil {
			st.guard(context.Background(), "Drop", func() { f(l, n) })
		}
	}
}

func (h hooks) failure(ctx context.Context, st *settings, failure func() Failure) {
	var f *Failure // made for the first who wants it
	for i := range h {
		if fn := h[i].Failure; fn != nil {
			if f == nil {
				made := failure()
				f = &made
			}
			st.guard(ctx, "Failure", func() { fn(ctx, *f) })
		}
	}
}

// begin calls one Begin function; if it panics or returns nil, ctx stays.
func (st *settings) begin(ctx context.Context, stage string, f func() context.Context) context.Context {
	out := ctx
	st.guard(ctx, stage, func() {
		if c := f(); c != nil {
			out = c
		}
	})
	return out
}

// guard calls an observer's function and logs its panic.
func (st *settings) guard(ctx context.Context, stage string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			st.say(ctx, slog.LevelError, "signals: an Observer panicked", "signal", st.info().Name, "stage", stage,
				"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	f()
}

package signals

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
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

// article is the word before a name: a or an.
func article(name string) string {
	if name != "" && strings.ContainsRune("aeiouAEIOU", rune(name[0])) {
		return "an"
	}
	return "a"
}

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

// stage is when observers are called. Each stage has its own list, so that an
// observer costs nothing at a stage for which it has no function.
type stage int

const (
	emitting   stage = iota // EmitBegin, EmitEnd
	delivering              // ListenerBegin, ListenerEnd
	telling                 // Drop, Failure
	stages
)

// staged are the observers of a signal, in calling order, by stage. It does not
// change.
type staged struct {
	at   [stages][]Observer
	ends bool // one has ListenerEnd
}

func newStaged(observers []Observer) *staged {
	s := new(staged)
	for _, o := range observers {
		if o.EmitBegin != nil || o.EmitEnd != nil {
			s.at[emitting] = append(s.at[emitting], o)
		}
		if o.ListenerBegin != nil || o.ListenerEnd != nil {
			s.at[delivering] = append(s.at[delivering], o)
		}
		if o.Drop != nil || o.Failure != nil {
			s.at[telling] = append(s.at[telling], o)
		}
		s.ends = s.ends || o.ListenerEnd != nil
	}
	return s
}

// with returns the observers of s and, behind them, those of t, which may be
// nil.
func (s *staged) with(t *staged) *staged {
	if t == nil {
		return s
	}
	both := &staged{ends: s.ends || t.ends}
	for i := range both.at {
		both.at[i] = append(slices.Clip(s.at[i]), t.at[i]...)
	}
	return both
}

func (s *staged) emitBegin(ctx context.Context, st *settings) context.Context {
	for i := range s.at[emitting] {
		if f := s.at[emitting][i].EmitBegin; f != nil {
			ctx = st.beginEmit(ctx, f)
		}
	}
	return ctx
}

func (s *staged) emitEnd(ctx context.Context, st *settings, err error) {
	for i := range s.at[emitting] {
		if f := s.at[emitting][i].EmitEnd; f != nil {
			st.guard(ctx, "EmitEnd", func() { f(ctx, st.info(), err) })
		}
	}
}

func (s *staged) listenerBegin(ctx context.Context, st *settings, l *ListenerInfo) context.Context {
	for i := range s.at[delivering] {
		if f := s.at[delivering][i].ListenerBegin; f != nil {
			ctx = st.beginListener(ctx, l, f)
		}
	}
	return ctx
}

func (s *staged) listenerEnd(ctx context.Context, st *settings, l *ListenerInfo, took time.Duration, err error) {
	for i := range s.at[delivering] {
		if f := s.at[delivering][i].ListenerEnd; f != nil {
			st.guard(ctx, "ListenerEnd", func() { f(ctx, l, took, err) })
		}
	}
}

func (s *staged) drop(st *settings, l *ListenerInfo, n int) {
	for i := range s.at[telling] {
		if f := s.at[telling][i].Drop; f != nil {
			st.guard(context.Background(), "Drop", func() { f(l, n) })
		}
	}
}

func (s *staged) failure(ctx context.Context, st *settings, f Failure) {
	for i := range s.at[telling] {
		if fn := s.at[telling][i].Failure; fn != nil {
			st.guard(ctx, "Failure", func() { fn(ctx, f) })
		}
	}
}

// beginEmit calls one EmitBegin; if it panics or returns nil, ctx stays.
func (st *settings) beginEmit(ctx context.Context, f func(context.Context, *SignalInfo) context.Context) (out context.Context) {
	out = ctx
	defer st.recovered(ctx, "EmitBegin")
	if c := f(ctx, st.info()); c != nil {
		out = c
	}
	return out
}

// beginListener calls one ListenerBegin; if it panics or returns nil, ctx stays.
func (st *settings) beginListener(ctx context.Context, l *ListenerInfo, f func(context.Context, *ListenerInfo) context.Context) (out context.Context) {
	out = ctx
	defer st.recovered(ctx, "ListenerBegin")
	if c := f(ctx, l); c != nil {
		out = c
	}
	return out
}

// guard calls an observer's function.
func (st *settings) guard(ctx context.Context, stage string, f func()) {
	defer st.recovered(ctx, stage)
	f()
}

// recovered is deferred around an observer's function, and logs its panic.
func (st *settings) recovered(ctx context.Context, stage string) {
	if v := recover(); v != nil {
		st.say(ctx, slog.LevelError, "signals: an Observer panicked", "signal", st.info().Name, "stage", stage,
			"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	}
}

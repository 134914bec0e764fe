package signals

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"example.com/signals/internal/source"
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
	// and vetoes joined, async with the reason for a refusal.
	EmitEnd func(ctx context.Context, s *SignalInfo, err error)
	// ListenerBegin is called before a listener; the context that it returns
	// goes to that call. Nil stands for ctx itself.
	ListenerBegin func(ctx context.Context, l *ListenerInfo) context.Context
	// ListenerEnd is called after a listener: how long it took, and its
	// failure or veto, or nil.
	ListenerEnd func(ctx context.Context, l *ListenerInfo, took time.Duration, err error)
	// Drop is called when n accepted emissions will not reach a listener.
	Drop func(l *ListenerInfo, n int)
	// Failure is called for each failure of a listener, whether it goes to a
	// handler or to the emitter, and for each Emit that is refused. An
	// observer with only Failure and Drop costs emissions nothing, and async
	// deliveries a look at the clock for each batch.
	Failure func(ctx context.Context, f Failure)
	// ListenerAdded is called when a listener has been registered, on the
	// goroutine that did so. The listener may be running already. It is not
	// called for taps, for registrations on a closed signal, nor for listeners
	// that are there when the observer is attached: look at Stats then.
	ListenerAdded func(l *ListenerInfo)
	// ListenerRemoved is called when a listener has been removed, by whatever
	// means, on the goroutine that did so; always after ListenerAdded has
	// returned. A call of it may still be in flight. The Close of a signal
	// removes no listeners. An observer with only ListenerAdded and
	// ListenerRemoved costs emissions and deliveries nothing.
	ListenerRemoved func(l *ListenerInfo)
}

// counts reports whether a signal with that observer counts.
func (o *Observer) counts() bool {
	registers := o.ListenerAdded != nil || o.ListenerRemoved != nil
	return !registers || o.EmitBegin != nil || o.EmitEnd != nil || o.ListenerBegin != nil || o.ListenerEnd != nil ||
		o.Drop != nil || o.Failure != nil
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

// ListenerInfo says which registration of a listener it is. It does not change.
type ListenerInfo struct {
	Signal   *SignalInfo
	Key      string // or ""
	Listener string // function, such as "shop.(*Stock).reserve"
	Site     string // file:line of the registration
	Priority int

	of *entry
}

// Function returns the full name of the function, with the path of its package, such
// as "example.com/shop.(*Stock).reserve". It is "" if l is not that of a registration.
func (l *ListenerInfo) Function() string {
	if l == nil || l.of == nil {
		return ""
	}
	return source.FullName(l.of.fn)
}

// Stats returns what is known of exactly this registration. It goes on working
// after the listener has been removed: for collectors of metrics, which must not
// lose what was counted last.
func (l *ListenerInfo) Stats() ListenerStats {
	if l == nil || l.of == nil {
		return ListenerStats{}
	}
	return l.of.stats()
}

// Final calls f once, with what the listener has counted, when nothing will be
// added to that any more. It is for collectors of metrics, for calls that end after
// the removal. An async listener is final when its registration has ended, see
// Subscription.Done; f runs on the goroutine that ends it, perhaps before Final
// returns. A removed sync listener is final when no emission can call it any more, as
// the garbage collector finds out: later, on a goroutine of its own, and never while
// f, a Subscription or a ListenerInfo leads to it. A panic of f is logged.
func (l *ListenerInfo) Final(f func(ListenerStats)) {
	if l == nil || l.of == nil {
		return
	}
	e, st := l.of, l.of.st
	if st.kind != KindSync {
		e.afterEnd(func() {
			st.guard(context.Background(), "Final", func() { f(e.stats()) })
		})
		return
	}
	s := ListenerStats{Key: l.Key, Listener: l.Listener, Site: l.Site, Priority: l.Priority}
	delivered, timing, outcomes := e.Delivered, e.Timing, e.outcome()
	runtime.AddCleanup(e, func(f func(ListenerStats)) {
		s.read(delivered, timing, outcomes)
		st.guard(context.Background(), "Final", func() { f(s) })
	}, f)
}

// ObserveListeners calls added for each listener that is registered on the
// signal from now on, and removed for each that is removed, until stop is called;
// either may be nil. Both are called as ListenerAdded and ListenerRemoved of an
// Observer, behind those, and cost emissions nothing. Listeners that are there
// already are in Stats; see the Info of theirs.
func (s *signal) ObserveListeners(added, removed func(l *ListenerInfo)) (stop func()) {
	o := &Observer{ListenerAdded: added, ListenerRemoved: removed}
	s.b.observe(func(all []*Observer) []*Observer { return append(all, o) })
	return func() {
		s.b.observe(func(all []*Observer) []*Observer {
			return slices.DeleteFunc(all, func(other *Observer) bool { return other == o })
		})
	}
}

// ObserveFailures calls told for each failure of the signal from now on, as Failure
// of an Observer and behind those, until stop is called. ctx is that of the call
// which failed, or of the refused emission. It costs emissions that do not fail
// nothing. On a signal that was never used it does nothing, and returns nil: ask for
// its Stats first.
func (s *signal) ObserveFailures(told func(ctx context.Context, f Failure)) (stop func()) {
	st := s.b.conf.Load()
	if st == nil {
		return nil
	}
	o := &failureObserver{told}
	change := func(change func([]*failureObserver) []*failureObserver) {
		s.b.mu.Lock()
		defer s.b.mu.Unlock()
		var all []*failureObserver
		if old := st.failing.Load(); old != nil {
			all = slices.Clone(*old)
		}
		all = change(all)
		st.failing.Store(&all)
	}
	change(func(all []*failureObserver) []*failureObserver { return append(all, o) })
	return func() {
		change(func(all []*failureObserver) []*failureObserver {
			return slices.DeleteFunc(all, func(other *failureObserver) bool { return other == o })
		})
	}
}

type failureObserver struct {
	told func(context.Context, Failure)
}

// late are the observers that ObserveListeners attached. It does not change.
type late struct {
	all  []*Observer
	told *staged // made from all
}

// observe makes other late observers of those that there are; change gets a copy.
func (b *base) observe(change func([]*Observer) []*Observer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := new(late)
	if old := b.late.Load(); old != nil {
		next.all = slices.Clone(old.all)
	}
	next.all = change(next.all)
	observers := make([]Observer, len(next.all))
	for i, o := range next.all {
		observers[i] = *o
	}
	next.told = newStaged(observers)
	b.late.Store(next)
}

// stage is when observers are called. Each stage has its own list, so that an
// observer costs nothing at a stage for which it has no function.
type stage int

const (
	emitting    stage = iota // EmitBegin, EmitEnd
	delivering               // ListenerBegin, ListenerEnd
	telling                  // Drop, Failure
	registering              // ListenerAdded, ListenerRemoved
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
		if o.ListenerAdded != nil || o.ListenerRemoved != nil {
			s.at[registering] = append(s.at[registering], o)
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

// listenerBegin calls those from number i on. What panics or returns nil leaves
// ctx as it is. All are called in one frame, which costs a third less than one
// for each.
func (s *staged) listenerBegin(ctx context.Context, st *settings, l *ListenerInfo, i int) (out context.Context) {
	defer func() {
		if out == nil { // the one at i panicked
			st.panicked(ctx, "ListenerBegin", recover())
			out = s.listenerBegin(ctx, st, l, i+1)
		}
	}()
	for all := s.at[delivering]; i < len(all); i++ {
		if f := all[i].ListenerBegin; f != nil {
			if c := f(ctx, l); c != nil {
				ctx = c
			}
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

func (s *staged) added(st *settings, l *ListenerInfo) {
	for i := range s.at[registering] {
		if f := s.at[registering][i].ListenerAdded; f != nil {
			st.guard(context.Background(), "ListenerAdded", func() { f(l) })
		}
	}
}

func (s *staged) removed(st *settings, l *ListenerInfo) {
	for i := range s.at[registering] {
		if f := s.at[registering][i].ListenerRemoved; f != nil {
			st.guard(context.Background(), "ListenerRemoved", func() { f(l) })
		}
	}
}

func (s *staged) failure(ctx context.Context, st *settings, f Failure) {
	for i := range s.at[telling] {
		if fn := s.at[telling][i].Failure; fn != nil {
			st.guard(ctx, "Failure", func() { fn(ctx, f) })
		}
	}
	if late := st.failing.Load(); late != nil {
		for _, o := range *late {
			st.guard(ctx, "Failure", func() { o.told(ctx, f) })
		}
	}
}

// beginEmit calls one EmitBegin; if it panics or returns nil, ctx stays.
func (st *settings) beginEmit(ctx context.Context, f func(context.Context, *SignalInfo) context.Context) (out context.Context) {
	defer func() {
		if out == nil { // f panicked: asking the runtime each time takes longer than the rest
			out = ctx
			st.panicked(ctx, "EmitBegin", recover())
		}
	}()
	if out = f(ctx, st.info()); out == nil {
		out = ctx
	}
	return out
}

// guard calls an observer's function.
func (st *settings) guard(ctx context.Context, stage string, f func()) {
	returned := false
	defer func() {
		if !returned {
			st.panicked(ctx, stage, recover())
		}
	}()
	f()
	returned = true
}

// panicked logs that an observer's function panicked with v; nil is a Goexit.
func (st *settings) panicked(ctx context.Context, stage string, v any) {
	if v != nil {
		st.say(ctx, slog.LevelError, "signals: an Observer panicked", "signal", st.info().Name, "stage", stage,
			"panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	}
}

package resilience

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals"
)

// CircuitBreaker is a signal that refuses emissions, with an *OpenError, while
// its circuit is open: when the listeners fail, those who emit are told at once
// and the listeners are left alone.
//
// On a sync signal each emission counts as one call, which failed if one of its
// listeners did. On an async signal each call of a listener counts, since Emit has long returned:
// with several listeners of which one fails, use FailureRate, because the
// others' successes interrupt any row of failures. While the circuit is
// half-open each emission counts as one trial there too, which succeeds when
// all who get it have. What was accepted before the circuit opened is still
// delivered; what comes of it no longer counts.
//
// Failures count as in Breaker. An emission that nobody got, because there was
// no listener, because all turned it away, or because its context ended or the
// signal refused it, counts neither way, and gives the place of a trial back.
type CircuitBreaker[T any] struct {
	gate[T]
	circuit *Circuit
}

var _ signals.Signal[int] = (*CircuitBreaker[int])(nil)

// NewCircuitBreaker makes a signal with newSignal, which gets opts and an
// observer that tells the circuit what comes of the emissions:
//
//	orders := resilience.NewCircuitBreaker(signals.New[Order], circuit, signals.Name("orders"))
//
// It panics if newSignal does not use these options, as signals.Topic does not
// when there is a topic of that name already.
func NewCircuitBreaker[T any, S signals.Signal[T]](newSignal func(...signals.Option) S, c *Circuit, opts ...signals.Option) *CircuitBreaker[T] {
	need(newSignal != nil, "NewCircuitBreaker: the function that makes the signal is nil")
	need(c != nil, "NewCircuitBreaker: the circuit is nil; make one with NewCircuit")
	w := &watch{circuit: c}
	used := false
	sig := newSignal(append(slices.Clip(opts), noting(signals.Observe(w.observer()), &used))...)
	need(used, "NewCircuitBreaker: the function that makes the signal did not use its options, so that the circuit would never hear of a failure; "+
		"does it return a signal that exists already, such as a topic? Then make the signal here, first, and let the others find it on the bus")
	w.sig.Store(watchedOf(sig, sig.Len))
	b := &CircuitBreaker[T]{circuit: c}
	b.gate = gate[T]{Signal: sig, admit: w.admit, settle: w.settle}
	return b
}

// noting makes an option that notes that it has been used. C is the signal's
// configuration, which has no name outside its package.
func noting[C any](option func(C), used *bool) func(C) {
	return func(c C) {
		*used = true
		option(c)
	}
}

// State returns the state that the circuit is in now.
func (b *CircuitBreaker[T]) State() State { return b.circuit.State() }

// StateChanges is the signal of the circuit's changes of state.
func (b *CircuitBreaker[T]) StateChanges() signals.Source[StateChange] {
	return b.circuit.StateChanges()
}

// watch is what a circuit sees of one signal.
type watch struct {
	circuit *Circuit
	sig     atomic.Pointer[watched] // set once the signal has been made

	mu    sync.Mutex
	known map[*signals.ListenerInfo]bool // whether it is a listener; under mu
}

// watched are methods of the signal, nil if it has none such.
type watched struct {
	len     func() int
	pending func() int
	stats   func() signals.SignalStats
}

func watchedOf(sig any, length func() int) *watched {
	s := &watched{len: length}
	if has, ok := sig.(interface{ Pending() int }); ok {
		s.pending = has.Pending
	}
	if has, ok := sig.(interface{ Stats() signals.SignalStats }); ok {
		s.stats = has.Stats
	}
	return s
}

func (w *watch) len() int {
	if s := w.sig.Load(); s != nil {
		return s.len()
	}
	return 0
}

// idle reports whether the signal has finished all that it has accepted.
func (w *watch) idle() bool {
	s := w.sig.Load()
	return s != nil && s.pending != nil && s.pending() == 0
}

// admit asks the circuit for an emission.
func (w *watch) admit(ctx context.Context) (context.Context, error) {
	done, refused := w.circuit.allow()
	if refused != nil {
		refused.emission = true
		return nil, refused
	}
	return w.permit(ctx, done), nil
}

// settle is told that an emission has returned to the wrapper.
func (w *watch) settle(ctx context.Context) {
	if p := w.permitIn(ctx); p != nil && (!p.begun.Load() || p.sync()) {
		p.end(ignored) // if it has not ended: a signal that never had a listener calls no observer
	}
}

// observer tells the circuit what comes of the emissions.
func (w *watch) observer() signals.Observer {
	return signals.Observer{EmitBegin: w.emitBegin, EmitEnd: w.emitEnd, ListenerEnd: w.listenerEnd, Failure: w.failed}
}

func (w *watch) emitBegin(ctx context.Context, s *signals.SignalInfo) context.Context {
	p := w.permitIn(ctx)
	if p == nil || !p.begun.CompareAndSwap(false, true) {
		// It came past the wrapper, perhaps from a listener, whose context is that
		// of another emission. It is not refused, but counted if it can be.
		done, refused := w.circuit.allow()
		p = w.permit(ctx, done)
		if refused != nil {
			p.generation, p.trial = bypassed, false
		}
		p.begun.Store(true)
		ctx = p
	}
	p.begin(s.Kind)
	return ctx
}

func (w *watch) emitEnd(ctx context.Context, s *signals.SignalInfo, err error) {
	p := w.permitIn(ctx)
	switch {
	case p == nil:
	case s.Kind == signals.KindSync:
		came := failure // if FailureIf panics
		defer func() { p.end(came) }()
		came = p.judge(err)
	case err != nil: // refused
		p.end(ignored)
	default:
		p.accept()
	}
}

// judge says what a sync emission came to: the worst of its listeners, and if
// none failed, whether one was called.
func (p *permit) judge(err error) verdict {
	p.mu.Lock()
	worst := ignored
	if p.successes > 0 {
		worst = success
	}
	p.mu.Unlock()
	return max(worst, p.judgeEach(err))
}

func (p *permit) judgeEach(err error) verdict {
	if e, ok := err.(*signals.ListenerError); ok { //nolint:errorlint // the signal's own, as it made it
		return p.of.circuit.judge(p, e.Err)
	}
	worst := ignored // nil, or its context ended between listeners
	if is(err, signals.ErrGoexit) {
		worst = failure
	}
	if reflect.TypeOf(err) == joined {
		_, errs := unwrap(err)
		for _, e := range errs {
			worst = max(worst, p.judgeEach(e))
		}
	}
	return worst
}

// listenerEnd hears of each call, failed of each failure: also of that of a Filter,
// which is no call.
func (w *watch) listenerEnd(ctx context.Context, l *signals.ListenerInfo, _ time.Duration, err error) {
	if p := w.permitIn(ctx); p != nil && (err == nil || answered(err)) && (l.Signal.Kind == signals.KindSync || w.listens(l)) {
		p.call(success)
	}
}

// maxKnown bounds what is remembered of listeners that have gone.
const maxKnown = 1024

// listens tells a listener of an async signal from a Tap on its bus, which the
// observer hears of as well, and whose success says nothing. Only listeners are
// in the signal's Stats. (One with Once is not either, when it is called; that
// loses a success of it, no failure.)
func (w *watch) listens(l *signals.ListenerInfo) bool {
	s := w.sig.Load()
	if s == nil || s.stats == nil {
		return true
	}
	w.mu.Lock()
	is, ok := w.known[l]
	w.mu.Unlock()
	if ok {
		return is
	}
	is = slices.ContainsFunc(s.stats().Listeners, func(st signals.ListenerStats) bool {
		return st.Key == l.Key && st.Listener == l.Listener && st.Site == l.Site
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known == nil || len(w.known) >= maxKnown {
		w.known = make(map[*signals.ListenerInfo]bool)
	}
	w.known[l] = is
	return is
}

func (w *watch) failed(ctx context.Context, f signals.Failure) {
	if p := w.permitIn(ctx); p != nil && f.Listener != "" && !p.sync() {
		came := failure // if FailureIf panics
		defer func() { p.call(came) }()
		came = w.circuit.judge(ctx, f.Err)
	}
}

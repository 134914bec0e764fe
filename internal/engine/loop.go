package engine

import (
	"context"
	"runtime"
	"unsafe"

	"example.com/signals/internal/inside"
	"example.com/signals/internal/listen"
	"example.com/signals/internal/tally"
)

// Loop is one range over Events: a worker on the goroutine of the range, for
// one reader, one emission at a time.
type Loop struct {
	g     *Engine
	r     *Reader
	cl    claim
	yield *unsafe.Pointer // a func(T) bool
	woken chan struct{}
	over  bool // the range ends

	at, calls uint64 // as of a Worker
	yielded   bool   // the body has come back
	panicked  any    // by a panic, in an Around
}

// NewLoop makes a loop. yield is the body, a func(T) bool of the payload type.
func NewLoop(yield *unsafe.Pointer) *Loop {
	return &Loop{yield: yield, woken: make(chan struct{}, 1)}
}

func (l *Loop) wake() {
	select {
	case l.woken <- struct{}{}:
	default: // it has been told already
	}
}

// Run runs the loop over a reader that was made with it, until it is over or ctx
// ends.
func (l *Loop) Run(ctx context.Context, r *Reader) {
	l.g, l.r = r.g, r
	body := l.body
	for ctx.Err() == nil && !l.over {
		if l.claim() {
			inside.Mark(l.g.id, body) // so that a call that waits knows it is inside
			continue
		}
		if l.over {
			return
		}
		select {
		case <-l.woken:
		case <-ctx.Done():
		}
	}
}

// claim takes the next emission, if there is one.
func (l *Loop) claim() bool {
	g, r := l.g, l.r
	g.mu.Lock()
	defer g.unlock()
	if !r.attached {
		l.over = true
		return false
	}
	g.unlist(r)
	g.answered(r)
	if r.next == g.end {
		g.enlist(r) // idle: an emission makes it ready, and a worker wakes us
		g.rest()
		l.over = g.closed
		return false
	}
	g.claim(r, &l.cl)
	return true
}

// call notes that one that pulls, and is in no list, will come and look.
func (g *Engine) call(r *Reader) {
	r.called = true
	g.called++
}

// answered notes that it has come.
func (g *Engine) answered(r *Reader) {
	if r.called {
		r.called = false
		g.called--
	}
}

// body runs the body of the range for the claimed emission. A panic in it goes
// on to whoever ranges, and so does a Goexit; the emission is finished all the same,
// without the EmitWait being told that it went well.
func (l *Loop) body() {
	g, r, from := l.g, l.r, l.cl.from
	slot := g.slot(l.cl.c, from)
	l.at, l.calls, l.yielded, l.panicked = from, 0, false, nil
	var outcome error
	defer func() {
		g.mu.Lock()
		defer g.unlock()
		g.finish(r, from, l.at, l.calls, outcome)
	}()
	r.begin()
	if r.gone() {
		l.over = true
		return // dropped
	}
	call := listen.Call{Member: r.m, Handler: r.h, Timed: r.timing != nil && tally.Sampled(from)}
	defer func() {
		if call.Called && !l.yielded && outcome == nil {
			outcome = r.l.Lost()
		}
	}()
	_, err := call.Make(r.contextOf(slot, from), func(ctx context.Context, h *listen.Handler, filter bool) (listen.Undo, bool, error) {
		return l.run(ctx, h, filter)
	}, func() listen.Runner { return l.run }, r.gone)
	if l.panicked != nil {
		panic(l.panicked)
	}
	if call.Called && l.calls == 0 { // an Around did not go on to the body
		l.at, l.calls, l.yielded, l.over = from+1, 1, true, r.h.Once
	}
	switch {
	case err != nil: // of a filter, or an Around
		l.at = from + 1
		outcome = r.l.Named(err)
		r.l.Failed(r.contextOf(slot, from), g.ops.Box(slot), err)
	case call.Called:
	case r.gone():
		l.over = true // dropped, while its filter or an observer ran
	default:
		l.at = from + 1
	}
	if call.Called && !l.yielded { // the body has ended the goroutine that an Around made for it, and wants to end this one
		runtime.Goexit()
	}
}

// run is the listen.Runner of the claimed emission. What an Around is told of a
// panic in the body goes on behind it.
func (l *Loop) run(ctx context.Context, h *listen.Handler, filter bool) (_ listen.Undo, _ bool, err error) {
	slot := l.g.slot(l.cl.c, l.cl.from)
	if filter {
		return l.g.ops.Call(ctx, h, true, slot)
	}
	l.at, l.calls = l.cl.from+1, 1
	l.over = true // unless the body comes back
	if len(h.Around) > 0 {
		defer func() {
			if l.panicked = recover(); l.panicked != nil {
				err = l.r.l.Panicked(l.panicked)
			}
		}()
	}
	more := l.g.ops.Yield(l.yield, slot)
	l.yielded, l.over = true, !more || h.Once
	return nil, false, nil
}

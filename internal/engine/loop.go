package engine

import (
	"context"
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
	yield func(slot unsafe.Pointer) bool
	over  bool // the range ends
}

// NewLoop makes the loop of a reader that was made with that pull.
func NewLoop(r *Reader, yield func(slot unsafe.Pointer) bool) *Loop {
	return &Loop{g: r.g, r: r, yield: yield}
}

// Run runs the loop until it is over or ctx ends.
func (l *Loop) Run(ctx context.Context) {
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
		case <-l.r.pull:
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

// call notes that an Events loop, which is in no list, will come and look.
func (g *Engine) call(r *Reader) {
	r.called = true
	g.called++
}

// answered notes that an Events loop which was to come has come.
func (g *Engine) answered(r *Reader) {
	if r.called {
		r.called = false
		g.called--
	}
}

// body runs the body of the range for the claimed emission. A panic in it goes
// on to whoever ranges; the emission is finished all the same, without the
// EmitWait being told that it went well.
func (l *Loop) body() {
	g, r, from := l.g, l.r, l.cl.from
	slot := g.slot(l.cl.c, from)
	at, calls, outcome := from, uint64(0), error(nil)
	defer func() {
		g.mu.Lock()
		defer g.unlock()
		g.finish(r, from, at, calls, outcome)
	}()
	r.begin()
	call := listen.Call{Member: r.m, Handler: r.h, Timed: r.timing != nil && tally.Sampled(from)}
	if r.gone() {
		l.over = true
		return // dropped
	}
	yielded := false // the body has come back
	defer func() {
		if call.Called && !yielded {
			outcome = r.l.Lost()
		}
	}()
	_, err := call.Make(contextOf(slot),
		func(h *listen.Handler) (bool, error) { return g.ops.Wants(h, slot) },
		func(context.Context, *listen.Handler) (listen.Undo, error) {
			at, calls = from+1, 1
			l.over = true // unless the body comes back
			more := l.yield(slot)
			yielded, l.over = true, !more || r.h.Once
			return nil, nil
		},
		r.gone)
	switch {
	case call.Called:
	case err != nil: // of a filter
		at = from + 1
		outcome = r.l.Named(err)
		r.l.Failed(contextOf(slot), g.ops.Box(slot), err)
	case r.gone():
		l.over = true // dropped, while its filter or an observer ran
	default:
		at = from + 1
	}
}

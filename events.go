package signals

import (
	"context"
	"fmt"
	"iter"
)

// Events returns the emissions of the signal as a sequence:
//
//	for order := range orders.Events(ctx) {
//		...
//	}
//
// Each range registers a listener of its own when it starts, and removes it
// when it ends: on break, when ctx ends, when the listener is removed by its
// key or Reset, or after Close, when it has delivered everything. An emission
// is finished when the body of the loop returns; the body runs on the
// goroutine that ranges, and counts as running a listener. Emissions wait
// without bound unless MaxLag is given. A taken key, or Concurrency, panics
// when the range starts. With Once the loop runs once.
func (s *AsyncSignal[T]) Events(ctx context.Context, opts ...ListenerOption) iter.Seq[T] {
	ctx = orBackground(ctx)
	return func(yield func(T) bool) { s.consume(ctx, yield, opts) }
}

// consume is one range over Events.
func (s *AsyncSignal[T]) consume(ctx context.Context, yield func(T) bool, opts []ListenerOption) {
	gs := s.all()
	h := &handler[T]{fails: func(context.Context, T) error { return nil }}
	e, c := newEntry(&s.baseSignal, s.conf.Load(), "Events", h, yield, opts)
	if c.concurrency > 1 {
		panic(fmt.Sprintf("signals: Events on %q: a loop runs one body at a time; Concurrency(%d) makes no sense", e.st.info().Name, c.concurrency))
	}
	pull := make(chan struct{}, 1)
	_, sub, err := e.enlist(h, attacher(gs, e, h, c, pull))
	if sub == nil {
		panic(err.Error())
	}
	defer sub.Unsubscribe()
	l := loop[T]{g: gs[0], r: e.readers[0], yield: yield}
	body := l.body
	for ctx.Err() == nil && !l.over {
		if l.claim() {
			markTop(e.st.id, body) // so that a call that waits knows it is inside
			continue
		}
		if l.over {
			return
		}
		select {
		case <-pull:
		case <-ctx.Done():
		}
	}
}

// loop is one range over Events: a worker on the goroutine of the range, for
// one reader, one emission at a time.
type loop[T any] struct {
	g     *engine[T]
	r     *reader[T]
	cl    claim[T]
	yield func(T) bool
	over  bool // the range ends
}

// claim takes the next emission, if there is one.
func (l *loop[T]) claim() bool {
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
func (g *engine[T]) call(r *reader[T]) {
	r.called = true
	g.called++
}

// answered notes that an Events loop which was to come has come.
func (g *engine[T]) answered(r *reader[T]) {
	if r.called {
		r.called = false
		g.called--
	}
}

// body runs the body of the range for the claimed emission. A panic in it goes
// on to whoever ranges; the emission is finished all the same, without the
// EmitWait being told that it went well.
func (l *loop[T]) body() {
	g, r, e := l.g, l.r, l.r.e
	sl := &l.cl.c.slots[l.cl.from-l.cl.c.base]
	at, calls, outcome := l.cl.from, uint64(0), error(nil)
	defer func() {
		g.mu.Lock()
		defer g.unlock()
		g.finish(r, l.cl.from, at, calls, outcome)
	}()
	if !r.begin() {
		l.over = true
		return // dropped
	}
	ok, err := r.h.wants(sl.payload)
	if err == nil && r.gone() {
		l.over = true
		return // the same, while its filter ran
	}
	at++
	if err != nil {
		outcome = e.named(err)
		e.report(sl.ctx, sl.payload, err)
	}
	if !ok || err != nil || r.h.once && !e.claimOnce() {
		return
	}
	calls++
	hk, ctx := g.st.hooks(delivering), sl.ctx
	if len(hk) > 0 {
		ctx = hk.listenerBegin(ctx, e.st, e.info())
	}
	l.over = true // unless the body comes back
	if l.cl.wait != nil || len(hk) > 0 {
		outcome = e.dropError()
	}
	begun := monotonic()
	defer func() {
		took := monotonic() - begun
		if e.timing != nil && l.cl.from%sampleEvery == 0 {
			e.timing.add(took)
		}
		if len(hk) > 0 {
			hk.listenerEnd(ctx, e.st, e.info(), took, outcome)
		}
	}()
	more := l.yield(sl.payload)
	outcome, l.over = nil, !more || r.h.once
}

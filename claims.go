package signals

import (
	"fmt"
	"time"
)

// claim is a run of positions that one worker works off.
type claim[T any] struct {
	c        *chunk[T]
	from, to uint64
	wait     *waiter       // an EmitWait, whose emission is a claim of its own, or nil
	begun    time.Duration // SlowAfter, or an observer that is told: when it began
	said     bool          // SlowAfter: it has been warned of
}

// barrier is a Drain that waits until every reader has passed pos.
type barrier struct {
	pos  uint64
	left int // readers that have not; under engine.mu
	done chan struct{}
}

// waiter is an EmitWait.
type waiter struct {
	left int     // listeners that have not finished; under engine.mu
	errs []error // under engine.mu until done is closed
	done chan struct{}
}

// finish notes that one listener is through. It must be called with engine.mu
// held.
func (w *waiter) finish(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// claim puts the next positions of r, which has some, into cl. Those whose end must be
// known exactly take one at a time; a batch ends before every barrier, so that
// Drain never waits for what came after it, and an emission of EmitWait is a
// claim of its own.
func (g *engine[T]) claim(r *reader[T], cl *claim[T]) {
	if r.maxLag > 0 {
		g.trim(r)
	}
	g.follow(r)
	*cl = claim[T]{c: r.at, from: r.next, to: r.next + 1}
	if r.batches {
		cl.to = min(g.end, r.at.base+uint64(len(r.at.slots)))
		for _, b := range g.barriers {
			if b.pos > cl.from {
				cl.to = min(cl.to, b.pos)
				break
			}
		}
		for p := cl.from + 1; g.waits > 0 && p < cl.to; p++ {
			if r.at.due(p).wait != nil {
				cl.to = p
			}
		}
	}
	if g.waits > 0 {
		if cl.wait = r.at.due(cl.from).wait; cl.wait != nil {
			cl.to = cl.from + 1
		}
	}
	if g.slowAfter > 0 || len(g.st.hooks(telling)) > 0 {
		cl.begun = monotonic()
	}
	if g.slowAfter > 0 {
		g.arm()
	}
	r.next = cl.to
	cl.c.claims++
	g.claims++
	r.claims = append(r.claims, *cl)
	r.state.Store(cl.from << 1)
}

// finish ends a claim. Positions before at have been run, with that many
// calls; those from at on have not, because the listener was removed. outcome
// is for an EmitWait, whose emission is always a claim of its own: it is told
// here, so that when it returns nothing of the emission is left to be done.
func (g *engine[T]) finish(r *reader[T], from, at, calls uint64, outcome error) {
	i := r.claimed(from)
	cl := r.claims[i]
	last := len(r.claims) - 1
	if i < last {
		r.claims[i] = r.claims[last]
	}
	r.claims[last].c, r.claims[last].wait = nil, nil
	r.claims = r.claims[:last]
	g.claims--
	r.run += calls
	if !r.hidden {
		g.run += calls
	}
	if at > from && cl.wait != nil {
		g.answer(cl.c, from, outcome)
	}
	if g.capacity > 0 {
		for p := cl.from; p < min(at, cl.to); p++ {
			g.release(cl.c, p)
		}
	}
	if at < cl.to {
		g.drop(r, cl.c, at, cl.to)
	}
	if cl.c.claims--; cl.c.claims == 0 && cl.c.off {
		g.recycle(cl.c)
	}
	g.advance(r)
	if r.gone() {
		if len(r.claims) == 0 {
			g.forget(r)
		}
	} else if r.pull != nil {
		g.call(r) // its loop comes by itself, no worker has to wake it
	} else {
		g.enlist(r)
	}
	if len(r.claims) == 0 {
		for _, q := range r.quieted {
			close(q)
		}
		r.quieted = nil
	}
	g.reclaim()
	if g.capacity > 0 {
		g.admit()
	}
	if g.ready == 0 {
		g.rest()
	}
}

// claimed returns the index of the claim that begins at from.
func (r *reader[T]) claimed(from uint64) int {
	for i := range r.claims {
		if r.claims[i].from == from {
			return i
		}
	}
	panic("signals: a claim is finished twice") // never: each worker finishes its own, once
}

// advance moves r.done up and tells the barriers that it passes.
func (g *engine[T]) advance(r *reader[T]) {
	done := r.next
	if r.gone() {
		done = ^uint64(0)
	}
	for i := range r.claims {
		done = min(done, r.claims[i].from)
	}
	old := r.done
	r.done = done
	for i := 0; i < len(g.barriers); i++ {
		b := g.barriers[i]
		if old < b.pos && b.pos <= done {
			if b.left--; b.left == 0 {
				close(b.done)
				g.barriers = append(g.barriers[:i], g.barriers[i+1:]...)
				i--
			}
		}
	}
}

// drop gives up positions [from, to) of r, which lie in c and the chunks that
// follow: they will not be delivered to it.
func (g *engine[T]) drop(r *reader[T], c *chunk[T], from, to uint64) {
	if from >= to {
		return
	}
	if g.capacity > 0 || g.waits > 0 {
		for p := from; p < to; p++ {
			for p-c.base >= uint64(len(c.slots)) {
				c = c.next
			}
			if c.due(p).wait != nil {
				g.answer(c, p, r.e.dropError())
			}
			if g.capacity > 0 {
				g.release(c, p)
			}
		}
	}
	n := to - from
	if r.hidden {
		return
	}
	r.dropped += n
	g.dropped += n
	if len(g.st.hooks(telling)) > 0 {
		g.notes = append(g.notes, dropNote{r.e.info(), int(n)})
	}
}

// due returns what is due for position p.
func (c *chunk[T]) due(p uint64) due {
	if c.dues == nil {
		return due{}
	}
	return c.dues[p-c.base]
}

// answer tells the EmitWait of position p that one listener is through.
func (g *engine[T]) answer(c *chunk[T], p uint64, err error) {
	d := &c.dues[p-c.base]
	d.wait.finish(err)
	if d.wait.left == 0 {
		d.wait = nil
		g.waits--
	}
}

// discard drops what r has not claimed before position to.
func (g *engine[T]) discard(r *reader[T], to uint64) {
	if r.next < to {
		g.drop(r, r.at, r.next, to)
		r.next = to
		g.follow(r)
		g.advance(r)
	}
}

// dropError is what an EmitWait gets when the listener will not be called.
func (e *entry[T]) dropError() error {
	i := e.info()
	return &ListenerError{Signal: i.Signal.Name, Key: e.key, Index: -1, Listener: i.Listener, Err: fmt.Errorf("%w", ErrDropped)}
}

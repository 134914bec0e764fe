package engine

import (
	"time"

	"example.com/signals/internal/tally"
)

// claim is a run of positions that one worker works off.
type claim struct {
	c        *chunk
	from, to uint64
	wait     *Waiter       // an EmitWait, whose emission is a claim of its own but in batches, or nil
	begun    time.Duration // SlowAfter, or an observer that is told: when it began
	said     bool          // SlowAfter: it has been warned of
	started  bool          // with Concurrency and a Filter: its call has
}

// claim puts the next positions of r, which has some, into cl. Those whose end must be
// known exactly take one at a time; a longer claim ends before every barrier, so that
// Drain never waits for what came after it, and an emission of EmitWait is a
// claim of its own, unless the listener takes batches, for which each is answered.
func (g *Engine) claim(r *Reader, cl *claim) {
	if r.maxLag > 0 {
		g.trim(r)
	}
	g.follow(r)
	*cl = claim{c: r.at, from: r.next, to: r.next + 1}
	if r.batches || r.batch != nil {
		cl.to = min(g.end, r.at.base+uint64(r.at.n))
		if r.batch != nil {
			cl.to = min(cl.to, cl.from+r.batch.max)
		}
		for _, b := range g.barriers {
			if b.pos > cl.from {
				cl.to = min(cl.to, b.pos)
				break
			}
		}
		for p := cl.from + 1; r.batches && g.waits > 0 && p < cl.to; p++ {
			if r.at.due(p).wait != nil {
				cl.to = p
			}
		}
		if cl.from < r.since {
			cl.to = min(cl.to, r.since)
		}
	}
	if g.waits > 0 && r.batch == nil {
		if cl.wait = r.waiter(r.at, cl.from); cl.wait != nil {
			cl.to = cl.from + 1
		}
	}
	if g.slowAfter > 0 || g.told {
		cl.begun = tally.Clock()
	}
	if g.slowAfter > 0 {
		g.arm(cl.begun)
	}
	r.next = cl.to
	cl.c.claims++
	g.claims++
	r.claims = append(r.claims, *cl)
	if len(r.claims) == 1 { // with others under way, which Concurrency allows, only the lowest bits count, and stay
		r.state.Store(cl.from << begunShift)
	}
}

// finish ends a claim. Positions before at have been run, with that many
// calls; those from at on have not, because the listener was removed. outcome
// is for an EmitWait, whose emission is a claim of its own; a batch knows what it
// has for each. They are told here, so that when they return nothing of the emission
// is left to be done.
func (g *Engine) finish(r *Reader, from, at, calls uint64, outcome error) {
	i := r.claimed(from)
	cl := r.claims[i]
	last := len(r.claims) - 1
	if i < last {
		r.claims[i] = r.claims[last]
	}
	r.claims[last] = claim{}
	r.claims = r.claims[:last]
	g.claims--
	if r.turn != nil {
		r.turn.Broadcast()
	}
	r.run += calls
	if !r.hidden {
		g.run += calls
	}
	if r.batch != nil && g.waits > 0 {
		g.answerBatch(r, &cl, min(at, cl.to))
	} else if at > from && cl.wait != nil {
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
	} else {
		g.stripped(&cl)
	}
	g.advance(r)
	if r.gone() {
		if len(r.claims) == 0 {
			g.forget(r)
		}
	} else if r.pull != nil {
		g.call(r) // it comes by itself, no worker has to wake it
	} else {
		g.enlist(r)
	}
	if len(r.claims) == 0 {
		for _, q := range r.quieted {
			close(q)
		}
		r.quieted = nil
		g.ending(r)
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
func (r *Reader) claimed(from uint64) int {
	for i := range r.claims {
		if r.claims[i].from == from {
			return i
		}
	}
	panic("signals: a claim is finished twice") // never: each worker finishes its own, once
}

// advance moves r.done up and tells the barriers that it passes.
func (g *Engine) advance(r *Reader) {
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
				g.reached(b)
				g.barriers = append(g.barriers[:i], g.barriers[i+1:]...)
				i--
			}
		}
	}
}

// drop gives up positions [from, to) of r, which lie in c and the chunks that
// follow: they will not be delivered to it.
func (g *Engine) drop(r *Reader, c *chunk, from, to uint64) {
	if from >= to {
		return
	}
	if g.capacity > 0 || g.waits > 0 {
		for p := from; p < to; p++ {
			for p-c.base >= uint64(c.n) {
				c = c.next
			}
			if r.waiter(c, p) != nil {
				g.answer(c, p, r.l.Lost())
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
	if g.told {
		g.notes.drops = append(g.notes.drops, drop{r.l, int(n)})
	}
}

// answer tells the EmitWait of position p that one listener is through.
func (g *Engine) answer(c *chunk, p uint64, err error) {
	d := &c.dues[p-c.base]
	d.wait.finish(err)
	if d.wait.left == 0 {
		d.wait = nil
		g.waits--
	}
}

// discard drops what r has not claimed before position to.
func (g *Engine) discard(r *Reader, to uint64) {
	if r.next < to {
		g.drop(r, r.at, r.next, to)
		r.next = to
		g.follow(r)
		g.advance(r)
	}
}

// trim drops what a reader with MaxLag may not keep waiting. It can be done at
// any time before the next claim, with the same result, and so Emit does not
// have to do it for each of them: it is done when they claim, at each new
// chunk, for each emission that somebody may wait for, and when somebody looks.
func (g *Engine) trim(r *Reader) {
	waits := g.end - r.next
	n := uint64(r.maxLag)
	if waits > n {
		keep := n
		if r.keepLatest {
			// Seen one by one: at n+1 waiting only the newest is kept, and
			// then n more bring it there again.
			keep = 1 + (waits-n-1)%n
		}
		g.discard(r, g.end-keep)
	}
}

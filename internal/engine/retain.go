package engine

import (
	"context"
	"unsafe"
)

// What is retained is the end of the log itself: the chunks with the last
// g.retain positions stay, whether or not a cursor is in them, and a new reader
// begins at the first of those. So an emission costs the same with and without,
// and what is replayed is pending like all that a reader has not finished. A list
// of copies was rejected: each emission would pay for it, and Drain, Capacity,
// MaxLag and lag would have two places to look in.
//
// An emission that is replayed may have an EmitWait under way, which asked for
// the listeners that there were: see waiter.

// kept returns the first position that is retained, or the end of the log.
func (g *Engine) kept() uint64 { return g.end - min(g.end, g.retain) }

// rewind moves a reader that is being attached, and counted nowhere yet, back to
// what is retained.
func (g *Engine) rewind(r *Reader) {
	if r.next = g.kept(); r.next == g.end {
		return
	}
	r.at = g.head
	for r.next-r.at.base >= uint64(r.at.n) {
		r.at = r.at.next
	}
	if g.capacity > 0 {
		g.owe(r)
	}
	for _, b := range g.barriers {
		if r.next < b.pos {
			b.left++
		}
	}
}

// owe counts, for Capacity, what a reader is replayed as pending.
func (g *Engine) owe(r *Reader) {
	for c := r.at; c != nil; c = c.next {
		if c.dues == nil {
			c.dues = make([]due, c.n)
		}
		for p := max(r.next, c.base); p < min(g.end, c.base+uint64(c.n)); p++ {
			d := &c.dues[p-c.base]
			if d.left++; d.left == 1 {
				g.pending++
			}
		}
	}
}

// waiter returns the EmitWait of position p that waits for r, or nil.
func (r *Reader) waiter(c *chunk, p uint64) *Waiter {
	if p < r.since {
		return nil
	}
	return c.due(p).wait
}

// contextOf returns the context of an emission for r: of a replayed one the
// values, also if it had an EmitWait. It is not stored like that, since others may
// be reading the slot.
func (r *Reader) contextOf(slot unsafe.Pointer, p uint64) context.Context {
	if p < r.since {
		return detached(contextOf(slot))
	}
	return contextOf(slot)
}

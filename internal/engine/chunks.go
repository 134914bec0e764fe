package engine

import (
	"sync"
	"unsafe"
	"weak"
)

// A chunk takes about chunkBytes, or four times as much while the log is longer
// than that: workers that have a lot to catch up with then claim more at a time,
// and meet less often at the mutex. Where emissions are large, it makes no
// difference to them.
const (
	chunkBytes = 4 << 10
	minSlots   = 8
	manySlots  = 32
	maxSlots   = 256
)

// slots returns how many emissions go into a chunk.
func (g *Engine) slots(big bool) int {
	n := min(max(chunkBytes/int(g.size), minSlots), maxSlots)
	if big && n >= manySlots {
		n = min(4*n, maxSlots)
	}
	return n
}

// chunk is a piece of the log.
type chunk struct {
	base    uint64 // position of the first slot
	next    *chunk // under Engine.mu, as are the next three
	cursors int    // in it
	claims  int    // in it
	off     bool   // it has left the log, with claims in it
	n       int    // slots

	// slots are the emissions, n of them. It is nil in the tail of a signal
	// that is idle: then only idle knows them, and the garbage collector may
	// have them.
	slots unsafe.Pointer
	idle  weak.Pointer[byte]

	dues []due // under Engine.mu; beside slots, or nil
}

// due is what Capacity and EmitWait must know of one emission. It is beside
// the slots and not in them: without those two, nobody has to write it.
type due struct {
	wait *Waiter // EmitWait, or nil
	left int     // with Capacity: listeners that have not finished it
}

// slot returns the address of the slot of position p, which is in c.
func (g *Engine) slot(c *chunk, p uint64) unsafe.Pointer {
	return unsafe.Add(c.slots, uintptr(p-c.base)*g.size)
}

// due returns what is due for position p.
func (c *chunk) due(p uint64) due {
	if c.dues == nil {
		return due{}
	}
	return c.dues[p-c.base]
}

// extend puts a chunk behind the tail.
func (g *Engine) extend() *chunk {
	n := g.slots(false)
	if g.head != nil && g.end-g.head.base > uint64(4*n) {
		n = g.slots(true)
	}
	c, _ := g.poolOf(n).Get().(*chunk)
	if c == nil {
		c = &chunk{n: n, slots: g.ops.Make(n)}
	}
	c.base = g.end
	if g.tail == nil {
		g.head = c
		g.clean = g.end
		for _, r := range g.readers { // they wait for the first chunk
			r.at = c
			c.cursors++
		}
	} else {
		g.tail.next = c
	}
	g.tail = c
	for _, r := range g.bounded { // so that a stuck one holds no more than its lag and a chunk
		g.trim(r)
	}
	g.reclaim()
	if len(g.bounded) > 0 {
		g.sweep()
	}
	return c
}

// revive gives the tail its slots back.
func (g *Engine) revive(c *chunk) {
	if p := c.idle.Value(); p != nil {
		c.slots = unsafe.Pointer(p)
	} else {
		c.slots = g.ops.Make(c.n)
		c.idle = weak.Pointer[byte]{}
	}
}

// follow moves the cursor's chunk to where the cursor is, as far as there are
// chunks.
func (g *Engine) follow(r *Reader) {
	if r.at == nil {
		return
	}
	left := false
	for r.next-r.at.base >= uint64(r.at.n) && r.at.next != nil {
		r.at.cursors--
		r.at = r.at.next
		r.at.cursors++
		left = true
	}
	if left { // now, since the call that is to come may not end
		g.reclaim()
	}
}

// reclaim takes the chunks off the head that no cursor is in, and nothing
// retained.
func (g *Engine) reclaim() {
	for g.head != nil && g.head.cursors == 0 && (g.head != g.tail || len(g.readers) == 0) && (g.retain == 0 || g.head.base+uint64(g.head.n) <= g.kept()) {
		c := g.head
		g.head = c.next
		c.next = nil
		from := g.clean
		if g.head == nil {
			g.tail = nil
		} else {
			g.clean = max(g.clean, g.head.base)
		}
		if c.claims == 0 {
			g.recycle(c)
		} else {
			c.off = true
			g.strip(c, max(from, c.base), c.base+uint64(c.n))
		}
	}
}

// recycle puts a chunk that nobody needs into the pool.
func (g *Engine) recycle(c *chunk) {
	if c.slots == nil { // it was the tail while the signal was idle
		p := c.idle.Value()
		if p == nil {
			return
		}
		c.slots = unsafe.Pointer(p)
	}
	g.ops.Clear(c.slots, c.n)
	clear(c.dues)
	c.off = false
	g.poolOf(c.n).Put(c)
}

// poolOf returns the pool of the chunks with n slots.
func (g *Engine) poolOf(n int) *sync.Pool {
	if n == g.slots(false) {
		return &g.pool
	}
	return &g.bigPool
}

// sweep clears what is finished but for what is claimed and what is retained,
// although the head cannot leave: a stuck listener with MaxLag keeps it, or Retain.
func (g *Engine) sweep() {
	low := g.kept()
	for _, r := range g.readers {
		low = min(low, r.next)
	}
	for c := g.head; c != nil && g.clean < low; c = c.next {
		if to := min(low, c.base+uint64(c.n)); g.clean < to {
			g.strip(c, max(g.clean, c.base), to)
			g.clean = to
		}
	}
}

// strip clears positions [from, to) of a chunk but for what is claimed.
func (g *Engine) strip(c *chunk, from, to uint64) {
	var claimed [maxSlots]bool
	for _, rs := range [2][]*Reader{g.readers, g.leaving} {
		for _, r := range rs {
			for i := range r.claims {
				if cl := &r.claims[i]; cl.c == c {
					for p := cl.from; p < cl.to; p++ {
						claimed[p-c.base] = true
					}
				}
			}
		}
	}
	for p := from; p < to && c.slots != nil; p++ {
		if !claimed[p-c.base] {
			g.ops.Clear(g.slot(c, p), 1)
		}
	}
}

// stripped clears the positions of a claim that has ended and that strip has
// left out.
func (g *Engine) stripped(cl *claim) {
	if cl.from >= g.clean || cl.c.off || cl.c.slots == nil {
		return
	}
	for _, rs := range [2][]*Reader{g.readers, g.leaving} {
		for _, r := range rs {
			for i := range r.claims {
				if o := &r.claims[i]; o.c == cl.c && o.from < cl.to && cl.from < o.to {
					return // the other one comes here too
				}
			}
		}
	}
	g.ops.Clear(g.slot(cl.c, cl.from), int(min(cl.to, g.clean)-cl.from))
}

// rest clears the finished payloads when nothing is unfinished, or at least
// those that a stuck listener with MaxLag does not need.
func (g *Engine) rest() {
	if g.ready > 0 || g.called > 0 {
		return
	}
	c := g.tail
	if g.claims > 0 {
		if len(g.bounded) > 0 && c != nil && g.kept()-g.clean > uint64(c.n)/2 {
			for _, r := range g.bounded {
				g.trim(r)
			}
			g.reclaim()
			g.sweep()
		}
		return
	}
	if c == nil || c.slots == nil {
		return
	}
	if g.retain > 0 {
		g.sweep()
		return
	}
	if g.clean < g.end {
		from := max(g.clean, c.base)
		g.ops.Clear(g.slot(c, from), int(g.end-from))
		g.clean = g.end
	}
	if c.idle == (weak.Pointer[byte]{}) {
		c.idle = weak.Make((*byte)(c.slots))
	}
	c.slots = nil
}

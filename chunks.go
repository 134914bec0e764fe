package signals

import (
	"sync"
	"unsafe"
)

// slots returns how many emissions go into a chunk.
func (g *engine[T]) slots(big bool) int {
	n := min(max(chunkBytes/int(unsafe.Sizeof(slot[T]{})), minSlots), maxSlots)
	if big && n >= manySlots {
		n = min(4*n, maxSlots)
	}
	return n
}

// chunk is a piece of the log.
type chunk[T any] struct {
	base    uint64    // position of slots[0]
	next    *chunk[T] // under engine.mu, as are the next three
	cursors int       // in it
	claims  int       // in it
	off     bool      // it has left the log, with claims in it
	slots   []slot[T]
	dues    []due // under engine.mu; beside slots, or nil
}

// extend puts a chunk behind the tail.
func (g *engine[T]) extend() *chunk[T] {
	n := g.slots(false)
	if g.head != nil && g.end-g.head.base > uint64(4*n) {
		n = g.slots(true)
	}
	c, _ := g.poolOf(n).Get().(*chunk[T])
	if c == nil {
		c = &chunk[T]{slots: make([]slot[T], n)}
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
	if len(g.bounded) > 0 && g.head != c {
		low := g.end
		for _, r := range g.readers {
			low = min(low, r.next)
		}
		g.strip(g.head, low)
	}
	return c
}

// follow moves the cursor's chunk to where the cursor is, as far as there are
// chunks.
func (g *engine[T]) follow(r *reader[T]) {
	if r.at == nil {
		return
	}
	left := false
	for r.next-r.at.base >= uint64(len(r.at.slots)) && r.at.next != nil {
		r.at.cursors--
		r.at = r.at.next
		r.at.cursors++
		left = true
	}
	if left { // now, since the call that is to come may not end
		g.reclaim()
	}
}

// reclaim takes the chunks off the head that no cursor is in.
func (g *engine[T]) reclaim() {
	for g.head != nil && g.head.cursors == 0 && (g.head != g.tail || len(g.readers) == 0) {
		c := g.head
		g.head = c.next
		c.next = nil
		if g.head == nil {
			g.tail = nil
		} else {
			g.clean = max(g.clean, g.head.base)
		}
		if c.claims == 0 {
			g.recycle(c)
		} else {
			c.off = true
			g.strip(c, c.base+uint64(len(c.slots)))
		}
	}
}

// recycle puts a chunk that nobody needs into the pool.
func (g *engine[T]) recycle(c *chunk[T]) {
	clear(c.slots)
	clear(c.dues)
	c.off = false
	g.poolOf(len(c.slots)).Put(c)
}

// poolOf returns the pool of the chunks with n slots.
func (g *engine[T]) poolOf(n int) *sync.Pool {
	if n == g.slots(false) {
		return &g.pool
	}
	return &g.bigPool
}

// strip clears what no cursor will come to in a chunk, the positions before
// low, but for what is claimed.
func (g *engine[T]) strip(c *chunk[T], low uint64) {
	var claimed [maxSlots]bool
	for _, rs := range [2][]*reader[T]{g.readers, g.leaving} {
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
	for i := range c.slots {
		if c.base+uint64(i) < low && !claimed[i] {
			c.slots[i] = slot[T]{}
		}
	}
}

// rest clears the finished payloads when nothing is unfinished.
func (g *engine[T]) rest() {
	if g.ready > 0 || g.called > 0 || g.claims > 0 {
		return
	}
	if c := g.tail; c != nil && g.clean < g.end {
		clear(c.slots[g.clean-c.base : g.end-c.base])
		g.clean = g.end
	}
	if g.timer != nil {
		g.timer.Stop()
		g.armed = false
	}
}

package engine

import (
	"container/list"
	"context"
	"unsafe"

	"example.com/signals/internal/inside"
	"example.com/signals/internal/listen"
)

// queue holds the emissions that wait for room, first come first served. It
// holds the emissions themselves: whoever makes room appends them, in order,
// and so no later one can slip in between. All of it is under Engine.mu.
type queue struct {
	list.List // of *waiting
}

// waiting is one emission that waits for room.
type waiting struct {
	slot    unsafe.Pointer
	wait    *Waiter
	place   *list.Element
	outcome chan error // of capacity 1: nil once accepted, ErrClosed
}

// offer is one call of Offer: what is to be done, and what came of it.
type offer struct {
	emitter context.Context // never nil
	ctx     context.Context // for the listeners
	wait    *Waiter         // or nil

	seen  context.Context // what the observers made of emitter
	began any             // for them; nil without
	queue unsafe.Pointer  // where it waits, if there is no room
	err   error           // it has been refused
}

// offer returns where to put the emission, in the log or in front of it; nil if
// nobody wants it, or it is refused. The caller does so, and calls offered.
func (g *Engine) offer(o *offer, ctx context.Context) unsafe.Pointer { //nolint:revive // g is the receiver's part
	if ctx == nil {
		ctx = context.Background()
	}
	o.emitter = ctx
	o.seen, o.began = g.begin(ctx)
	o.ctx = o.seen
	if o.wait == nil {
		o.ctx = detached(o.seen)
	}
	g.mu.Lock()
	wait, err := g.enter(ctx)
	switch {
	case wait:
		o.queue = g.ops.Make(1)
		return o.queue
	case err != nil:
		o.err = err
		return nil
	}
	return g.place()
}

// offered accepts the emission, or waits for room, and returns what came of it.
func (g *Engine) offered(o *offer) error {
	switch {
	case o.queue != nil:
		o.err = g.waitForRoom(o.emitter, o.queue, o.wait)
	case o.err == nil:
		g.placed(o.wait)
	}
	if o.began != nil {
		g.sig.Ended(o.seen, o.began, o.err)
	}
	return o.err
}

// enter asks for one emission to be accepted. If it returns neither wait nor an
// error it is, and g.mu is held: place and placed follow. If it must wait for
// room g.mu is held as well, and waitForRoom follows. ctx is the emitter's.
// It is called with g.mu held.
func (g *Engine) enter(ctx context.Context) (wait bool, err error) {
	if !g.gated {
		return false, nil
	}
	guarded := g.guarded
	if guarded && !g.closed { // the bus is closing
		g.mu.Unlock()
		own := g.sig.Owned()
		g.mu.Lock()
		if g.guarded && !own {
			return false, g.refuse(listen.ErrClosed)
		}
	}
	if g.closed {
		return false, g.refuse(listen.ErrClosed)
	}
	if !g.full() {
		return false, nil
	}
	if !g.block {
		return false, g.refuse(listen.ErrOverflow)
	}
	g.mu.Unlock()
	in, ended := inside.Any(), ctx.Err()
	g.mu.Lock()
	switch { // it may have changed meanwhile
	case g.closed:
		return false, g.refuse(listen.ErrClosed)
	case g.guarded && !guarded:
		return g.enter(ctx)
	case !g.full():
	case in:
		g.over++
	case ended != nil:
		return false, g.refuse(ended)
	default:
		return true, nil
	}
	return false, nil
}

// full reports whether an emission must wait or be refused.
func (g *Engine) full() bool {
	return g.capacity > 0 && len(g.readers) > 0 && (g.pending >= g.capacity || g.queue.Len() > 0)
}

// refuse counts an emission that is not accepted, releases g.mu and returns the
// error.
func (g *Engine) refuse(why error) error {
	g.refused++
	g.unlock()
	return g.opError("emit on", why)
}

// place returns the slot for the next emission, or nil if nobody would get it,
// nor may later: it is accepted then, and not stored. It must be called with g.mu held.
func (g *Engine) place() unsafe.Pointer {
	if len(g.readers) == 0 && g.retain == 0 {
		return nil
	}
	c := g.tail
	switch {
	case c == nil || g.end-c.base == uint64(c.n):
		c = g.extend()
	case c.slots == nil:
		g.revive(c)
	}
	return g.slot(c, g.end)
}

// placed appends what has been put into the slot, and releases g.mu.
func (g *Engine) placed(w *Waiter) {
	g.append(w)
	if g.queue.Len() > 0 {
		g.admit() // MaxLag may have made room
	}
	g.unlock()
}

// append makes what has been put into the slot of the next position an
// emission. It must be called with g.mu held.
func (g *Engine) append(w *Waiter) {
	g.end++
	if len(g.readers) == 0 {
		if w != nil {
			close(w.done)
		}
		if g.retain > 0 {
			g.rest()
		}
		return
	}
	if g.capacity > 0 || w != nil || g.waits > 0 {
		g.account(g.tail, g.end-1, w)
	}
	if g.idle > 0 {
		g.wakeAll()
	}
}

// account does for one emission what only Capacity and EmitWait need.
func (g *Engine) account(c *chunk, at uint64, w *Waiter) {
	if c.dues == nil {
		c.dues = make([]due, c.n)
	}
	c.dues[at-c.base] = due{w, len(g.readers)}
	g.pending++
	if w != nil {
		w.left = len(g.readers)
		g.waits++
	}
	for _, r := range g.bounded { // what MaxLag drops must not be waited for
		g.trim(r)
	}
}

// waitForRoom queues an emission until there is room, ctx ends, or the signal
// is closed. It is called with g.mu held, and releases it.
func (g *Engine) waitForRoom(ctx context.Context, slot unsafe.Pointer, w *Waiter) error {
	q := &waiting{slot: slot, wait: w, outcome: make(chan error, 1)}
	q.place = g.queue.PushBack(q)
	g.unlock()
	select {
	case err := <-q.outcome:
		return g.outcome(err)
	case <-ctx.Done():
	}
	err := ctx.Err()
	g.mu.Lock()
	if q.place != nil { // still queued
		g.queue.Remove(q.place)
		return g.refuse(err)
	}
	g.unlock()
	return g.outcome(<-q.outcome) // just decided
}

func (g *Engine) outcome(err error) error {
	if err != nil {
		return g.opError("emit on", err)
	}
	return nil
}

// admit accepts the emissions for which there is room now, in order.
func (g *Engine) admit() {
	for g.queue.Len() > 0 && (g.pending < g.capacity || len(g.readers) == 0) {
		q := g.pop()
		if p := g.place(); p != nil {
			g.ops.Copy(p, q.slot)
		}
		g.append(q.wait)
		q.outcome <- nil
	}
}

func (g *Engine) pop() *waiting {
	q := g.queue.Remove(g.queue.Front()).(*waiting)
	q.place = nil
	return q
}

// turnAway refuses the emissions that wait for room.
func (g *Engine) turnAway() {
	for g.queue.Len() > 0 {
		g.refused++
		g.pop().outcome <- listen.ErrClosed
	}
}

// release notes, with Capacity, that one listener is through with an emission.
func (g *Engine) release(c *chunk, p uint64) {
	d := &c.dues[p-c.base]
	if d.left--; d.left == 0 {
		g.pending--
	}
}

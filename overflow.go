package signals

import (
	"container/list"
	"context"
)

// queue holds the emissions that wait for room, first come first served. It
// holds the emissions themselves: whoever makes room appends them, in order,
// and so no later one can slip in between. All of it is under engine.mu.
type queue[T any] struct {
	list.List // of *waiting[T]
}

// waiting is one emission that waits for room.
type waiting[T any] struct {
	ctx     context.Context // for the listeners
	payload T
	wait    *waiter
	place   *list.Element
	outcome chan error // of capacity 1: nil once accepted, ErrClosed
}

// offer asks the log to accept an emission. ctx is the emitter's, for waiting;
// forListeners is what goes into the log.
func (g *engine[T]) offer(ctx, forListeners context.Context, payload T, w *waiter) error {
	g.mu.Lock()
	if g.gated {
		return g.offerGated(ctx, forListeners, payload, w)
	}
	g.append(forListeners, payload, w)
	g.unlock()
	return nil
}

// offerGated is offer on a signal that may refuse. It is called with g.mu
// held, and releases it.
func (g *engine[T]) offerGated(ctx, forListeners context.Context, payload T, w *waiter) error {
	guarded := g.guarded
	if guarded && !g.closed { // the bus is closing
		g.mu.Unlock()
		own := g.st.bus.runs()
		g.mu.Lock()
		if g.guarded && !own {
			return g.refuse(ErrClosed)
		}
	}
	if g.closed {
		return g.refuse(ErrClosed)
	}
	if g.full() && g.st.overflow == Block {
		g.mu.Unlock()
		inside, ended := insideAny(), ctx.Err()
		g.mu.Lock()
		switch { // it may have changed meanwhile
		case g.closed:
			return g.refuse(ErrClosed)
		case g.guarded && !guarded:
			return g.offerGated(ctx, forListeners, payload, w)
		case !g.full():
		case inside:
			g.over++
		case ended != nil:
			return g.refuse(ended)
		default:
			return g.waitForRoom(ctx, forListeners, payload, w)
		}
	} else if g.full() {
		return g.refuse(ErrOverflow)
	}
	g.append(forListeners, payload, w)
	g.admit() // MaxLag may have made room
	g.unlock()
	return nil
}

// full reports whether an emission must wait or be refused.
func (g *engine[T]) full() bool {
	return g.capacity > 0 && len(g.readers) > 0 && (g.pending >= g.capacity || g.queue.Len() > 0)
}

// refuse counts a refusal, releases g.mu and returns the error.
func (g *engine[T]) refuse(why error) error {
	g.refused++
	g.unlock()
	return &opError{"emit on", g.st.info().Name, why}
}

// waitForRoom queues an emission until there is room, ctx ends, or the signal
// is closed. It is called with g.mu held, and releases it.
func (g *engine[T]) waitForRoom(ctx, forListeners context.Context, payload T, w *waiter) error {
	q := &waiting[T]{ctx: forListeners, payload: payload, wait: w, outcome: make(chan error, 1)}
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

func (g *engine[T]) outcome(err error) error {
	if err != nil {
		return &opError{"emit on", g.st.info().Name, err}
	}
	return nil
}

// admit accepts the emissions for which there is room now, in order.
func (g *engine[T]) admit() {
	for g.queue.Len() > 0 && (g.pending < g.capacity || len(g.readers) == 0) {
		q := g.pop()
		g.append(q.ctx, q.payload, q.wait)
		q.outcome <- nil
	}
}

func (g *engine[T]) pop() *waiting[T] {
	q := g.queue.Remove(g.queue.Front()).(*waiting[T])
	q.place = nil
	return q
}

// turnAway refuses the emissions that wait for room.
func (g *engine[T]) turnAway() {
	for g.queue.Len() > 0 {
		g.refused++
		g.pop().outcome <- ErrClosed
	}
}

// release notes, with Capacity, that one listener is through with an emission.
func (g *engine[T]) release(c *chunk[T], p uint64) {
	d := &c.dues[p-c.base]
	if d.left--; d.left == 0 {
		g.pending--
	}
}

// trim drops what a reader with MaxLag may not keep waiting. It can be done at
// any time before the next claim, with the same result, and so Emit does not
// have to do it for each of them: it is done when they claim, at each new
// chunk, for each emission that somebody may wait for, and when somebody looks.
func (g *engine[T]) trim(r *reader[T]) {
	waits := g.end - r.next
	n := uint64(r.maxLag)
	if waits > n {
		keep := n
		if r.policy == KeepLatest {
			// Seen one by one: at n+1 waiting only the newest is kept, and
			// then n more bring it there again.
			keep = 1 + (waits-n-1)%n
		}
		g.discard(r, g.end-keep)
	}
}

package signals

import (
	"context"
	"unsafe"
)

// The broadcast log. An async signal (each shard of a sharded one) appends
// every accepted emission once, whatever the number of listeners, to a list of
// chunks. Positions count emissions from 0. Each listener has a reader with a
// cursor, the next position that nobody has claimed for it. A worker claims
// the positions from the cursor to the end of the chunk, or as many as there
// are, under the mutex, runs the listener over them without it, and finishes
// the claim under it.
//
//	          head                                  tail
//	           |                                      |
//	chunks   [ 0 ............ 63 ] -> [ 64 ....... 127 ] -> [ 128 .. 140 |     ]
//	               ^     ^                                               ^
//	       reader A: claimed 17..63, is at 40        readers B, C: next = end
//
// A chunk counts the cursors and the claims in it. The head leaves the log when
// no cursor is left in it, and goes back to the pool when no claim is: a call
// that is stuck holds its own payload, and not what came after it. So the log
// holds what is unfinished and at most one chunk of what is finished; when all
// readers are idle, the finished payloads of the tail are cleared too.
//
// All of it is under engine.mu but for one word of a reader, state: twice the
// number of positions that have been begun, plus one if the listener has been
// removed. A worker adds two before each call, and whoever removes the listener
// sets the lowest bit. Both are one atomic operation on one word, so they come
// one after the other: either the worker sees the bit and does not make the
// call, or the remover sees the call in the number, drops what is behind it,
// and leaves that one to the worker.

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

// slot is one emission in the log: written under engine.mu before the end
// passes it, then read by workers with a claim on it.
type slot[T any] struct {
	ctx     context.Context
	payload T
}

// due is what Capacity and EmitWait must know of one emission. It is beside
// the slots and not in them: without those two, nobody has to write it.
type due struct {
	wait *waiter // EmitWait, or nil
	left int     // with Capacity: listeners that have not finished it
}

// accept is Emit to engine g, or to the first one if g is nil. For an emission
// that needs nothing but to be appended, this is all that Emit costs, whatever
// the number of listeners: no observer, no bound, no waiter, no new chunk, a
// context that cannot end.
func (s *asyncBase[T]) accept(g *engine[T], ctx context.Context, payload T) { //nolint:revive // as emit
	if g == nil || ctx == nil || g.st.watched.Load() || !isBackground(ctx) && ctx.Done() != nil {
		s.emit(g, ctx, payload)
		return
	}
	if !g.mu.TryLock() {
		g.lockAfter(6, 0) // no more: its caller waits
	}
	c := g.tail
	if g.gated || g.waits > 0 || c == nil || g.end-c.base == uint64(len(c.slots)) || len(g.readers) == 0 {
		g.mu.Unlock()
		s.emit(g, ctx, payload)
		return
	}
	sl := &c.slots[g.end-c.base]
	sl.ctx, sl.payload = ctx, payload
	g.end++
	if g.idle > 0 || g.ready > 0 && g.spare == 0 {
		g.rouse()
		return
	}
	g.mu.Unlock()
}

// rouse makes the idle readers ready, and unlocks.
func (g *engine[T]) rouse() {
	if g.idle > 0 {
		g.wakeAll()
	}
	w := g.needed()
	g.mu.Unlock()
	if w != nil {
		go w.start()
	}
}

// isBackground reports whether ctx is context.Background(), the most usual one:
// it compares the word of the interface that stands for the type, which saves
// accept a call, and with it the saving of all its registers.
func isBackground(ctx context.Context) bool { return typeWord(ctx) == background }

var background = typeWord(context.Background())

func typeWord(ctx context.Context) uintptr { return *(*uintptr)(unsafe.Pointer(&ctx)) }

// append adds an emission to the log. It must be called with g.mu held.
func (g *engine[T]) append(ctx context.Context, payload T, w *waiter) {
	if len(g.readers) == 0 { // accepted, not stored
		g.end++
		if w != nil {
			close(w.done)
		}
		return
	}
	c := g.tail
	if c == nil || g.end-c.base == uint64(len(c.slots)) {
		c = g.extend()
	}
	sl := &c.slots[g.end-c.base]
	sl.ctx, sl.payload = ctx, payload
	g.end++
	if g.capacity > 0 || w != nil || g.waits > 0 {
		g.account(c, g.end-1, w)
	}
	if g.idle > 0 {
		g.wakeAll()
	}
}

// account does for one emission what only Capacity and EmitWait need.
func (g *engine[T]) account(c *chunk[T], at uint64, w *waiter) {
	if c.dues == nil {
		c.dues = make([]due, len(c.slots))
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

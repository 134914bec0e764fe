package engine

import (
	"context"
	"unsafe"

	"example.com/signals/internal/listen"
)

// This file is compiled for each payload type.

// Payload is what the engine must know of a payload type besides what
// reflection tells: the functions of *Typed. It is a small interface on
// purpose: each method costs every payload type some time to compile.
type Payload interface {
	// Slot returns a nil pointer to a slot.
	Slot() any
	// Clear empties n slots.
	Clear(slots unsafe.Pointer, n int)
	// Run runs the worker's claim over n slots, from its position on, as long as
	// the listener needs no more than a bare call.
	Run(w *Worker, slots unsafe.Pointer, n int)
	// Yield calls a func(T) bool with the payload in a slot.
	Yield(yield *unsafe.Pointer, slot unsafe.Pointer) bool
	// Call is a listen.Runner for the payload in a slot.
	Call(ctx context.Context, h *listen.Handler, filter bool, slot unsafe.Pointer) (listen.Undo, bool, error)
}

// Typed is the Payload of type T; a nil pointer will do.
type Typed[T any] struct{}

// slot is one emission in the log: written under Engine.mu before the end
// passes it, then read by workers with a claim on it.
type slot[T any] struct {
	_       [0]func()       // not comparable: the compiler makes no function for that; at the end it would take room
	ctx     context.Context // at the beginning, where contextOf finds it
	payload T               // the last field, as fields knows
}

// Slot is of Payload.
func (*Typed[T]) Slot() any { return (*slot[T])(nil) }

// Clear is of Payload.
func (*Typed[T]) Clear(slots unsafe.Pointer, n int) { clear(unsafe.Slice((*slot[T])(slots), n)) }

// Call is of Payload.
func (*Typed[T]) Call(ctx context.Context, h *listen.Handler, filter bool, p unsafe.Pointer) (listen.Undo, bool, error) {
	return listen.Run(ctx, h, filter, (*slot[T])(p).payload)
}

// Run is of Payload. This is the hot loop.
func (*Typed[T]) Run(w *Worker, slots unsafe.Pointer, n int) {
	w.running = true
	defer w.ran()
	r, h := w.r, w.r.h
	s := unsafe.Slice((*slot[T])(slots), n)
	if h.Plain != nil {
		plain := *(*func(context.Context, T))(unsafe.Pointer(&h.Plain))
		for i := range s {
			if !r.begin() {
				n = i
				w.look()
				break
			}
			plain(s[i].ctx, s[i].payload)
		}
	} else {
		fails := *(*func(context.Context, T) error)(unsafe.Pointer(&h.Fails))
		for i := range s {
			if !r.begin() {
				n = i
				w.look()
				break
			}
			if w.failure = fails(s[i].ctx, s[i].payload); w.failure != nil {
				n = i
				w.calls++
				break
			}
		}
	}
	w.running = false
	w.at += uint64(n)
	w.calls += uint64(n)
}

// Accept is Emit on g for an emission that needs nothing but to be appended,
// and reports whether it was: no observer, no bound, no waiter, no new chunk, a
// context that cannot end. It is all that Emit costs then, whatever the number
// of listeners.
func Accept[T any](g *Engine, ctx context.Context, payload T) bool { //nolint:revive // g is the receiver
	if g.watched.Load() || !isBackground(ctx) && canEnd(ctx) {
		return false
	}
	if !g.mu.TryLock() {
		g.lockAfter(6, 0) // no more: its caller waits
	}
	c := g.tail
	if g.gated || g.waits > 0 || c == nil || c.slots == nil || g.end-c.base == uint64(c.n) || len(g.readers) == 0 {
		g.mu.Unlock()
		return false
	}
	s := (*slot[T])(unsafe.Add(c.slots, uintptr(g.end-c.base)*unsafe.Sizeof(slot[T]{})))
	s.ctx, s.payload = ctx, payload
	g.end++
	if g.idle > 0 || g.ready > 0 && g.spare == 0 {
		g.rouse()
		return true
	}
	g.mu.Unlock()
	return true
}

// Offer asks g to accept an emission, whatever that needs. w, if not nil, is
// told of its end; the listeners then get the context as it is.
func Offer[T any](g *Engine, ctx context.Context, payload T, w *Waiter) error { //nolint:revive // as Accept
	seen, began := g.begin(ctx)
	forListeners := seen
	if w == nil {
		forListeners = detached(seen)
	}
	g.mu.Lock()
	wait, err := g.enter(ctx)
	switch {
	case wait:
		err = g.waitForRoom(ctx, unsafe.Pointer(&slot[T]{ctx: forListeners, payload: payload}), w)
	case err == nil:
		if p := g.place(); p != nil {
			s := (*slot[T])(p)
			s.ctx, s.payload = forListeners, payload
		}
		g.placed(w)
	}
	if began != nil {
		g.sig.Ended(seen, began, err)
	}
	return err
}

// Yield is of Payload.
func (*Typed[T]) Yield(yield *unsafe.Pointer, p unsafe.Pointer) bool {
	return (*(*func(T) bool)(unsafe.Pointer(yield)))((*slot[T])(p).payload)
}

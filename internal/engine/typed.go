package engine

import (
	"context"
	"unsafe"

	"example.com/signals/internal/listen"
)

// This file is compiled for each payload type.

// Payload is what the engine must know of a payload type besides what
// reflection tells: a nil *Slot. It is a small interface on purpose: each method
// costs every payload type some time to compile.
//
// Several slots are a slice of nothing, which is read in place as the slice of
// slots that it is: what makes it of a pointer and a length is not compiled for
// each payload type then.
type Payload interface {
	// Clear empties slots.
	Clear(slots []struct{})
	// Run runs the worker's claim over slots, from its position on, as long as
	// the listener needs no more than a bare call.
	Run(w *Worker, slots []struct{})
	// Yield calls a func(T) bool with the payload in a slot.
	Yield(yield *unsafe.Pointer, slot unsafe.Pointer) bool
	// Call is a listen.Runner for the payload in a slot.
	Call(ctx context.Context, h *listen.Handler, filter bool, slot unsafe.Pointer) (listen.Undo, bool, error)
}

// Slot is one emission in the log: written under Engine.mu before the end
// passes it, then read by workers with a claim on it. A nil pointer to it is the
// Payload of type T.
type Slot[T any] struct {
	_       [0]func()       // not comparable: the compiler makes no function for that; at the end it would take room
	ctx     context.Context // at the beginning, where contextOf finds it
	payload T               // the last field, as fields knows
}

// Clear is of Payload.
func (*Slot[T]) Clear(slots []struct{}) { clear(*(*[]Slot[T])(unsafe.Pointer(&slots))) }

// Call is of Payload.
func (*Slot[T]) Call(ctx context.Context, h *listen.Handler, filter bool, p unsafe.Pointer) (listen.Undo, bool, error) {
	return listen.Run(ctx, h, filter, (*Slot[T])(p).payload)
}

// Run is of Payload. This is the hot loop.
func (*Slot[T]) Run(w *Worker, slots []struct{}) {
	w.running = true
	defer w.ran()
	r, h := w.r, w.r.h
	s := *(*[]Slot[T])(unsafe.Pointer(&slots))
	n := len(s)
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
	s := (*Slot[T])(unsafe.Add(c.slots, uintptr(g.end-c.base)*unsafe.Sizeof(Slot[T]{})))
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
	o := offer{wait: w}
	if s := (*Slot[T])(g.offer(&o, ctx)); s != nil {
		s.ctx, s.payload = o.ctx, payload
	}
	return g.offered(&o)
}

// Yield is of Payload.
func (*Slot[T]) Yield(yield *unsafe.Pointer, p unsafe.Pointer) bool {
	return (*(*func(T) bool)(unsafe.Pointer(yield)))((*Slot[T])(p).payload)
}

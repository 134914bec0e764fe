package engine

import (
	"context"
	"unsafe"

	"example.com/signals/internal/listen"
)

// This file is compiled for each payload type.

// Payload is what the engine must know of a payload type: the functions of
// Typed. Slots are given by their address.
type Payload interface {
	// Size is the number of bytes of a slot.
	Size() uintptr
	// Make returns n empty slots.
	Make(n int) unsafe.Pointer
	// Clear empties n slots.
	Clear(slots unsafe.Pointer, n int)
	// Copy copies one slot.
	Copy(to, from unsafe.Pointer)
	// Box returns the payload in a slot.
	Box(slot unsafe.Pointer) any
	// Run runs the worker's claim over n slots, from its position on, as long as
	// the listener needs no more than a bare call.
	Run(w *Worker, slots unsafe.Pointer, n int)
	// Call calls a listener with the payload in a slot.
	Call(ctx context.Context, h *listen.Handler, slot unsafe.Pointer) (listen.Undo, error)
	// Wants asks the filters of a listener.
	Wants(h *listen.Handler, slot unsafe.Pointer) (bool, error)

	// Filter returns a function that Filter was given, if it is one for this
	// payload type.
	Filter(f any) (unsafe.Pointer, bool)
	// Tap returns fn as a listener that cannot fail.
	Tap(fn func(ctx context.Context, payload any)) unsafe.Pointer
	// Nil is a nil *T, which tells the type.
	Nil() any
}

// Typed is the Payload of type T.
type Typed[T any] struct{}

// slot is one emission in the log: written under Engine.mu before the end
// passes it, then read by workers with a claim on it.
type slot[T any] struct {
	ctx     context.Context // first, where contextOf finds it
	payload T
}

func at[T any](p unsafe.Pointer) *slot[T] { return (*slot[T])(p) }

// Size is of Payload.
func (Typed[T]) Size() uintptr { return unsafe.Sizeof(slot[T]{}) }

// Make is of Payload.
func (Typed[T]) Make(n int) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(make([]slot[T], n)))
}

// Clear is of Payload.
func (Typed[T]) Clear(slots unsafe.Pointer, n int) { clear(unsafe.Slice(at[T](slots), n)) }

// Copy is of Payload.
func (Typed[T]) Copy(to, from unsafe.Pointer) { *at[T](to) = *at[T](from) }

// Box is of Payload.
func (Typed[T]) Box(slot unsafe.Pointer) any { return at[T](slot).payload }

// Call is of Payload.
func (Typed[T]) Call(ctx context.Context, h *listen.Handler, slot unsafe.Pointer) (listen.Undo, error) {
	return listen.Run(ctx, h, at[T](slot).payload)
}

// Wants is of Payload.
func (Typed[T]) Wants(h *listen.Handler, slot unsafe.Pointer) (bool, error) {
	return listen.Wants(h, at[T](slot).payload)
}

// Filter is of Payload.
func (Typed[T]) Filter(f any) (unsafe.Pointer, bool) {
	pass, ok := f.(func(T) bool)
	return listen.Pack(pass), ok
}

// Tap is of Payload.
func (Typed[T]) Tap(fn func(context.Context, any)) unsafe.Pointer {
	return listen.Pack(func(ctx context.Context, payload T) { fn(ctx, payload) })
}

// Nil is of Payload.
func (Typed[T]) Nil() any { return (*T)(nil) }

// Run is of Payload. This is the hot loop.
func (Typed[T]) Run(w *Worker, slots unsafe.Pointer, n int) {
	w.running = true
	defer w.ran()
	r, h := w.r, w.r.h
	if h.Plain != nil {
		plain := listen.Unpack[func(context.Context, T)](h.Plain)
		for i, s := 0, unsafe.Slice(at[T](slots), n); i < len(s); i++ {
			if !r.begin() {
				n = i
				w.look()
				break
			}
			plain(s[i].ctx, s[i].payload)
		}
	} else {
		fails := listen.Unpack[func(context.Context, T) error](h.Fails)
		for i, s := 0, unsafe.Slice(at[T](slots), n); i < len(s); i++ {
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
	s := at[T](unsafe.Add(c.slots, uintptr(g.end-c.base)*unsafe.Sizeof(slot[T]{})))
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
		err = g.waitForRoom(ctx, unsafe.Pointer(&slot[T]{forListeners, payload}), w)
	case err == nil:
		if p := g.place(); p != nil {
			s := at[T](p)
			s.ctx, s.payload = forListeners, payload
		}
		g.placed(w)
	}
	if began != nil {
		g.sig.Ended(seen, began, err)
	}
	return err
}

// Yielding returns fn, the body of a range, as a function of a slot.
func Yielding[T any](fn func(T) bool) func(unsafe.Pointer) bool {
	return func(p unsafe.Pointer) bool { return fn(at[T](p).payload) }
}

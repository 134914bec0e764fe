package chain

import (
	"context"
	"unsafe"

	"example.com/signals/internal/listen"
	"example.com/signals/internal/roster"
)

// This file is compiled for each payload type: the loops of sync signals, and
// the functions that they call.

type (
	plain[T any] = func(context.Context, T)
	fails[T any] = func(context.Context, T) error
)

// Bare returns the functions that the loops of Emit and of TryEmit call for a
// listener, or nil and nil if it needs more than a bare call.
func Bare[T any](h *listen.Handler) (forEmit, forTry unsafe.Pointer) {
	switch of := h.Of; {
	case h.Special():
		return nil, nil
	case h.Plain != nil:
		f := listen.Unpack[plain[T]](h.Plain)
		return h.Plain, listen.Pack[fails[T]](func(ctx context.Context, payload T) error {
			f(ctx, payload)
			return nil
		})
	default:
		f := listen.Unpack[fails[T]](h.Fails)
		return listen.Pack[plain[T]](func(ctx context.Context, payload T) {
			if err := f(ctx, payload); err != nil {
				of.Failed(ctx, payload, err)
			}
		}), h.Fails
	}
}

// EmitAll is Emit for several listeners.
func EmitAll[T any](l *roster.List, ctx context.Context, payload T) { //nolint:revive // the list is the receiver
	k, at := 0, 0
	defer func() {
		if k >= 0 {
			GoOn(nil, l, ctx, payload, k, at, recover())
		}
	}()
	for ; k < len(l.Blocks); k++ {
		fs := listen.UnpackAll[plain[T]](l.Blocks[k].Plain)
		for at = 0; at < len(fs); at++ { // the hot loop
			fs[at](ctx, payload)
		}
	}
	k = -1
}

// GoOn reports that the listener at an index of block k panicked, and calls
// those behind it. A Goexit, which is no panic, passes through. s is needed if
// they are counted.
func GoOn[T any](s *Signal, l *roster.List, ctx context.Context, payload T, k, at int, panicked any) { //nolint:revive // as EmitAll
	if panicked == nil {
		return
	}
	of := l.Blocks[k].Rows[at].Of
	of.Failed(ctx, payload, of.Panicked(panicked))
	for ; k < len(l.Blocks); k++ {
		for at++; at < len(l.Blocks[k].Rows); at++ {
			r := l.Blocks[k].Rows[at]
			if _, err := listen.Run(ctx, r.Handler, payload); err != nil {
				r.Of.Failed(ctx, payload, err)
			}
			if l.Counts {
				r.Delivered.Add(1)
				s.Delivered.Add(1)
			}
		}
		at = -1
	}
}

// EmitCounted is Emit for listeners that are counted, in stripe i.
func EmitCounted[T any](s *Signal, l *roster.List, ctx context.Context, payload T, i uint64) { //nolint:revive // as EmitAll
	k, at := 0, 0
	defer func() {
		if k >= 0 {
			v := recover()
			s.ended(l, k, at, v, i)
			GoOn(s, l, ctx, payload, k, at, v)
		}
	}()
	for ; k < len(l.Blocks); k++ {
		b := l.Blocks[k]
		fs := listen.UnpackAll[plain[T]](b.Plain)
		for at = 0; at < len(fs); at++ {
			fs[at](ctx, payload)
			b.Rows[at].Delivered.At(i).Add(1)
		}
	}
	k = -1
	s.Delivered.At(i).Add(uint64(l.Len()))
}

// Try is the loop of TryEmit: it looks at ctx before each listener. It returns
// how many have run, and the failure of the next one or, if ctx has ended
// before it, what ctx says.
func Try[T any](l *roster.List, ctx context.Context, payload T) (ran int, err error, ended bool) { //nolint:revive // as EmitAll
	defer func() {
		if v := recover(); v != nil {
			err = l.At(ran).Of.Panicked(v)
		}
	}()
	canEnd := ctx.Done() != nil
	for _, b := range l.Blocks {
		for _, f := range listen.UnpackAll[fails[T]](b.Fails) {
			if canEnd {
				if end := ctx.Err(); end != nil {
					return ran, end, true
				}
			}
			if failure := f(ctx, payload); failure != nil {
				return ran, failure, false
			}
			ran++
		}
	}
	return ran, nil, false
}

// Slow makes an emission with steps, options, counting and observers.
func Slow[T any](s *Signal, mode Mode, l *roster.List, ctx context.Context, payload T) error { //nolint:revive // as EmitAll
	return s.run(mode, l, ctx, payloadOf{
		call: func(ctx context.Context, h *listen.Handler) (listen.Undo, error) { return listen.Run(ctx, h, payload) },
		want: func(h *listen.Handler) (bool, error) { return listen.Wants(h, payload) },
		box:  func() any { return payload },
	})
}

package chain

import (
	"context"
	"unsafe"

	"example.com/signals/internal/listen"
	"example.com/signals/internal/roster"
	"example.com/signals/internal/tally"
)

// This file is compiled for each payload type: the loops of sync signals, and
// the functions that they call.

// Bare returns the functions that the loops of Emit and of TryEmit call for a
// listener, or nil and nil if it needs more than a bare call.
func Bare[T any](h *listen.Handler) (forEmit, forTry unsafe.Pointer) {
	switch of := h.Of; {
	case h.Special():
		return nil, nil
	case h.Plain != nil:
		f := *(*func(context.Context, T))(unsafe.Pointer(&h.Plain))
		try := func(ctx context.Context, payload T) error {
			f(ctx, payload)
			return nil
		}
		return h.Plain, *(*unsafe.Pointer)(unsafe.Pointer(&try))
	default:
		f := *(*func(context.Context, T) error)(unsafe.Pointer(&h.Fails))
		emit := func(ctx context.Context, payload T) {
			if err := f(ctx, payload); err != nil {
				listen.Failed(of, ctx, payload, err)
			}
		}
		return *(*unsafe.Pointer)(unsafe.Pointer(&emit)), h.Fails
	}
}

// EmitAll is Emit for several listeners.
func EmitAll[T any](l *roster.List, ctx context.Context, payload T) { //nolint:revive // the list is the receiver
	for k := range l.Blocks {
		if !emitBlock(l, k, ctx, payload) {
			return // a listener panicked, and those behind it have been called
		}
	}
}

// emitBlock is EmitAll for block k, unless it returns false. It is a function of
// its own so that nothing else is kept beside the hot loop.
func emitBlock[T any](l *roster.List, k int, ctx context.Context, payload T) (all bool) { //nolint:revive // as EmitAll
	at := 0
	defer func() {
		if !all {
			_ = Slow(nil, Emit, l, ctx, payload, 0, &Rest{k, at, recover()})
		}
	}()
	for fs := *(*[]func(context.Context, T))(unsafe.Pointer(&l.Blocks[k].Plain)); at < len(fs); at++ { // the hot loop
		fs[at](ctx, payload)
	}
	return true
}

// EmitCounted is Emit for listeners that are counted, in stripe i.
func EmitCounted[T any](s *Signal, l *roster.List, ctx context.Context, payload T, i uint64) { //nolint:revive // as EmitAll
	k, at := 0, 0
	defer func() {
		if k >= 0 {
			v := recover()
			s.CountTo(l, k, at, v, i)
			_ = Slow(s, Emit, l, ctx, payload, i, &Rest{k, at, v})
		}
	}()
	for ; k < len(l.Blocks); k++ {
		b := l.Blocks[k]
		fs := *(*[]func(context.Context, T))(unsafe.Pointer(&b.Plain))
		for at = 0; at < len(fs); at++ { //nolint:intrange,modernize // as in EmitAll
			fs[at](ctx, payload)
			b.Rows[at].Delivered.At(i).Add(1)
		}
	}
	k = -1
	s.Delivered.At(i).Add(uint64(l.Len()))
}

// EmitOne is Emit for one listener that is counted. It reports whether it has
// emitted: not if somebody watches, or the emission is one of the sample. It is
// counted in stripe i.
func EmitOne[T any](s *Signal, l *roster.List, ctx context.Context, payload T, i uint64) bool { //nolint:revive // as EmitAll
	n := s.Emitted.At(i)
	if s.Watched.Load() || tally.Sampled(n.Load()) {
		return false
	}
	n.Add(1)
	defer func() {
		if ctx != nil {
			v := recover()
			s.CountTo(l, 0, 0, v, i)
			_ = Slow(s, Emit, l, ctx, payload, i, &Rest{0, 0, v})
		}
	}()
	(*(*func(context.Context, T))(unsafe.Pointer(&l.Single)))(ctx, payload)
	ctx = nil // it has come back
	l.Blocks[0].Rows[0].Delivered.At(i).Add(1)
	s.Delivered.At(i).Add(1)
	return true
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
		for _, f := range *(*[]func(context.Context, T) error)(unsafe.Pointer(&b.Fails)) {
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

// Slow makes an emission with steps, options, counting, in stripe i, and
// observers; or, if rest is not nil, the rest of one in which a listener
// panicked.
func Slow[T any](s *Signal, mode Mode, l *roster.List, ctx context.Context, payload T, i uint64, rest *Rest) error { //nolint:revive // as EmitAll
	return s.run(mode, l, ctx, i, rest, func(ctx context.Context, h *listen.Handler, do do) (listen.Undo, any, error) {
		switch do {
		case boxed:
			return nil, payload, nil
		case kept:
			own := payload // so that it is in memory of its own only if it must
			return nil, func(ctx context.Context, h *listen.Handler, filter bool) (listen.Undo, bool, error) {
				return listen.Run(ctx, h, filter, own)
			}, nil
		}
		undo, ok, err := listen.Run(ctx, h, do == filtered, payload)
		return undo, ok, err
	})
}

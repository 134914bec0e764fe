package signals

import (
	"context"
	"unsafe"

	"example.com/signals/internal/chain"
	"example.com/signals/internal/roster"
	"example.com/signals/internal/tally"
)

// SyncSignal calls its listeners in the goroutine that emits: by priority,
// then in registration order. Two goroutines that emit at the same time run the
// listeners at the same time, also one listener with itself. The zero value is
// ready; it must not be copied.
type SyncSignal[T any] struct {
	signal
}

// Undo takes back what a Step did. Its context has the values of the one that
// the emission had, but is never cancelled.
type Undo func(context.Context) error

// NewSync makes a sync signal. An option that only async signals have panics.
func NewSync[T any](opts ...Option) *SyncSignal[T] {
	return new(SyncSignal[T]).Init(opts...)
}

// Init gives options to a signal that is held by value, and returns it. It
// panics after the signal's first use.
func (s *SyncSignal[T]) Init(opts ...Option) *SyncSignal[T] {
	s.b.open((*T)(nil), opts, unsafe.Pointer(s))
	return s
}

// Emit calls every listener that was registered when it began, and returns
// when all have run. It never looks at ctx. A failure or panic of a listener
// goes to the failure handler, and the next listener is called. It takes no
// lock and allocates nothing.
func (s *SyncSignal[T]) Emit(ctx context.Context, payload T) {
	l := s.b.list.Load()
	switch {
	case l == nil || ctx == nil:
		emitOther(s, ctx, payload, l, tally.Here())
		return
	case l.Only == nil:
		if l.Fast {
			chain.EmitAll(l, ctx, payload)
		} else if k := tally.Here(); l.Single == nil || !chain.EmitOne(s.b.conf.Load().chain, l, ctx, payload, k) {
			emitOther(s, ctx, payload, l, k)
		}
		return
	}
	defer func() {
		if ctx != nil {
			_ = chain.Slow(nil, chain.Emit, l, ctx, payload, 0, &chain.Rest{Panicked: recover()})
		}
	}()
	(*(*func(context.Context, T))(unsafe.Pointer(&l.Only)))(ctx, payload)
	ctx = nil // it has come back
}

// emitOther is Emit for what is not so fast; without options and observers it
// counts, in the stripe that k picks: one all the way, or the count there might
// not move and the same emission be timed again and again. One emission of 64 is then timed, and goes the slow way.
func emitOther[T any](s *SyncSignal[T], ctx context.Context, payload T, l *roster.List, k uint64) { //nolint:revive // s is the receiver; a method would cost every payload type a function more
	if l == nil {
		s.b.touch()
		return
	}
	if ctx == nil {
		s.Emit(context.Background(), payload)
		return
	}
	st := s.b.conf.Load()
	if l.Slow {
		l = s.b.current()
	}
	if l.Counts && !l.Slow && !st.chain.Watched.Load() {
		if n := st.chain.Emitted.At(k); !tally.Sampled(n.Load()) {
			n.Add(1)
			chain.EmitCounted(st.chain, l, ctx, payload, k)
			return
		}
	}
	_ = chain.Slow(st.chain, chain.Emit, l, ctx, payload, k, nil)
}

// TryEmit calls the listeners in order and stops at the first failure, which
// it returns as a *ListenerError, or when ctx has ended before a listener. It
// then runs the Undo of every Step completed in this call, in reverse order,
// and joins their errors. It is nil if all listeners ran without a failure. A
// failure that is returned goes to no failure handler.
func (s *SyncSignal[T]) TryEmit(ctx context.Context, payload T) error {
	l := s.b.list.Load()
	if l == nil {
		s.b.touch()
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if !l.Fast {
		return chain.Slow(s.b.conf.Load().chain, chain.TryEmit, s.b.current(), ctx, payload, tally.Here(), nil)
	}
	ran, err, ended := chain.Try(l, ctx, payload)
	switch {
	case err == nil:
		return nil
	case ended:
		return s.b.conf.Load().Stopped(ctx, ran, l.Len())
	}
	return l.At(ran).Of.Returned(ctx, payload, err)
}

// TryEmitAll calls every listener, also after a failure, and joins the
// failures, each a *ListenerError. It stops only when ctx has ended before a
// listener. It never undoes, but see Step. It is nil if all listeners ran without
// a failure.
func (s *SyncSignal[T]) TryEmitAll(ctx context.Context, payload T) error {
	l := s.b.list.Load()
	if l == nil {
		s.b.touch()
		return nil
	}
	return chain.Slow(s.b.settle(KindSync, (*T)(nil)).chain, chain.TryEmitAll, s.b.current(), orBackground(ctx), payload, tally.Here(), nil)
}

// AddListener registers fn, under a key if one is given. It returns the number
// of listeners, or -1 if the key is taken. A nil fn, or a second key, panics.
func (s *SyncSignal[T]) AddListener(fn func(context.Context, T), key ...string) int {
	return enroll(s, "AddListener", unsafe.Pointer(&fn), nil).keyed(key)
}

// AddListenerWithErr is AddListener for a listener that can fail.
func (s *SyncSignal[T]) AddListenerWithErr(fn func(context.Context, T) error, key ...string) int {
	return enroll(s, "AddListenerWithErr", nil, unsafe.Pointer(&fn)).keyed(key)
}

// Subscribe registers fn and returns the handle of this registration. It
// panics on a nil fn, a taken key, and options that make no sense.
func (s *SyncSignal[T]) Subscribe(fn func(context.Context, T) error, opts ...ListenerOption) *Subscription {
	return enroll(s, "Subscribe", nil, unsafe.Pointer(&fn)).orPanic(opts)
}

// TrySubscribe is Subscribe, but returns ErrKeyTaken for a taken key and
// ErrClosed for a closed scope.
func (s *SyncSignal[T]) TrySubscribe(fn func(context.Context, T) error, opts ...ListenerOption) (*Subscription, error) {
	return enroll(s, "TrySubscribe", nil, unsafe.Pointer(&fn)).orError(opts)
}

// Step registers a listener that returns how to take back what it did, or nil
// if there is nothing to take back. When TryEmit fails at a later listener, it
// runs the Undo of each completed step, in reverse order; a step that returns
// an error has not completed. Emit and TryEmitAll never undo, but where an Around
// fails behind the step. Step panics as Subscribe does.
func (s *SyncSignal[T]) Step(do func(context.Context, T) (Undo, error), opts ...ListenerOption) *Subscription {
	// An Undo is a listen.Undo by another name, and so are the functions that
	// return it: the same word, called in the same way.
	r := enroll(s, "Step", nil, nil)
	r.h.Step = *(*unsafe.Pointer)(unsafe.Pointer(&do))
	return r.orPanic(opts)
}

// enroll is a function because a method would cost every payload type one more.
func enroll[T any](s *SyncSignal[T], call string, plain, fails unsafe.Pointer) *registration {
	return s.b.enroll(s.b.settle(KindSync, (*T)(nil)), call, plain, fails, chain.Bare[T])
}

// Stats returns what the signal has counted.
func (s *SyncSignal[T]) Stats() (stats SignalStats) {
	s.b.stats(s.b.settle(KindSync, (*T)(nil)), &stats)
	return stats
}

// Refuse reports an emission that did not reach the signal, because a wrapper
// around it, such as a rate limiter, turned it away: what happens to a refused
// Emit happens to it. It is counted, and a Failure without a listener goes to the
// failure handler with err as its reason. It is for wrappers; it emits nothing.
func (s *SyncSignal[T]) Refuse(ctx context.Context, payload T, err error) {
	s.b.settle(KindSync, (*T)(nil)).turnedAway(ctx, payload, err)
}

package signals

import (
	"context"
	"fmt"
	"sync/atomic"
	"unsafe"

	"example.com/signals/internal/engine"
)

// ShardedSignal spreads emissions over shards, each with a log of its own, so
// that emitters do not meet at one mutex and a listener may run on several
// shards at the same time. One registration is one listener: one key, counted
// once. Emissions with the same key go to the same shard, and each listener
// gets them in the order of acceptance; without a key function they go round
// robin, and there is no order among shards. Make one with NewSharded.
type ShardedSignal[T any] struct {
	signal
	key  func(T) uint64 // read only; nil: round robin
	turn atomic.Uint64
}

// NewSharded makes a signal of that many shards. key chooses the shard of a
// payload (key modulo shards); it must be safe for concurrent use. A nil key
// is round robin. Capacity and MaxLag count per shard, MaxWorkers and Once for
// all shards together.
func NewSharded[T any](shards int, key func(T) uint64, opts ...Option) *ShardedSignal[T] {
	if shards < 1 {
		panic(fmt.Sprintf("signals: NewSharded(%d): want 1 shard or more", shards))
	}
	s := &ShardedSignal[T]{key: key}
	s.b.openAsync(KindSharded, (*engine.Slot[T])(nil), opts, shards, unsafe.Pointer(s), nil)
	return s
}

// engines returns the shards; it makes the one of a zero signal.
func (s *ShardedSignal[T]) engines() []*engine.Engine { return s.b.engines((*engine.Slot[T])(nil)) }

// shard returns the engine for a payload.
func (s *ShardedSignal[T]) shard(payload T) *engine.Engine {
	gs := s.engines()
	if s.key != nil {
		return gs[s.key(payload)%uint64(len(gs))]
	}
	return gs[s.turn.Add(1)%uint64(len(gs))]
}

// Emit hands payload to every listener that is registered when its shard
// accepts it, as AsyncSignal.Emit does.
func (s *ShardedSignal[T]) Emit(ctx context.Context, payload T) {
	g := s.shard(payload)
	if ctx != nil && engine.Accept(g, ctx, payload) {
		return
	}
	if err := engine.Offer(g, ctx, payload, nil); err != nil {
		s.b.conf.Load().rejected(ctx, payload, err)
	}
}

// Offer is Emit that says whether the emission was accepted, as
// AsyncSignal.Offer does.
func (s *ShardedSignal[T]) Offer(ctx context.Context, payload T) error {
	return engine.Offer(s.shard(payload), ctx, payload, nil)
}

// EmitWait emits, waits until every listener has run, and joins their
// failures, as AsyncSignal.EmitWait does.
func (s *ShardedSignal[T]) EmitWait(ctx context.Context, payload T) error {
	g := s.shard(payload)
	w, err := engine.NewWaiter(s.b.all(), ctx)
	if err == nil {
		err = engine.Offer(g, w.Context(), payload, w)
	}
	return g.Wait(w, err)
}

// Drain returns when every emission accepted before it was called is finished:
// nil, or an error that wraps ctx.Err and says how many are left. What its
// listeners emit meanwhile is not waited for: for that there are Close and
// Bus.Drain. Inside a listener of the same signal it returns ErrWouldDeadlock.
func (s *ShardedSignal[T]) Drain(ctx context.Context) error {
	return s.b.drain((*engine.Slot[T])(nil), ctx)
}

// Close refuses emissions from now on, those that wait for room too, and
// returns when every accepted one is finished: nil, or an error that wraps
// ctx.Err and says how many are left; call it again to wait on. It may be
// called from several goroutines and more than once. The signal leaves its
// bus. Inside a listener of the same signal it returns ErrWouldDeadlock and
// closes nothing.
func (s *ShardedSignal[T]) Close(ctx context.Context) error {
	return s.b.close((*engine.Slot[T])(nil), ctx)
}

// Pending returns the number of emissions that were accepted and are not yet
// finished by every listener that should get them.
func (s *ShardedSignal[T]) Pending() int { return s.b.pending((*engine.Slot[T])(nil)) }

// AddListener registers fn, under a key if one is given. It returns the number
// of listeners, or -1 if the key is taken. A nil fn, or a second key, panics.
// On a closed signal it succeeds, and fn is never called.
func (s *ShardedSignal[T]) AddListener(fn func(context.Context, T), key ...string) int {
	return s.b.enrollAsync((*engine.Slot[T])(nil), "AddListener", unsafe.Pointer(&fn), nil).keyed(key)
}

// AddListenerWithErr is AddListener for a listener that can fail.
func (s *ShardedSignal[T]) AddListenerWithErr(fn func(context.Context, T) error, key ...string) int {
	return s.b.enrollAsync((*engine.Slot[T])(nil), "AddListenerWithErr", nil, unsafe.Pointer(&fn)).keyed(key)
}

// Subscribe registers fn and returns the handle of this registration. It
// panics on a nil fn, a taken key, and options that make no sense. On a closed
// signal it succeeds, and fn is never called.
func (s *ShardedSignal[T]) Subscribe(fn func(context.Context, T) error, opts ...ListenerOption) *Subscription {
	return s.b.enrollAsync((*engine.Slot[T])(nil), "Subscribe", nil, unsafe.Pointer(&fn)).orPanic(opts)
}

// TrySubscribe is Subscribe, but returns ErrKeyTaken for a taken key and
// ErrClosed for a closed signal or scope.
func (s *ShardedSignal[T]) TrySubscribe(fn func(context.Context, T) error, opts ...ListenerOption) (*Subscription, error) {
	return s.b.enrollAsync((*engine.Slot[T])(nil), "TrySubscribe", nil, unsafe.Pointer(&fn)).orError(opts)
}

// SubscribeBatch is Subscribe for a listener of batches, as
// AsyncSignal.SubscribeBatch is; a batch is of one shard.
func (s *ShardedSignal[T]) SubscribeBatch(fn func(context.Context, []T) error, opts ...ListenerOption) *Subscription {
	return s.b.enrollBatch((*engine.Slot[T])(nil), unsafe.Pointer(&fn)).orPanic(opts)
}

// Stats returns what the signal has counted.
func (s *ShardedSignal[T]) Stats() (stats SignalStats) {
	s.b.stats(s.b.ready((*engine.Slot[T])(nil)), &stats)
	return stats
}

// Refuse reports an emission that did not reach the signal, because a wrapper
// around it, such as a rate limiter, turned it away: what happens to a refused
// Emit happens to it. It is counted, and a Failure without a listener goes to the
// failure handler with err as its reason. It is for wrappers; it emits nothing.
func (s *ShardedSignal[T]) Refuse(ctx context.Context, payload T, err error) {
	s.b.ready((*engine.Slot[T])(nil)).turnedAway(ctx, payload, err)
}

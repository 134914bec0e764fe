package signals

import (
	"context"
	"fmt"
	"sync/atomic"

	"example.com/signals/internal/engine"
)

// ShardedSignal spreads emissions over shards, each with a log of its own, so
// that emitters do not meet at one mutex and a listener may run on several
// shards at the same time. One registration is one listener: one key, counted
// once. Emissions with the same key go to the same shard, and each listener
// gets them in the order of acceptance; without a key function they go round
// robin, and there is no order among shards. Make one with NewSharded.
type ShardedSignal[T any] struct {
	asyncSignal[T]
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
	join(s, s.open(KindSharded, engine.Typed[T]{}, opts, shards))
	return s
}

// shard returns the engine for a payload.
func (s *ShardedSignal[T]) shard(payload T) *engine.Engine {
	gs := s.ready()
	if s.key != nil {
		return gs[s.key(payload)%uint64(len(gs))]
	}
	return gs[s.turn.Add(1)%uint64(len(gs))]
}

// Emit hands payload to every listener that is registered when its shard
// accepts it, as AsyncSignal.Emit does.
func (s *ShardedSignal[T]) Emit(ctx context.Context, payload T) {
	g := s.shard(payload)
	if ctx == nil || !engine.Accept(g, ctx, payload) {
		s.emit(g, ctx, payload)
	}
}

// Offer is Emit that says whether the emission was accepted, as
// AsyncSignal.Offer does.
func (s *ShardedSignal[T]) Offer(ctx context.Context, payload T) error {
	return engine.Offer(s.shard(payload), orBackground(ctx), payload, nil)
}

// EmitWait emits, waits until every listener has run, and joins their
// failures, as AsyncSignal.EmitWait does.
func (s *ShardedSignal[T]) EmitWait(ctx context.Context, payload T) error {
	return s.emitWait(s.shard(payload), orBackground(ctx), payload)
}

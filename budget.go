package signals

import (
	"slices"
	"sync"
	"sync/atomic"
)

// budget is a MaxWorkers: for one engine, or for all shards of a signal.
type budget[T any] struct {
	max     int          // read only
	waiting atomic.Int32 // len(queue), for owed
	mu      sync.Mutex   // over the rest; may be taken with an engine's mutex held
	used    int
	queue   []*engine[T] // those that want a worker and got none
}

// take admits a worker for g, or notes that g wants one.
func (b *budget[T]) take(g *engine[T]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used < b.max {
		b.used++
		return true
	}
	b.want(g)
	return false
}

func (b *budget[T]) want(g *engine[T]) {
	if slices.Contains(b.queue, g) {
		return
	}
	b.queue = append(b.queue, g)
	b.waiting.Store(int32(len(b.queue)))
}

// owed reports whether another engine than g waits for a worker, which g's
// should then serve; each claim is at most one chunk.
func (b *budget[T]) owed(g *engine[T]) bool {
	if b.waiting.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) > 1 || len(b.queue) == 1 && b.queue[0] != g
}

// pass decides where a worker that leaves g goes: to the engine that has
// waited longest, or nowhere. If g still has work it waits in turn. It must be
// called with g.mu held.
func (b *budget[T]) pass(g *engine[T]) *engine[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g.ready > 0 {
		b.want(g)
	}
	if len(b.queue) == 0 {
		b.used--
		return nil
	}
	next := b.queue[0]
	b.queue = append(b.queue[:0], b.queue[1:]...)
	b.waiting.Store(int32(len(b.queue)))
	return next
}

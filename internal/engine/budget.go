package engine

import (
	"slices"
	"sync"
	"sync/atomic"
)

// budget is a MaxWorkers: for one engine, or for all shards of a signal.
type budget struct {
	max     int          // read only
	waiting atomic.Int32 // len(queue), for owed
	mu      sync.Mutex   // over the rest; may be taken with an engine's mutex held
	used    int
	queue   []*Engine // those that want a worker and got none
}

// take admits a worker for g, or notes that g wants one.
func (b *budget) take(g *Engine) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used < b.max {
		b.used++
		return true
	}
	b.want(g)
	return false
}

func (b *budget) want(g *Engine) {
	if slices.Contains(b.queue, g) {
		return
	}
	b.queue = append(b.queue, g)
	b.waiting.Store(int32(len(b.queue)))
}

// owed reports whether another engine than g waits for a worker, which g's
// should then serve; each claim is at most one chunk.
func (b *budget) owed(g *Engine) bool {
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
func (b *budget) pass(g *Engine) *Engine {
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

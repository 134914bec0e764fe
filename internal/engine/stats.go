package engine

import (
	"cmp"
	"slices"

	"example.com/signals/internal/listen"
)

// Leaving returns the removed listeners that have a call in flight, taps not
// among them, in registration order.
func Leaving(gs []*Engine) (ms []*listen.Member) {
	for _, g := range gs {
		g.mu.Lock()
		for _, r := range g.leaving {
			if !r.hidden && !slices.Contains(ms, r.m) {
				ms = append(ms, r.m)
			}
		}
		g.mu.Unlock()
	}
	slices.SortFunc(ms, func(a, b *listen.Member) int { return cmp.Compare(a.Seq, b.Seq) })
	return ms
}

// Stats is what the engines of a signal have counted, all together.
type Stats struct {
	Emissions    uint64
	Deliveries   uint64
	Drops        uint64
	Refusals     uint64
	OverCapacity uint64
	Pending      int
	Workers      int
	Closed       bool
}

// Count returns what the engines have counted.
func Count(gs []*Engine) (s Stats) {
	for _, g := range gs {
		g.mu.Lock()
		s.Pending += g.unfinished()
		s.Emissions += g.end
		s.Deliveries += g.run
		for _, rs := range [2][]*Reader{g.readers, g.leaving} {
			for _, r := range rs {
				s.Deliveries += r.progress()
			}
		}
		s.Drops += g.dropped
		s.Refusals += g.refused
		s.OverCapacity += g.over
		s.Workers += g.workers
		s.Closed = g.closed
		g.unlock()
	}
	return s
}

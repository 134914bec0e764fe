package engine

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

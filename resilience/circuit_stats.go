package resilience

import (
	"sync/atomic"
	"time"
)

// CircuitStats is what a circuit has counted, for metrics and pages. Figures of
// a circuit in use are read one after the other, not at one instant.
type CircuitStats struct {
	Circuit string // its name, or ""
	State   State
	Forced  bool      // by ForceOpen or ForceClosed
	Since   time.Time // when it came into this state

	// Since the circuit was made: calls by what they came to, refusals, and how
	// often it has opened.
	Successes uint64
	Failures  uint64
	Ignored   uint64 // calls that say nothing about what is called
	Refusals  uint64
	Opened    uint64

	// What it decides by: failures in a row; with FailureRate, also calls
	// and failures within its window. 0 while it is forced.
	FailuresInARow int
	RecentCalls    int
	RecentFailures int
}

// tally is what a circuit counts. Any goroutine may add and read.
type tally struct {
	verdicts         [failure + 1]atomic.Uint64
	refusals, opened atomic.Uint64
}

// Stats returns what the circuit has counted.
func (c *Circuit) Stats() CircuitStats {
	s := CircuitStats{
		Circuit: c.name, State: c.State(),
		Successes: c.tally.verdicts[success].Load(), Failures: c.tally.verdicts[failure].Load(),
		Ignored: c.tally.verdicts[ignored].Load(), Refusals: c.tally.refusals.Load(), Opened: c.tally.opened.Load(),
	}
	c.mu.Lock()
	s.Since = c.since
	r := c.regime.Load()
	c.mu.Unlock()
	if s.Forced = r.forced != ""; !s.Forced { // a breaker's lock comes before mu
		n := r.breaker.Counts()
		s.FailuresInARow, s.RecentFailures = int(n.ConsecutiveFailures), int(n.TotalFailures)
		s.RecentCalls = int(n.TotalSuccesses + n.TotalFailures)
	}
	return s
}

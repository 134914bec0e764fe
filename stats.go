package signals

import (
	"fmt"
	"math"
	"strings"
	"time"

	"example.com/signals/internal/engine"
	"example.com/signals/internal/tally"
)

// SignalStats is what a signal has counted since it was made. Figures of a
// signal in use are read one after the other, not at one instant.
type SignalStats struct {
	SignalInfo
	// Counted says whether emissions, deliveries and durations are counted:
	// on a bus, with an Observer, or with Counted. Async signals always know
	// emissions and deliveries.
	Counted      bool
	Emissions    uint64 // sync: begun; async: accepted
	Deliveries   uint64 // calls of listeners that have come to an end
	Failures     uint64 // failed deliveries, panics among them
	Panics       uint64
	Vetoes       uint64 // deliveries that ended in a Veto: no failures
	Drops        uint64 // deliveries that were dropped
	Refusals     uint64 // emissions that were not accepted
	OverCapacity uint64 // emissions accepted above Capacity, inside listeners
	Pending      int    // emissions accepted and not finished
	Workers      int    // goroutines running listeners now
	Closed       bool
	Listeners    []ListenerStats // in calling order
	// Leaving are removed listeners of an async signal with a call in flight, in
	// registration order: what a tear-down waits for.
	Leaving []ListenerStats

	of *SignalInfo
}

// Info returns the SignalInfo that observers get, always the same pointer for a
// signal that has its name: by it a signal is told from another one that has the
// name later. It is nil in a SignalStats that no signal has made.
func (s SignalStats) Info() *SignalInfo { return s.of }

// String says in one line what the signal is, and has counted: figures that are
// 0 are left out.
func (s SignalStats) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%q, %s signal of %s: %d %s", s.Name, s.Kind, s.Payload, len(s.Listeners), plural(len(s.Listeners), "listener"))
	for _, f := range []struct {
		n         uint64
		one, many string
	}{
		{uint64(len(s.Leaving)), "leaving", "leaving"},
		{s.Emissions, "emission", "emissions"},
		{s.Deliveries, "delivery", "deliveries"},
		{s.Failures, "failure", "failures"},
		{s.Panics, "panic", "panics"},
		{s.Vetoes, "veto", "vetoes"},
		{s.Drops, "drop", "drops"},
		{s.Refusals, "refusal", "refusals"},
		{s.OverCapacity, "over capacity", "over capacity"},
		{uint64(max(s.Pending, 0)), "pending", "pending"},
		{uint64(max(s.Workers, 0)), "worker", "workers"},
	} {
		switch f.n {
		case 0:
		case 1:
			text.WriteString(", 1 " + f.one)
		default:
			fmt.Fprintf(&text, ", %d %s", f.n, f.many)
		}
	}
	if s.Closed {
		text.WriteString(", closed")
	}
	return text.String()
}

// ListenerStats is what a signal has counted for one listener.
type ListenerStats struct {
	Key        string
	Listener   string // function
	Site       string // file:line of the registration
	Priority   int
	Deliveries uint64 // calls that have come to an end
	Failures   uint64 // panics among them
	Panics     uint64
	Vetoes     uint64 // no failures
	Drops      uint64
	Lag        int // pending emissions
	InFlight   int // calls under way
	// Running is how long the oldest of them has run. It is exact for a call
	// that began while the bus had an Observer with Failure or Drop, if it was
	// the first one that its worker made; else it is the time since Stats
	// first saw the call, so look twice. Sync signals do not know it.
	Running   time.Duration
	Durations Durations // sampled

	of *entry
}

// Info returns the ListenerInfo that observers get, always the same pointer for
// one registration: by it a listener is told from another one with its key, and
// its Stats go on when it has been removed. It is nil if the figures are not those
// of a listener of a signal.
func (l ListenerStats) Info() *ListenerInfo {
	if l.of == nil {
		return nil
	}
	return l.of.info()
}

// Durations is a histogram of how long calls took, sampled 1 in 64.
type Durations struct {
	Count   uint64                  // calls sampled
	Sum     time.Duration           // of those
	Max     time.Duration           // of those
	Buckets [DurationBuckets]uint64 // Buckets[i]: up to BucketBound(i), above BucketBound(i-1)
}

// DurationBuckets is the number of buckets of Durations.
const DurationBuckets = 32

var _ = [1]struct{}{}[DurationBuckets-tally.Buckets] // they are the same

// BucketBound returns the upper bound of bucket i: 64 ns << i; the last bucket
// has none, and its bound is the largest duration.
func BucketBound(i int) time.Duration { return tally.Bound(i) }

// Quantile returns an upper bound of the q quantile, 0 < q <= 1: of the
// shortest duration that a part q of the calls did not exceed. It is at most
// twice that, or 64 ns if that is more; above a minute it is Max. It is 0 if
// nothing was sampled.
func (d *Durations) Quantile(q float64) time.Duration {
	rank := uint64(max(math.Ceil(q*float64(d.Count)), 1))
	var seen uint64
	for i, n := range d.Buckets {
		if seen += n; n > 0 && seen >= rank {
			return min(BucketBound(i), d.Max)
		}
	}
	return d.Max
}

// stats returns what is known of the listener.
func (e *entry) stats() ListenerStats {
	info := e.info()
	s := ListenerStats{
		Key: e.Key, Listener: info.Listener, Site: info.Site, Priority: e.Priority,
		of: e,
	}
	s.read(e.Delivered, e.Timing, e.outcomes.Load())
	for _, r := range e.readers {
		rs := r.Stats()
		s.Deliveries += rs.Deliveries
		s.Drops += rs.Drops
		s.Lag += rs.Lag
		s.InFlight += rs.InFlight
		s.Running = max(s.Running, rs.Running)
	}
	return s
}

// read takes the figures that the entry has itself.
func (l *ListenerStats) read(delivered *tally.Counter, timing *tally.Histogram, o *outcomes) {
	l.Deliveries, l.Durations = delivered.Read(), durations(timing)
	if o != nil {
		l.Failures, l.Panics, l.Vetoes = o.failures.Load(), o.panics.Load(), o.vetoes.Load()
	}
}

func durations(h *tally.Histogram) (d Durations) {
	d.Count, d.Sum, d.Max, d.Buckets = h.Read()
	return d
}

// stats fills in what all kinds of signal know.
func (b *base) stats(st *settings, s *SignalStats) {
	info := st.info()
	*s = SignalStats{
		SignalInfo: *info, of: info, Counted: st.counts(),
		Failures: st.failed.Load(), Panics: st.panics.Load(), Vetoes: st.vetoed.Load(),
		Refusals: st.refused.Load(),
	}
	if st.chain != nil {
		s.Emissions, s.Deliveries = st.chain.Emitted.Read(), st.chain.Delivered.Read()
	}
	for r := range b.current().All {
		s.Listeners = append(s.Listeners, entryOf(r.Member).stats())
	}
	if gs := st.engines.Load(); gs != nil {
		c := engine.Count(*gs)
		s.Pending, s.Emissions, s.Deliveries = c.Pending, c.Emissions, c.Deliveries
		s.Drops, s.OverCapacity, s.Workers, s.Closed = c.Drops, c.OverCapacity, c.Workers, c.Closed
		s.Refusals += c.Refusals
		for _, m := range engine.Leaving(*gs) {
			s.Leaving = append(s.Leaving, entryOf(m).stats())
		}
	}
}

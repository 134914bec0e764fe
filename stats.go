package signals

import (
	"math"
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
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
	Drops        uint64 // deliveries that were dropped
	Refusals     uint64 // emissions that were not accepted
	OverCapacity uint64 // emissions accepted above Capacity, inside listeners
	Pending      int    // emissions accepted and not finished
	Workers      int    // goroutines running listeners now
	Closed       bool
	Listeners    []ListenerStats // in calling order
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
	Drops      uint64
	Lag        int // pending emissions
	InFlight   int // calls under way
	// Running is how long the oldest of them has run. It is exact for a call
	// that began while the bus had an Observer with Failure or Drop, if it was
	// the first one that its worker made; else it is the time since Stats
	// first saw the call, so look twice. Sync signals do not know it.
	Running   time.Duration
	Durations Durations // sampled
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

// BucketBound returns the upper bound of bucket i: 64 ns << i; the last bucket
// has none, and its bound is the largest duration.
func BucketBound(i int) time.Duration {
	if i >= DurationBuckets-1 {
		return never
	}
	return 64 << i
}

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

// sampleEvery: one call in that many is timed. A power of two.
const sampleEvery = 64

// histogram collects Durations. Any goroutine may add.
type histogram struct {
	sum     atomic.Int64
	max     atomic.Int64
	buckets [DurationBuckets]atomic.Uint64
}

func (h *histogram) add(d time.Duration) {
	i := 0
	if d > 64 {
		i = min(bits.Len64(uint64(d-1)>>6), DurationBuckets-1)
	}
	h.sum.Add(int64(d))
	for m := h.max.Load(); int64(d) > m && !h.max.CompareAndSwap(m, int64(d)); {
		m = h.max.Load()
	}
	h.buckets[i].Add(1) // last: who reads it finds its maximum
}

func (h *histogram) read() (d Durations) {
	if h == nil {
		return d
	}
	for i := range h.buckets {
		d.Buckets[i] = h.buckets[i].Load()
		d.Count += d.Buckets[i]
	}
	d.Sum, d.Max = time.Duration(h.sum.Load()), time.Duration(h.max.Load())
	return d
}

// counter is striped so that goroutines on different processors do not write
// to one cache line. Any goroutine may add and read.
type counter struct {
	stripes []stripe // a power of two
}

type stripe struct {
	n atomic.Uint64
	_ [56]byte // to a cache line of its own
}

func newCounter() *counter {
	n := 1
	for n < 4*runtime.GOMAXPROCS(0) && n < 64 {
		n *= 2
	}
	return &counter{make([]stripe, n)}
}

// add counts n in the caller's stripe and returns the count there.
func (c *counter) add(n uint64) uint64 { return c.at(stripeHere()).Add(n) }

// at returns the stripe that k, made by stripeHere, picks.
func (c *counter) at(k uint64) *atomic.Uint64 { return &c.stripes[k&uint64(len(c.stripes)-1)].n }

// stripeHere picks a stripe by the address of the goroutine's stack: always
// the same for one goroutine while its stack does not move, likely others for
// others.
func stripeHere() uint64 {
	var here byte
	return uint64(uintptr(unsafe.Pointer(&here))>>11) * 0x9E3779B97F4A7C15 >> 32
}

func (c *counter) read() (n uint64) {
	if c == nil {
		return 0
	}
	for i := range c.stripes {
		n += c.stripes[i].n.Load()
	}
	return n
}

// stats returns what is known of the listener.
func (e *entry[T]) stats() ListenerStats {
	info := e.info()
	s := ListenerStats{
		Key: e.key, Listener: info.Listener, Site: info.Site, Priority: e.priority,
		Deliveries: e.delivered.read(), Failures: e.failures.Load(), Panics: e.panics.Load(),
		Durations: e.timing.read(),
	}
	for _, r := range e.readers {
		r.addStats(&s)
	}
	return s
}

// statsCommon fills in what all kinds of signal know.
func (b *baseSignal[T]) statsCommon(st *settings) SignalStats {
	s := SignalStats{
		SignalInfo: *st.info(), Counted: st.counts(),
		Emissions: st.emitted.read(), Deliveries: st.delivered.read(), Failures: st.failed.Load(), Panics: st.panics.Load(),
		Refusals: st.refused.Load(),
	}
	for _, r := range b.rows() {
		s.Listeners = append(s.Listeners, r.stats())
	}
	return s
}

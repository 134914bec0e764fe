package tally

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Buckets is the number of buckets of a Histogram.
const Buckets = 32

// Bound returns the upper bound of bucket i: 64 ns << i; the last bucket has
// none, and its bound is the largest duration.
func Bound(i int) time.Duration {
	if i >= Buckets-1 {
		return math.MaxInt64
	}
	return 64 << i
}

// Histogram collects durations. A nil Histogram has collected none.
type Histogram struct {
	sum     atomic.Int64
	max     atomic.Int64
	buckets [Buckets]atomic.Uint64
}

// Add collects one duration.
func (h *Histogram) Add(d time.Duration) {
	i := 0
	if d > 64 {
		i = min(bits.Len64(uint64(d-1)>>6), Buckets-1)
	}
	h.sum.Add(int64(d))
	for m := h.max.Load(); int64(d) > m && !h.max.CompareAndSwap(m, int64(d)); {
		m = h.max.Load()
	}
	h.buckets[i].Add(1) // last: who reads it finds its maximum
}

// Read returns what has been collected.
func (h *Histogram) Read() (count uint64, sum, longest time.Duration, buckets [Buckets]uint64) {
	if h == nil {
		return
	}
	for i := range h.buckets {
		buckets[i] = h.buckets[i].Load()
		count += buckets[i]
	}
	return count, time.Duration(h.sum.Load()), time.Duration(h.max.Load()), buckets
}

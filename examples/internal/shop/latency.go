package shop

import (
	"sync"
	"time"

	// v1.1.2 on purpose: the archives of later versions carry a 14 MB binary.
	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the longest duration told apart; anything above counts as this.
const longest = time.Minute

// Latency collects durations into a histogram of fixed size: three significant
// digits from a nanosecond to a minute, however many there are.
type Latency struct {
	mu   sync.Mutex
	hist *hdrhistogram.Histogram // guarded by mu
}

// NewLatency is an empty histogram.
func NewLatency() *Latency {
	return &Latency{hist: hdrhistogram.New(1, int64(longest), 3)}
}

// Since records the time since start.
func (l *Latency) Since(start time.Time) { l.Record(time.Since(start)) }

// Record adds one duration.
func (l *Latency) Record(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// The only error is a value out of range, and it is in range.
	_ = l.hist.RecordValue(int64(min(max(d, 1), longest)))
}

// Percentiles are the figures that a summary shows.
type Percentiles struct {
	Count          int64
	P50, P99, P999 time.Duration
	Max            time.Duration
}

// Percentiles of everything recorded so far.
func (l *Latency) Percentiles() Percentiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := func(q float64) time.Duration { return time.Duration(l.hist.ValueAtQuantile(q)) }
	return Percentiles{Count: l.hist.TotalCount(), P50: at(50), P99: at(99), P999: at(99.9), Max: time.Duration(l.hist.Max())}
}

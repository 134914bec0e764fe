package trading

import (
	"sync"
	"time"

	// v1.1.2 on purpose: the archives of later versions carry a 14 MB binary.
	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the longest duration told apart; anything above counts as this.
const longest = time.Minute

// Latency collects durations in nanoseconds into a histogram of fixed size:
// three significant digits from a nanosecond to a minute. One goroutine at a
// time may use it.
type Latency struct {
	hist *hdrhistogram.Histogram
}

// NewLatency is an empty histogram.
func NewLatency() Latency { return Latency{hdrhistogram.New(1, int64(longest), 3)} }

// Record adds one duration, in nanoseconds.
func (l Latency) Record(ns int64) {
	// The only error is a value out of range, and it is in range.
	_ = l.hist.RecordValue(min(max(ns, 1), int64(longest)))
}

// Add adds all that another histogram has.
func (l Latency) Add(o Latency) { l.hist.Merge(o.hist) }

// Percentiles are the figures that a summary shows.
type Percentiles struct {
	Count          int64
	P50, P99, P999 time.Duration
	Max            time.Duration
}

// Percentiles of everything recorded so far.
func (l Latency) Percentiles() Percentiles {
	return Percentiles{Count: l.hist.TotalCount(), P50: l.At(50), P99: l.At(99), P999: l.At(99.9), Max: time.Duration(l.hist.Max())}
}

// At is the duration that a part of all, in percent, did not exceed.
func (l Latency) At(percent float64) time.Duration {
	return time.Duration(l.hist.ValueAtQuantile(percent))
}

// Recorder is a Latency for any number of goroutines.
type Recorder struct {
	mu  sync.Mutex
	all Latency // guarded by mu
}

// NewRecorder is an empty one.
func NewRecorder() *Recorder { return &Recorder{all: NewLatency()} }

// Record adds one duration, in nanoseconds.
func (r *Recorder) Record(ns int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.Record(ns)
}

// Latency is a copy of what has been recorded so far.
func (r *Recorder) Latency() Latency {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := NewLatency()
	l.Add(r.all)
	return l
}

package tally

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestADurationFallsIntoTheBucketOfItsBound(t *testing.T) {
	durations := []time.Duration{0, 1, 63, 64, 65, 127, 128, 129, time.Microsecond, time.Millisecond, time.Second, time.Hour, math.MaxInt64 - 1, math.MaxInt64}
	for i := range Buckets - 1 {
		b := Bound(i)
		durations = append(durations, b-1, b, b+1)
	}
	for _, d := range durations {
		var h Histogram
		h.Add(d)
		count, sum, longest, buckets := h.Read()
		i := slices.Index(buckets[:], 1)
		if i < 0 || d > Bound(i) || i > 0 && d <= Bound(i-1) {
			t.Errorf("%v is in bucket %d", d, i)
		}
		if count != 1 || sum != d || longest != d {
			t.Errorf("%v: got %d, %v, %v", d, count, sum, longest)
		}
	}
	if Bound(0) != 64 || Bound(10) != 65536 || Bound(Buckets-1) != math.MaxInt64 || Bound(1000) != math.MaxInt64 {
		t.Error("the bounds are not 64 ns << i")
	}
}

func TestAHistogramLosesNothingUnderConcurrency(t *testing.T) {
	var h Histogram
	var wg sync.WaitGroup
	const goroutines, each = 8, 2000
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				h.Add(time.Duration(g*each + i))
				if _, _, longest, _ := h.Read(); longest < time.Duration(g*each+i) {
					t.Errorf("%d was added, the maximum is %v", g*each+i, longest)
				}
			}
		})
	}
	wg.Wait()
	const n = goroutines * each
	if count, sum, longest, _ := h.Read(); count != n || sum != n*(n-1)/2 || longest != n-1 {
		t.Errorf("got %d, %d, %d", count, sum, longest)
	}
	var none *Histogram
	if count, _, _, _ := none.Read(); count != 0 {
		t.Error("what is not there has collected something")
	}
}

func TestACounterSumsWhatAllGoroutinesAdd(t *testing.T) {
	c := NewCounter()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range 1000 {
				c.Add(uint64(i))
				if i%100 == 0 {
					deeper(c, i/10) // the stack moves, and the stripe may change
				}
			}
		})
	}
	wg.Wait()
	want := uint64(16 * 1000 * 999 / 2)
	for i := range 10 {
		want += 16 * uint64(10*i+1)
	}
	if got := c.Read(); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	var none *Counter
	if none.Read() != 0 {
		t.Error("what is not there has counted")
	}
}

// deeper adds 1 at each of depth+1 levels of the stack.
//
//go:noinline
func deeper(c *Counter, depth int) {
	var frame [512]byte
	c.Add(1)
	if depth > 0 {
		deeper(c, depth-1)
	}
	runtime.KeepAlive(&frame)
}

func TestACounterHasAPowerOfTwoOfStripesForItsProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for procs, want := range map[int]int{1: 4, 2: 8, 3: 16, 4: 16, 16: 64, 100: 64} {
		runtime.GOMAXPROCS(procs)
		if got := len(NewCounter().stripes); got != want {
			t.Errorf("%d processors: %d stripes, want %d", procs, got, want)
		}
	}
}

func TestOneCallOfEachBlockIsSampledAndTheFirstOneIs(t *testing.T) {
	if !Sampled(0) || NextSample(0) != 0 {
		t.Error("the first call is not sampled")
	}
	next := uint64(0)
	for n := range uint64(100 * SampleEvery) {
		if n > next {
			t.Fatalf("%d was to be the next, and was not", next)
		}
		if s := NextSample(n); Sampled(n) != (s == n) || s < n || s/SampleEvery > n/SampleEvery+1 {
			t.Fatalf("from %d on the next is %d; sampled %v", n, s, Sampled(n))
		}
		if Sampled(n) {
			next = NextSample(n + 1)
		}
	}
}

// Work that comes back at some period is in the sample as often as it is there.
func TestTheSampleHasNoPeriod(t *testing.T) {
	const blocks = 1 << 14
	for _, period := range []uint64{2, 3, 16, 63, 64, 65, 128, 192, 1000, 4096} {
		phase := rand.Uint64N(period)
		hits := 0
		for b := range uint64(blocks) {
			if sampled(b)%period == phase {
				hits++
			}
		}
		want := float64(blocks) / float64(period)
		if f := float64(hits); f < want/2 || f > 2*want {
			t.Errorf("work of period %d, phase %d: %d in the sample, want about %.0f", period, phase, hits, want)
		}
	}
}

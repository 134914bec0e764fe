package signals

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
	durations := []time.Duration{0, 1, 63, 64, 65, 127, 128, 129, time.Microsecond, time.Millisecond, time.Second, time.Hour, never - 1, never}
	for i := range DurationBuckets - 1 {
		b := BucketBound(i)
		durations = append(durations, b-1, b, b+1)
	}
	for _, d := range durations {
		var h histogram
		h.add(d)
		got := h.read()
		i := slices.Index(got.Buckets[:], 1)
		if i < 0 || d > BucketBound(i) || i > 0 && d <= BucketBound(i-1) {
			t.Errorf("%v is in bucket %d", d, i)
		}
		if got.Count != 1 || got.Sum != d || got.Max != d || got.Quantile(0.5) < d {
			t.Errorf("%v: got %+v", d, got)
		}
	}
	if BucketBound(0) != 64 || BucketBound(10) != 65536 || BucketBound(DurationBuckets-1) != math.MaxInt64 || BucketBound(1000) != math.MaxInt64 {
		t.Error("the bounds are not 64 ns << i")
	}
}

func TestAQuantileIsAtLeastTheTrueOneAndAtMostTwiceIt(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var h histogram
		all := make([]time.Duration, 1+rnd.IntN(200))
		var sum time.Duration
		for i := range all {
			all[i] = time.Duration(math.Exp(rnd.Float64() * math.Log(float64(time.Minute))))
			sum += all[i]
			h.add(all[i])
		}
		slices.Sort(all)
		d := h.read()
		longest := all[len(all)-1]
		if d.Count != uint64(len(all)) || d.Sum != sum || d.Max != longest {
			t.Fatalf("got %d, %v, %v; want %d, %v, %v", d.Count, d.Sum, d.Max, len(all), sum, longest)
		}
		for _, q := range []float64{rnd.Float64(), 0.001, 0.3, 0.5, 0.99, 0.999, 1} {
			rank := max(int(math.Ceil(q*float64(len(all)))), 1)
			exact := all[rank-1]
			if got := d.Quantile(q); got < exact || got > max(2*exact, 64) || got > longest {
				t.Fatalf("quantile %v of %v: got %v, the true one is %v", q, all, got, exact)
			}
		}
	}
}

func TestQuantilesAtTheEnds(t *testing.T) {
	var h histogram
	none := h.read()
	if got := none.Quantile(0.99); got != 0 {
		t.Errorf("of nothing: got %v", got)
	}
	h.add(10)
	h.add(time.Hour) // beyond the last bound
	h.add(2 * time.Hour)
	d := h.read()
	for q, want := range map[float64]time.Duration{-1: 64, 0: 64, 0.1: 64, 0.5: 2 * time.Hour, 1: 2 * time.Hour, 7: 2 * time.Hour} {
		if got := d.Quantile(q); got != want {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
}

func TestAHistogramLosesNothingUnderConcurrency(t *testing.T) {
	var h histogram
	var wg sync.WaitGroup
	const goroutines, each = 8, 2000
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				h.add(time.Duration(g*each + i))
				if d := h.read(); d.Quantile(1) < time.Duration(g*each+i) && d.Max < time.Duration(g*each+i) {
					t.Errorf("%d was added, the maximum is %v", g*each+i, d.Max)
				}
			}
		})
	}
	wg.Wait()
	const n = goroutines * each
	if d := h.read(); d.Count != n || d.Sum != n*(n-1)/2 || d.Max != n-1 {
		t.Errorf("got %d, %d, %d", d.Count, d.Sum, d.Max)
	}
}

func TestACounterSumsWhatAllGoroutinesAdd(t *testing.T) {
	c := newCounter()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range 1000 {
				c.add(uint64(i))
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
	if got := c.read(); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
	var none *counter
	if none.read() != 0 {
		t.Error("a signal that does not count has counted")
	}
}

// deeper adds 1 at each of depth+1 levels of the stack.
//
//go:noinline
func deeper(c *counter, depth int) {
	var frame [512]byte
	c.add(1)
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
		if got := len(newCounter().stripes); got != want {
			t.Errorf("%d processors: %d stripes, want %d", procs, got, want)
		}
	}
}

// What decides about sampling is the count of the goroutine's own stripe.
func TestAddReturnsTheCountOfItsStripe(t *testing.T) {
	c := newCounter()
	for i := range 100 {
		if got := c.add(1); got != uint64(i+1) {
			t.Fatalf("after %d: got %d", i, got)
		}
	}
}

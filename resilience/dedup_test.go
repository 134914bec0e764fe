package resilience_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals/resilience"
)

func itself(n int) int { return n }

func TestDedupCallsOnceForEachKey(t *testing.T) {
	var got []int
	fn := resilience.Dedup(func(_ context.Context, n int) error { got = append(got, n); return nil },
		func(n int) int { return n % 10 }, 100)
	for _, n := range []int{1, 2, 11, 1, 3, 22} {
		if err := fn(t.Context(), n); err != nil {
			t.Error(err)
		}
	}
	if fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("called for %v, want [1 2 3]", got)
	}
}

func TestDedupForgetsTheKeyThatCameLongestAgo(t *testing.T) {
	s := answers()
	fn := resilience.Dedup(s.listen, itself, 2)
	calls := func(n int) bool {
		before := s.n()
		_ = fn(t.Context(), n)
		return s.n() > before
	}
	for i, step := range []struct {
		n    int
		want bool
	}{{1, true}, {2, true}, {1, false}, {3, true}, {1, false}, {2, true}, {3, true}} {
		if got := calls(step.n); got != step.want {
			t.Errorf("step %d, payload %d: called %t, want %t", i, step.n, got, step.want)
		}
	}
}

func TestDedupForgetsTheKeyOfAFailure(t *testing.T) {
	ends := map[string]func(context.Context, int) error{
		"error": fails, "panic": panics,
		"goexit": func(context.Context, int) error { runtime.Goexit(); return nil },
	}
	for name, end := range ends {
		calls := 0
		fn := resilience.Dedup(func(ctx context.Context, n int) error {
			if calls++; calls == 1 {
				return end(ctx, n)
			}
			return nil
		}, itself, 10)
		exited(func() { _ = caught(func() { _ = fn(t.Context(), 1) }) })
		_ = fn(t.Context(), 1)
		_ = fn(t.Context(), 1)
		if calls != 2 {
			t.Errorf("%s: %d calls, want a second one and no third", name, calls)
		}
	}
}

func TestDedupSkipsWhatComesWhileTheFirstIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int32
		fn := resilience.Dedup(func(context.Context, int) error { calls.Add(1); <-release; return nil }, itself, 10)
		var wg sync.WaitGroup
		wg.Go(func() { _ = fn(t.Context(), 1) })
		synctest.Wait()
		if err := fn(t.Context(), 1); err != nil || calls.Load() != 1 {
			t.Errorf("%v, %d calls; want the second skipped at once", err, calls.Load())
		}
		close(release)
		wg.Wait()
	})
}

// A NaN is not equal to itself: a map would keep it and never find it.
func TestDedupKeepsNoKeyThatIsNotEqualToItself(t *testing.T) {
	type key struct{ price float64 }
	s := answers()
	fn := resilience.Dedup(s.listen, func(int) key { return key{math.NaN()} }, 10)
	var before, after runtime.MemStats
	_ = fn(t.Context(), 1)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 20_000 {
		_ = fn(t.Context(), 1)
	}
	s.calls = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 500_000 {
		t.Errorf("20,000 calls left %d bytes behind", grown)
	}
	runtime.KeepAlive(fn)
}

// A key that is under way is known, however many others come meanwhile.
func TestDedupKnowsWhatIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int32
		fn := resilience.Dedup(func(_ context.Context, n int) error {
			if n == 1 {
				calls.Add(1)
				<-release
			}
			return nil
		}, itself, 2)
		go func() { _ = fn(t.Context(), 1) }()
		synctest.Wait()
		for n := range 10 {
			_ = fn(t.Context(), n+2)
		}
		_ = fn(t.Context(), 1)
		close(release)
		synctest.Wait()
		_ = fn(t.Context(), 1)
		if calls.Load() != 1 {
			t.Errorf("%d calls, want 1", calls.Load())
		}
	})
}

func TestDedupForgetsAKeyWhenItsTTLIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := answers()
		fn := resilience.Dedup(s.listen, itself, 10, resilience.TTL(time.Minute))
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{0, 1}, {40 * second, 1}, {19 * second, 1}, {1 * second, 2}, {59 * second, 2}, {time.Hour, 3}} {
			<-time.After(step.wait)
			_ = fn(t.Context(), 1)
			if s.n() != step.want {
				t.Errorf("after another %v: %d calls, want %d", step.wait, s.n(), step.want)
			}
		}
	})
}

func TestDedupHammer(t *testing.T) {
	const goroutines, keys = 8, 200
	var calls [keys]atomic.Int32
	fn := resilience.Dedup(func(_ context.Context, n int) error { calls[n].Add(1); return nil }, itself, keys)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for n := range keys {
				_ = fn(t.Context(), n)
			}
		})
	}
	wg.Wait()
	for n := range calls {
		if got := calls[n].Load(); got != 1 {
			t.Errorf("key %d: %d calls, want 1", n, got)
		}
	}
}

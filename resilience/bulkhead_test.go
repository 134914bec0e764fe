package resilience_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"

	"example.com/signals"
	"example.com/signals/resilience"
)

func TestBulkheadBoundsTheCallsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var now, most, calls atomic.Int32
		busy := func(context.Context, int) error {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-time.After(time.Second)
			now.Add(-1)
			calls.Add(1)
			return nil
		}
		places := semaphore.NewWeighted(3)
		a, b := signals.New[int](), signals.New[int]()
		a.Subscribe(resilience.Bulkhead(busy, places), signals.Concurrency(8))
		b.Subscribe(resilience.Bulkhead(busy, places), signals.Concurrency(8))
		begun := time.Now()
		for n := range 6 {
			a.Emit(t.Context(), n)
			b.Emit(t.Context(), n)
		}
		_, _ = a.Close(t.Context()), b.Close(t.Context())
		if most.Load() != 3 || calls.Load() != 12 || time.Since(begun) != 4*time.Second {
			t.Errorf("%d calls, at most %d at once, in %v; want 12, 3, 4s", calls.Load(), most.Load(), time.Since(begun))
		}
	})
}

func TestBulkheadRefusesAfterMaxWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		full := semaphore.NewWeighted(1)
		_ = full.Acquire(t.Context(), 1)
		for _, d := range []time.Duration{0, time.Second} {
			begun, s := time.Now(), answers()
			err := resilience.Bulkhead(s.listen, full, resilience.MaxWait(d))(t.Context(), 1)
			if !errors.Is(err, resilience.ErrBulkheadFull) || errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != d || s.n() != 0 {
				t.Errorf("MaxWait(%v): %v after %v, %d calls", d, err, time.Since(begun), s.n())
			}
		}
	})
}

func TestBulkheadStopsWaitingWhenItsContextEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		full := semaphore.NewWeighted(1)
		_ = full.Acquire(t.Context(), 1)
		for _, opts := range [][]resilience.WaitOption{nil, {resilience.MaxWait(time.Hour)}} {
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error)
			go func() { result <- resilience.Bulkhead(succeeds, full, opts...)(ctx, 1) }()
			synctest.Wait()
			cancel()
			if err := <-result; !errors.Is(err, context.Canceled) || !errors.Is(err, resilience.ErrBulkheadFull) {
				t.Errorf("got %v, want the end of the context", err)
			}
		}
	})
}

func TestBulkheadGetsItsPlaceBackWhateverHappens(t *testing.T) {
	one := semaphore.NewWeighted(1)
	_ = resilience.Bulkhead(fails, one)(t.Context(), 1)
	_ = caught(func() { _ = resilience.Bulkhead(panics, one)(t.Context(), 1) })
	exited(func() {
		_ = resilience.Bulkhead(func(context.Context, int) error { runtime.Goexit(); return nil }, one)(t.Context(), 1)
	})
	if err := resilience.Bulkhead(succeeds, one, resilience.MaxWait(0))(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

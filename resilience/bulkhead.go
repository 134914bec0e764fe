package resilience

import (
	"context"
	"fmt"

	"example.com/signals"
	"golang.org/x/sync/semaphore"
)

// Bulkhead calls fn while it holds one place of places: there are never more
// calls under way than that. A call that finds no place waits for one, first
// come first served; it is refused with ErrBulkheadFull after MaxWait and when
// ctx ends. Listeners that use one semaphore share its places, so that together
// they cannot exhaust what stands behind them:
//
//	database := semaphore.NewWeighted(4)
//	orders.Subscribe(resilience.Bulkhead(store, database), signals.Concurrency(16))
//
// A listener that makes another listener of the same bulkhead run, and waits
// for it, takes two places.
func Bulkhead[T any](fn func(context.Context, T) error, places *semaphore.Weighted, opts ...WaitOption) func(context.Context, T) error {
	need(fn != nil, "Bulkhead: the listener is nil")
	need(places != nil, "Bulkhead: the semaphore is nil")
	w := newWait(opts)
	return signals.Identify(func(ctx context.Context, payload T) error {
		if !places.TryAcquire(1) {
			if err := w.place(ctx, places); err != nil {
				return &refusedError{err}
			}
		}
		defer places.Release(1)
		return fn(ctx, payload)
	}, fn)
}

// place waits for a place.
func (w wait) place(ctx context.Context, places *semaphore.Weighted) error {
	if w.longest == 0 {
		return ErrBulkheadFull
	}
	waiting := ctx
	if w.longest != forever {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, w.longest)
		defer cancel()
	}
	if places.Acquire(waiting, 1) == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrBulkheadFull, ended(ctx))
	}
	return fmt.Errorf("%w after waiting %v", ErrBulkheadFull, w.longest)
}

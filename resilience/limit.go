package resilience

import (
	"context"
	"fmt"
	"math"
	"time"

	"example.com/signals"
	"golang.org/x/time/rate"
)

// Limit calls fn as often as limiter allows. A call that comes too soon waits
// for its turn, first come first served; it is refused with ErrRateLimited at
// once if its turn comes after MaxWait or the deadline of ctx, and when ctx ends. Listeners that use one
// limiter share its rate.
func Limit[T any](fn func(context.Context, T) error, limiter *rate.Limiter, opts ...WaitOption) func(context.Context, T) error {
	need(fn != nil, "Limit: the listener is nil")
	need(limiter != nil, "Limit: the limiter is nil")
	c := newWait(opts)
	return signals.Identify(func(ctx context.Context, payload T) error {
		if err := c.turn(ctx, limiter); err != nil {
			return &refusedError{err}
		}
		return fn(ctx, payload)
	}, fn)
}

// WaitOption configures the waiting of Limit and Bulkhead.
type WaitOption func(*wait)

// wait says how long a call may wait.
type wait struct{ longest time.Duration }

const forever = time.Duration(math.MaxInt64)

func newWait(opts []WaitOption) wait {
	w := wait{forever}
	for _, o := range opts {
		o(&w)
	}
	return w
}

// MaxWait refuses a call that would have to wait longer than d; 0 waits not at
// all. Without it a call waits until its context ends.
func MaxWait(d time.Duration) WaitOption {
	need(d >= 0, "MaxWait(%v): want 0 or more", d)
	return func(w *wait) { w.longest = d }
}

// turn waits until limiter lets the caller go on.
func (w wait) turn(ctx context.Context, limiter *rate.Limiter) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrRateLimited, ended(ctx))
	}
	if limiter.Allow() { // no reservation, no allocation
		return nil
	}
	r := limiter.Reserve()
	if !r.OK() {
		return fmt.Errorf("%w: the limiter has a burst of 0", ErrRateLimited)
	}
	d := r.Delay()
	longest := w.longest
	if deadline, ok := ctx.Deadline(); ok {
		longest = min(longest, time.Until(deadline))
	}
	if d > longest {
		r.Cancel()
		return fmt.Errorf("%w for another %v", ErrRateLimited, rounded(d))
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		r.Cancel()
		return fmt.Errorf("%w: %w", ErrRateLimited, ended(ctx))
	}
}

package resilience

import (
	"context"

	"golang.org/x/time/rate"

	"example.com/signals"
)

// RateLimited is a signal that lets emissions through as often as a limiter
// allows. What comes too soon is refused with ErrRateLimited; EmitWithLimit
// waits instead.
type RateLimited[T any] struct {
	gate[T]
	limiter *rate.Limiter
}

var _ signals.Signal[int] = (*RateLimited[int])(nil)

// NewRateLimited puts limiter in front of sig:
//
//	orders := resilience.NewRateLimited(signals.New[Order](), rate.NewLimiter(100, 10))
func NewRateLimited[T any](sig signals.Signal[T], limiter *rate.Limiter) *RateLimited[T] {
	need(sig != nil, "NewRateLimited: the signal is nil")
	need(limiter != nil, "NewRateLimited: the limiter is nil")
	r := &RateLimited[T]{limiter: limiter}
	r.gate = gate[T]{Signal: sig, admit: r.admitNow}
	return r
}

func (r *RateLimited[T]) admitNow(ctx context.Context) (context.Context, error) {
	if r.limiter.Allow() {
		return ctx, nil
	}
	return nil, ErrRateLimited
}

// EmitWithLimit waits until the limiter lets the emission through, then emits
// as Offer does. It is refused with ErrRateLimited when ctx ends, and at once
// if that is sure to come first.
func (r *RateLimited[T]) EmitWithLimit(ctx context.Context, payload T) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if err := (wait{forever}).turn(ctx, r.limiter); err != nil {
		return r.returned(ctx, payload, err)
	}
	return r.offer(ctx, payload)
}

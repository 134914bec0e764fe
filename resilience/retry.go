package resilience

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v7"
)

// Retry calls fn again after it returned an error: 3 attempts in all, waiting
// 100 ms, then twice as long each time up to 10 s, each wait varied by up to a
// half. It gives up with a *RetryError after the last attempt, after
// MaxElapsedTime, when ctx ends, or at once for an error that is Permanent or
// turned away by RetryIf. A panic is not retried. fn is called at least once.
func Retry[T any](fn func(context.Context, T) error, opts ...RetryOption) func(context.Context, T) error {
	need(fn != nil, "Retry: the listener is nil")
	c := &retryConfig{attempts: 3, initial: 100 * time.Millisecond, max: 10 * time.Second, jitter: 0.5}
	for _, o := range opts {
		o(c)
	}
	return func(ctx context.Context, payload T) error {
		err := fn(ctx, payload)
		if err == nil {
			return nil
		}
		return c.again(ctx, err, func() error { return fn(ctx, payload) })
	}
}

// again goes on after a first attempt that failed with err.
func (c *retryConfig) again(ctx context.Context, err error, call func() error) error {
	attempts := 0
	attempt := func() (struct{}, error) {
		if attempts++; attempts > 1 {
			countAttempt(ctx)
			err = call()
		}
		if err != nil && c.retryIf != nil && !c.retryIf(err) {
			return struct{}{}, Permanent(err)
		}
		return struct{}{}, err
	}
	_, gaveUp := backoff.Retry(ctx, attempt,
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval: c.initial, MaxInterval: c.max, Multiplier: 2, RandomizationFactor: c.jitter,
		}),
		backoff.WithMaxTries(c.attempts),
		backoff.WithMaxElapsedTime(c.elapsed),
		backoff.WithNotify(func(err error, wait time.Duration) {
			if c.onRetry != nil {
				c.onRetry(ctx, attempts, err, wait)
			}
		}))
	if gaveUp == nil {
		return nil
	}
	failed := &RetryError{Attempts: attempts, Err: err}
	if !ownReason(gaveUp) {
		failed.Cause = ended(ctx)
	}
	return failed
}

// ownReason reports whether retrying stopped for another reason than the end
// of the context.
func ownReason(gaveUp error) bool {
	cause := backoff.AsRetryError(gaveUp).Cause
	return cause == backoff.ErrPermanent || cause == backoff.ErrExhausted || cause == backoff.ErrMaxElapsedTime //nolint:errorlint // the context's cause may wrap one
}

// Permanent marks err as one that a retry cannot mend: Retry gives up at once.
// It is the Permanent of github.com/cenkalti/backoff/v7. Permanent(nil) is nil.
func Permanent(err error) error { return backoff.Permanent(err) }

// IsPermanent reports whether err is marked by Permanent.
func IsPermanent(err error) bool { return errors.Is(err, backoff.ErrPermanent) }

// RetryAfter says how long Retry must wait before the next attempt, as the
// Retry-After of an HTTP response does, in place of its backoff.
func RetryAfter(err error, wait time.Duration) error { return backoff.RetryAfter(wait, err) }

// RetryOption configures Retry.
type RetryOption func(*retryConfig)

type retryConfig struct {
	attempts     uint
	initial, max time.Duration
	jitter       float64
	elapsed      time.Duration
	retryIf      func(error) bool
	onRetry      func(ctx context.Context, attempt int, err error, wait time.Duration)
}

// MaxAttempts bounds the calls of the listener for one payload, the first one
// included.
func MaxAttempts(n int) RetryOption {
	need(n > 0, "MaxAttempts(%d): want 1 or more", n)
	return func(c *retryConfig) { c.attempts = uint(n) }
}

// Backoff sets the first wait and the longest one; in between each is twice
// the last. Equal ones make a constant wait.
func Backoff(initial, longest time.Duration) RetryOption {
	need(initial > 0 && longest >= initial, "Backoff(%v, %v): want positive waits, the second not shorter", initial, longest)
	return func(c *retryConfig) { c.initial, c.max = initial, longest }
}

// Jitter varies each wait at random by up to that part of it, 0 to 1, so that
// listeners that failed together do not come back together.
func Jitter(part float64) RetryOption {
	need(part >= 0 && part <= 1, "Jitter(%v): want 0 to 1", part)
	return func(c *retryConfig) { c.jitter = part }
}

// MaxElapsedTime gives up rather than begin a wait that would end later than d
// after the first attempt returned. It interrupts no attempt.
func MaxElapsedTime(d time.Duration) RetryOption {
	need(d > 0, "MaxElapsedTime(%v): want a positive duration", d)
	return func(c *retryConfig) { c.elapsed = d }
}

// RetryIf retries only errors for which retry returns true.
func RetryIf(retry func(error) bool) RetryOption {
	need(retry != nil, "RetryIf(nil): give a function or leave the option out")
	return func(c *retryConfig) { c.retryIf = retry }
}

// OnRetry calls fn before each wait with the number of attempts so far, the
// error of the last one, and the wait.
func OnRetry(fn func(ctx context.Context, attempt int, err error, wait time.Duration)) RetryOption {
	need(fn != nil, "OnRetry(nil): give a function or leave the option out")
	return func(c *retryConfig) { c.onRetry = fn }
}

// attempts is the context of a call in DeadLetter: it counts the attempts that
// a Retry within makes, also when a panic ends them.
type attempts struct {
	context.Context
	again atomic.Int32 // attempts after the first; a listener may have goroutines
}

type attemptsKey struct{}

func (a *attempts) Value(key any) any {
	if _, ok := key.(attemptsKey); ok {
		return a
	}
	return a.Context.Value(key)
}

func countAttempt(ctx context.Context) {
	if a, ok := ctx.Value(attemptsKey{}).(*attempts); ok {
		a.again.Add(1)
	}
}

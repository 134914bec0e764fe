package resilience

import (
	"context"
	"time"
)

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

func newRetryConfig(opts []RetryOption) *retryConfig {
	c := &retryConfig{attempts: 3, initial: 100 * time.Millisecond, max: 10 * time.Second, jitter: 0.5}
	for _, o := range opts {
		o(c)
	}
	return c
}

// MaxAttempts bounds the calls of the listener for one payload, the first one
// included, and those that a wrapper within refuses.
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

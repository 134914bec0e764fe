package resilience

import (
	"context"
	"time"

	"example.com/signals"
)

// Timeout gives each call of fn a context that ends after d. An error that fn
// returns once its time is up becomes a *TimeoutError.
//
// fn runs on the goroutine of the caller and Timeout waits until it returns:
// one that ignores its context takes as long as it takes, and holds its place;
// signals.SlowAfter finds it. Nothing is left running behind the caller's
// back, and fn's own answer is what counts: nil is a success, however late,
// because to call again would do the work twice.
func Timeout[T any](fn func(context.Context, T) error, d time.Duration) func(context.Context, T) error {
	need(fn != nil, "Timeout: the listener is nil")
	need(d > 0, "Timeout(%v): want a positive duration", d)
	// The cause tells the end of this deadline from that of one further out.
	cause := &TimeoutError{After: d, Err: context.DeadlineExceeded}
	return signals.Identify(func(ctx context.Context, payload T) error {
		ctx, cancel := context.WithTimeoutCause(ctx, d, cause)
		defer cancel()
		err := fn(ctx, payload)
		if err != nil && context.Cause(ctx) == error(cause) { //nolint:errorlint // that very one
			return &TimeoutError{After: d, Err: err}
		}
		return err
	}, fn)
}

package resilience

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"example.com/signals"
	"github.com/cenkalti/backoff/v7"
)

// Retry calls fn again after it returned an error: 3 attempts in all, waiting
// 100 ms, then twice as long each time up to 10 s, each wait varied by up to a
// half. It gives up with a *RetryError after the last attempt, after
// MaxElapsedTime, when ctx ends, or at once for an error that is Permanent or
// turned away by RetryIf. A veto (signals.Veto) is an answer: it is returned as it
// is, and not retried, and so is a panic. fn is called at least once.
//
// When a circuit refuses, the next attempt waits until the circuit lets trials
// through. If that is further away than the longest wait of Backoff, or the
// circuit is forced open, Retry gives up at once: no attempt could reach what
// is called.
func Retry[T any](fn func(context.Context, T) error, opts ...RetryOption) func(context.Context, T) error {
	need(fn != nil, "Retry: the listener is nil")
	c := newRetryConfig(opts)
	return signals.Identify(func(ctx context.Context, payload T) error {
		err := fn(ctx, payload)
		if err == nil || answered(err) {
			return err
		}
		return c.again(ctx, err, func() error { return fn(ctx, payload) })
	}, fn)
}

// retrying is what has come of the attempts for one payload.
type retrying struct {
	*retryConfig
	ctx     context.Context
	tries   int   // attempts, refused ones too
	calls   int   // of the listener
	last    error // what came of the last attempt
	real    error // what the listener returned last, or nil
	calling bool  // an attempt is under way
	veto    error // what ended the attempts, if that was a veto
	letter  *attempts
}

// again goes on after a first attempt that failed with err.
func (c *retryConfig) again(ctx context.Context, err error, call func() error) error {
	r := &retrying{retryConfig: c, ctx: ctx, letter: attemptsIn(ctx)}
	defer r.unwinding()
	first := true
	attempt := func() (struct{}, error) {
		if !first {
			r.calling = true
			r.letter.set(0)
			err = call()
			r.calling = false
		}
		first = false
		return struct{}{}, r.took(err)
	}
	_, gaveUp := backoff.Retry(ctx, attempt,
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval: c.initial, MaxInterval: c.max, Multiplier: 2, RandomizationFactor: c.jitter,
		}),
		backoff.WithMaxTries(c.attempts),
		backoff.WithMaxElapsedTime(c.elapsed),
		backoff.WithNotify(func(_ error, wait time.Duration) {
			if c.onRetry != nil {
				c.onRetry(ctx, r.tries, r.last, wait)
			}
		}))
	if gaveUp == nil {
		return r.veto
	}
	return r.gaveUp(gaveUp)
}

// took notes what an attempt came to, and returns how to go on in terms of
// package backoff, which gets to see no foreign error.
func (r *retrying) took(err error) error {
	if err == nil {
		return nil
	}
	if answered(err) { // an answer, if not the one that was hoped for
		r.veto = err
		return nil
	}
	r.tries++
	r.last = err
	if n := callsOf(err); n > 0 {
		r.calls += n
		r.real = err
	}
	if IsPermanent(err) || r.retryIf != nil && !r.retryIf(err) {
		return backoff.Permanent(errAttempt)
	}
	if open := as[OpenError](err); open != nil && open.State == Open {
		if open.Forced || open.RetryAfter > r.max {
			return backoff.Permanent(errAttempt)
		}
		// Not all at the same instant, and not before the circuit's clock agrees.
		spread := time.Duration(r.jitter * rand.Float64() * float64(r.initial))
		return backoff.RetryAfter(open.RetryAfter+spread+1, errAttempt)
	}
	if after := as[backoff.RetryAfterError](err); after != nil {
		return backoff.RetryAfter(after.Duration, errAttempt)
	}
	return errAttempt
}

var errAttempt = errors.New("an attempt failed")

// gaveUp makes the error for why package backoff has ended the attempts.
func (r *retrying) gaveUp(why error) error {
	failed := &RetryError{Attempts: r.calls, Err: r.last}
	if r.real != nil {
		failed.Err = r.real
		if callsOf(r.last) == 0 {
			failed.Cause = r.last
		}
	}
	if !ownReason(why) {
		failed.Cause = ended(r.ctx)
	}
	return failed
}

// ownReason reports whether retrying stopped for another reason than the end
// of the context.
func ownReason(gaveUp error) bool {
	cause := backoff.AsRetryError(gaveUp).Cause
	return cause == backoff.ErrPermanent || cause == backoff.ErrExhausted || cause == backoff.ErrMaxElapsedTime //nolint:errorlint // the context's cause may wrap one
}

// unwinding tells a DeadLetter around of the attempts, if a panic or
// runtime.Goexit in one ends them all.
func (r *retrying) unwinding() {
	if r.calling {
		r.letter.set(r.calls + r.letter.get())
	}
}

// Permanent marks err as one that a retry cannot mend: Retry gives up at once,
// and to a circuit it is an answer, no failure. It is the Permanent of
// github.com/cenkalti/backoff/v7. Permanent(nil) is nil.
func Permanent(err error) error { return backoff.Permanent(err) }

// IsPermanent reports whether err is marked by Permanent.
func IsPermanent(err error) bool { return is(err, backoff.ErrPermanent) }

// RetryAfter says how long Retry must wait before the next attempt, as the
// Retry-After of an HTTP response does, in place of its backoff.
func RetryAfter(err error, wait time.Duration) error { return backoff.RetryAfter(wait, err) }

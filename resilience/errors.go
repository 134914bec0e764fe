package resilience

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/signals"
)

// The reasons for refusing a call or an emission, for errors.Is.
var (
	// ErrOpen: the circuit is open, or half-open with its trial calls under
	// way. The error is an *OpenError.
	ErrOpen = errors.New("resilience: circuit is open")
	// ErrRateLimited: the limiter would let it begin too late, or not at all.
	ErrRateLimited = errors.New("resilience: rate limit reached")
	// ErrBulkheadFull: as many calls are under way as the bulkhead allows.
	ErrBulkheadFull = errors.New("resilience: bulkhead is full")
)

// OpenError is the refusal of a circuit.
type OpenError struct {
	Circuit    string        // its name, or ""
	State      State         // Open, or HalfOpen when its trial calls are taken
	RetryAfter time.Duration // until trial calls are let through; 0 when half-open or forced
	Forced     bool          // it is open because of ForceOpen, until Reset

	emission bool // refused to a whole signal: to a listener that emits there it is an answer
}

// Error says which circuit refused, and for how long it will.
func (e *OpenError) Error() string {
	name := "circuit"
	if e.Circuit != "" {
		name = fmt.Sprintf("circuit %q", e.Circuit)
	}
	switch {
	case e.Forced:
		return fmt.Sprintf("resilience: %s is held open until it is reset", name)
	case e.State == Open:
		return fmt.Sprintf("resilience: %s is open for another %v", name, rounded(e.RetryAfter))
	}
	return fmt.Sprintf("resilience: %s is %s and its trial calls are under way", name, e.State)
}

// Is reports whether target is ErrOpen.
func (e *OpenError) Is(target error) bool { return target == ErrOpen }

// RetryError is returned by a listener in Retry that has given up. errors.Is and
// errors.As reach Err and Cause.
type RetryError struct {
	// Attempts is how often the listener was called: an attempt that a Breaker,
	// Limit or Bulkhead within refused is none.
	Attempts int
	// Err is what the listener returned last; if it was never called, the refusal.
	Err error
	// Cause is why the attempts ended early: how the context ended, or the
	// refusal of the last attempt. Else it is nil.
	Cause error
}

// Error says how many attempts there were, and how the last one failed.
func (e *RetryError) Error() string {
	attempts := fmt.Sprintf("after %d attempts", e.Attempts)
	switch e.Attempts {
	case 0:
		attempts = "without a call"
	case 1:
		attempts = "after 1 attempt"
	}
	if e.Cause != nil {
		return fmt.Sprintf("resilience: gave up %s (%s): %s", attempts, text(e.Cause), text(e.Err))
	}
	return fmt.Sprintf("resilience: gave up %s: %s", attempts, text(e.Err))
}

// Unwrap returns Err, and Cause if there is one.
func (e *RetryError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}

// TimeoutError is an error that a listener in Timeout returned after its time
// was up. It is a context.DeadlineExceeded; errors.Is and errors.As reach what
// the listener returned.
type TimeoutError struct {
	After time.Duration // the time it had
	Err   error         // what it returned
}

// Error says how long the listener had, and what it returned.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("resilience: timed out after %v: %s", e.After, text(e.Err))
}

// Unwrap returns context.DeadlineExceeded and Err.
func (e *TimeoutError) Unwrap() []error { return []error{context.DeadlineExceeded, e.Err} }

// Timeout reports true, as errors of package net do.
func (e *TimeoutError) Timeout() bool { return true }

// refusedError is the refusal of a call by Limit or Bulkhead: the listener was
// not called.
type refusedError struct{ error }

func (e *refusedError) Unwrap() error { return e.error }

// callsOf says how many calls of a listener have come to err: 0 if a wrapper
// refused. It does not look into the failure of another signal's listener.
func callsOf(err error) int {
	for at := err; at != nil; {
		switch e := at.(type) { //nolint:errorlint // a walk of its own
		case *RetryError:
			if e != nil {
				return e.Attempts
			}
		case *OpenError:
			if e != nil && !e.emission {
				return 0
			}
		case *refusedError:
			return 0
		case *TimeoutError:
			if e != nil {
				at = e.Err
				continue
			}
		case *signals.ListenerError:
			return 1
		}
		at, _ = unwrap(at)
	}
	return 1
}

// ended says why ctx has ended.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); !is(cause, err) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// rounded is d to three digits, for texts.
func rounded(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// need panics unless ok: a wrapper was given something that makes no sense.
func need(ok bool, format string, args ...any) {
	if !ok {
		panic("resilience: " + fmt.Sprintf(format, args...))
	}
}

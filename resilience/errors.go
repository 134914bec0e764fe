package resilience

import (
	"context"
	"errors"
	"fmt"
	"time"
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
	RetryAfter time.Duration // until trial calls are let through; 0 when half-open
}

// Error says which circuit refused, and for how long it will.
func (e *OpenError) Error() string {
	name := "circuit"
	if e.Circuit != "" {
		name = fmt.Sprintf("circuit %q", e.Circuit)
	}
	if e.State == Open {
		return fmt.Sprintf("resilience: %s is open for another %v", name, e.RetryAfter)
	}
	return fmt.Sprintf("resilience: %s is %s and its trial calls are under way", name, e.State)
}

// Is reports whether target is ErrOpen.
func (e *OpenError) Is(target error) bool { return target == ErrOpen }

// RetryError is returned by a listener in Retry that has given up. errors.Is and
// errors.As reach the last error, and the end of the context if that was why.
type RetryError struct {
	Attempts int   // how often the listener was called
	Err      error // what the last attempt returned
	Cause    error // why the context ended, if that ended the attempts; else nil
}

// Error says how many attempts there were, and how the last one failed.
func (e *RetryError) Error() string {
	attempts := "1 attempt"
	if e.Attempts != 1 {
		attempts = fmt.Sprintf("%d attempts", e.Attempts)
	}
	if e.Cause != nil {
		return fmt.Sprintf("resilience: gave up after %s (%v): %v", attempts, e.Cause, e.Err)
	}
	return fmt.Sprintf("resilience: gave up after %s: %v", attempts, e.Err)
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
	return fmt.Sprintf("resilience: timed out after %v: %v", e.After, e.Err)
}

// Unwrap returns context.DeadlineExceeded and Err.
func (e *TimeoutError) Unwrap() []error { return []error{context.DeadlineExceeded, e.Err} }

// Timeout reports true, as errors of package net do.
func (e *TimeoutError) Timeout() bool { return true }

// ended says why ctx has ended.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// need panics unless ok: a wrapper was given something that makes no sense.
func need(ok bool, format string, args ...any) {
	if !ok {
		panic("resilience: " + fmt.Sprintf(format, args...))
	}
}

package resilience

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/signals"
	"github.com/cenkalti/backoff/v7"
)

// BatchError is what a listener of batches returns when it has failed for some
// payloads: Errs has what came of each of them, by its index in the batch. The
// others count as handled. For RetryBatch and DeadLetterBatch; to a circuit the
// worst of them counts.
type BatchError struct{ Errs map[int]error }

// Error names the first few.
func (e *BatchError) Error() string {
	const few = 3
	var b strings.Builder
	b.WriteString("resilience: 1 payload of a batch failed")
	if len(e.Errs) != 1 {
		b.Reset()
		fmt.Fprintf(&b, "resilience: %d payloads of a batch failed", len(e.Errs))
	}
	separator := ": "
	for n, i := range slices.Sorted(maps.Keys(e.Errs)) {
		if n == few {
			fmt.Fprintf(&b, "; and %d more", len(e.Errs)-few)
			break
		}
		fmt.Fprintf(&b, "%s[%d] %s", separator, i, text(e.Errs[i]))
		separator = "; "
	}
	return b.String()
}

// Unwrap returns the errors, in the order of the batch.
func (e *BatchError) Unwrap() []error {
	var errs []error
	for _, i := range slices.Sorted(maps.Keys(e.Errs)) {
		if e.Errs[i] != nil {
			errs = append(errs, e.Errs[i])
		}
	}
	return errs
}

// partly returns the BatchError for a batch of n that err is, wrapped or not,
// or nil. It does not look into the failure of another signal's listener. One
// that names what is not in the batch, or nothing, is wrong: then the whole batch
// has failed, and err says so.
func partly(err error, n int) (*BatchError, error) {
	for at := err; at != nil; {
		switch e := at.(type) { //nolint:errorlint // a walk of its own
		case *BatchError:
			if e == nil {
				return nil, err
			}
			for i := range e.Errs {
				if i < 0 || i >= n {
					return nil, fmt.Errorf("resilience: a BatchError names index %d of a batch of %d: %w", i, n, err)
				}
			}
			if len(e.Unwrap()) == 0 {
				return nil, fmt.Errorf("resilience: a BatchError without an error, which is taken for one of the whole batch: %w", err)
			}
			return e, err
		case *RetryError:
			if e != nil {
				at = e.Err
				continue
			}
		case *TimeoutError:
			if e != nil {
				at = e.Err
				continue
			}
		case *signals.ListenerError:
			return nil, err
		}
		at, _ = unwrap(at)
	}
	return nil, err
}

// RetryBatch is Retry for a listener of batches that may return a *BatchError:
// it is called again with those that failed, without those whose error is
// Permanent, a veto, or turned away by RetryIf. What the RetryError holds in the end
// goes by the index in the whole batch. After another error it is called again
// with all that were left.
func RetryBatch[T any](fn func(context.Context, []T) error, opts ...RetryOption) func(context.Context, []T) error {
	need(fn != nil, "RetryBatch: the listener is nil")
	c := newRetryConfig(opts)
	retryIf := c.retryIf
	c.retryIf = nil // rest asks it, for each payload
	return signals.Identify(func(ctx context.Context, batch []T) error {
		err := fn(ctx, batch)
		if err == nil || answered(err) {
			return err
		}
		r := &rest[T]{batch: batch, retryIf: retryIf, errs: make(map[int]error)}
		again := *c
		if c.onRetry != nil { // it gets what came of the payloads, which Retry does not know
			again.onRetry = func(ctx context.Context, attempt int, err error, wait time.Duration) {
				if len(r.errs) > 0 {
					err = &BatchError{Errs: maps.Clone(r.errs)}
				}
				c.onRetry(ctx, attempt, err, wait)
			}
		}
		return r.result(again.again(ctx, r.took(err), func() error { return r.took(fn(ctx, r.batch)) }))
	}, fn)
}

// rest is what is left of a batch.
type rest[T any] struct {
	retryIf func(error) bool
	batch   []T
	index   []int         // of its payloads in the whole batch; nil while it is whole
	errs    map[int]error // what came last of each payload that has not been handled
}

// took notes what an attempt came to and returns what it is to Retry.
func (r *rest[T]) took(err error) error {
	if err == nil {
		for _, i := range r.index {
			delete(r.errs, i)
		}
		if len(r.errs) > 0 { // those that were not to be tried again
			return backoff.Permanent(errAttempt)
		}
		return nil
	}
	failed, err := partly(err, len(r.batch))
	if failed == nil && skips(err) {
		return r.took(nil)
	}
	if failed == nil && signals.IsVeto(err) {
		for k := range r.batch {
			i := k
			if r.index != nil {
				i = r.index[k]
			}
			r.errs[i] = err
		}
		return backoff.Permanent(errAttempt)
	}
	if failed == nil {
		if r.retryIf != nil && !r.retryIf(err) {
			err = backoff.Permanent(err)
		}
		if callsOf(err) > 0 {
			for _, i := range r.index {
				r.errs[i] = err
			}
		}
		return err
	}
	var (
		batch []T
		index []int
		wait  time.Duration
	)
	for k, payload := range r.batch {
		i := k
		if r.index != nil {
			i = r.index[k]
		}
		e := failed.Errs[k]
		if e == nil || skips(e) {
			delete(r.errs, i)
			continue
		}
		r.errs[i] = e
		if IsPermanent(e) || signals.IsVeto(e) || r.retryIf != nil && !r.retryIf(e) {
			continue
		}
		batch, index = append(batch, payload), append(index, i)
		if after := as[backoff.RetryAfterError](e); after != nil {
			wait = max(wait, after.Duration)
		}
	}
	r.batch, r.index = batch, index
	switch {
	case len(batch) == 0:
		return backoff.Permanent(errAttempt)
	case wait > 0:
		return backoff.RetryAfter(wait, errAttempt)
	}
	return errAttempt
}

// result puts what came of the payloads into what Retry returned.
func (r *rest[T]) result(err error) error {
	if gaveUp, ok := err.(*RetryError); ok && len(r.errs) > 0 { //nolint:errorlint // it is one or nil
		failed := &BatchError{Errs: r.errs}
		if signals.IsVeto(failed) { // nothing has failed
			return failed
		}
		gaveUp.Err = failed
	}
	return err
}

// DeadLetterBatch is DeadLetter for a listener of batches: it emits a letter
// for each payload that failed, but was not vetoed. After a *BatchError these are the ones it names,
// each with its own error; after another error, a panic or runtime.Goexit all
// payloads of the batch.
func DeadLetterBatch[T any](fn func(context.Context, []T) error, dead signals.Signal[Letter[T]]) func(context.Context, []T) error {
	need(fn != nil, "DeadLetterBatch: the listener is nil")
	need(dead != nil, "DeadLetterBatch: the signal is nil")
	return signals.Identify(func(ctx context.Context, batch []T) error {
		return lettered(ctx, func(ctx context.Context) error { return fn(ctx, batch) },
			func(ctx context.Context, err error, attempts int) {
				failed, whole := partly(err, len(batch))
				for i, payload := range batch {
					l := Letter[T]{payload, whole, attempts}
					if failed != nil {
						if l.Err = failed.Errs[i]; l.Err == nil || answered(l.Err) {
							continue
						}
					}
					dead.Emit(ctx, l)
				}
			})
	}, fn)
}

package resilience

import (
	"context"
	"errors"

	"example.com/signals"
)

// verdict is what a call is to a circuit.
type verdict int

const (
	ignored verdict = iota // it says nothing about what is called
	success
	failure
)

// The outcomes as a breaker is told them: no foreign error reaches it.
var (
	errIgnored = errors.New("ignored")
	errFailed  = errors.New("failed")
)

func (v verdict) err() error {
	switch v {
	case success:
		return nil
	case failure:
		return errFailed
	default:
		return errIgnored
	}
}

// judge says what the result of a call with ctx is to the circuit. Errors that
// were joined are judged one by one, and the worst counts.
func (c *Circuit) judge(ctx context.Context, err error) verdict {
	if err == nil {
		return success
	}
	worst := ignored
	parts(err, func(e error) bool {
		worst = max(worst, c.judgePart(ctx, e))
		return worst < failure
	})
	return worst
}

func (c *Circuit) judgePart(ctx context.Context, err error) verdict {
	switch {
	case answered(err):
		return success // an answer: an expected no
	case as[signals.PanicError](err) != nil || is(err, signals.ErrGoexit):
		return failure
	case callsOf(err) == 0:
		return ignored // a wrapper within refused the call
	case gaveUp(ctx, err):
		return ignored
	case c.failureIf != nil:
		if c.failureIf(err) {
			return failure
		}
		return success
	case IsPermanent(err):
		return success // an answer, if not the one that was hoped for
	}
	return failure
}

// gaveUp reports whether err says no more than that the caller's ctx has ended.
// The deadline of a Timeout is no caller's: it is there to find out what is
// too slow, whether it stands within the Breaker or around it.
func gaveUp(ctx context.Context, err error) bool {
	ended := ctx.Err()
	if ended == nil || as[TimeoutError](err) != nil {
		return false
	}
	cause := context.Cause(ctx)
	if _, ours := cause.(*TimeoutError); ours { //nolint:errorlint // put there as it is
		return false
	}
	return is(err, ended) || is(err, cause)
}

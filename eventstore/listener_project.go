package eventstore

import (
	"context"
	"errors"
)

// maxApply is the most events of one transaction of a projection: enough to
// share the cost of a commit, few enough not to keep other writers waiting.
const maxApply = 128

// project applies the events in transactions that move the checkpoint. It
// reports false if the listener is to stop before the last of them.
func (t *term) project(events []Recorded, old Position) (done bool, err error) {
	for len(events) > 0 {
		if t.tries(events[0].Position) > 0 {
			passed, err := t.retry(events[0])
			if err != nil {
				return false, err
			}
			if t.size = 1; passed {
				events = events[1:]
				continue
			}
		}
		if t.stopping.Err() != nil {
			return false, nil
		}
		n := min(len(events), t.size)
		t.passed(events[n-1])
		applied, failure, err := t.commit(events[:n], Move{To: events[n-1].Position}, old)
		switch {
		case err == nil:
			t.reached(t.at, n)
			events = events[n:]
			t.size = min(2*t.size, maxApply)
		case t.ctx.Err() != nil:
			return false, err
		case failure != nil:
			// First those before it, then it alone.
			t.note(events[applied], failure)
			t.size = max(applied, 1)
		case errors.Is(err, errInterrupted):
			t.size = max(applied, 1) // it took long, or is to stop
		case applied < n || !mayBeTheirs(err):
			return false, err
		case n > 1: // the commit failed: which of them is it?
			t.size = 1
		default:
			// One event that can be applied but not committed (a deferred
			// constraint, an SQL error that was passed over), or no database?
			if other := t.advance(Move{To: t.saved.at}, nil); other != nil {
				return false, other
			}
			t.note(events[0], err)
		}
	}
	return true, nil
}

// mayBeTheirs reports whether a commit may have failed because of what apply
// did.
func mayBeTheirs(err error) bool {
	for _, not := range []error{ErrMoved, ErrOutcomeUnknown, ErrBroken, ErrClosed, ErrUnsupported} {
		if errors.Is(err, not) {
			return false
		}
	}
	return true
}

// errInterrupted rolls back a transaction that is to end before all its events
// were applied.
var errInterrupted = errors.New("interrupted")

// commit applies the events and makes the move, in one transaction. It returns
// how many were applied, and the failure of the next one, which is then the
// error too.
func (t *term) commit(events []Recorded, m Move, old Position) (applied int, failure, err error) {
	err = t.advance(m, func(ctx context.Context, tx any) error {
		applied, failure = t.attempt(ctx, tx, events, old, func(Recorded) {})
		switch {
		case failure != nil:
			return failure
		case applied < len(events):
			return errInterrupted
		}
		return nil
	})
	return applied, failure, err
}

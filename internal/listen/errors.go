package listen

import (
	"context"
	"errors"
	"fmt"
)

// The errors that callers compare with errors.Is; the root documents them.
var (
	ErrClosed        = errors.New("signal is closed")
	ErrOverflow      = errors.New("signal is at capacity")
	ErrKeyTaken      = errors.New("key is taken")
	ErrDropped       = errors.New("emission was dropped for a listener")
	ErrGoexit        = errors.New("listener called runtime.Goexit")
	ErrWouldDeadlock = errors.New("would wait for the listener that is calling")
)

// UndoError is what came of an Undo: a failure, whatever it wraps.
type UndoError struct{ Err error }

func (e *UndoError) Error() string { return fmt.Sprintf("undo: %v", e.Err) }

// Unwrap returns the reason.
func (e *UndoError) Unwrap() error { return e.Err }

// rest is what a bare listener panics with whose error means that the ones
// behind it are not to be called: its loop, which has no room for that, ends.
type rest struct{ _ byte } // of some size, so that its pointer is like no other

var skip any = new(rest)

// Failed reports what a bare listener returned to of, or ends its loop.
func Failed(of Listener, ctx context.Context, payload any, err error) { //nolint:revive // of is the receiver
	if of.Skips(err) {
		panic(skip)
	}
	of.Failed(ctx, payload, err)
}

// Skipped reports whether a recovered panic is that of Failed.
func Skipped(panicked any) bool { return panicked == skip }

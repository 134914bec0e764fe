package listen

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

var (
	errTwice = errors.New("signals: next was called twice in an Around; a listener is called once for an emission")
	errLate  = errors.New("signals: next was called after its Around had returned; call it before, and the listener will run")
)

// turn says how far the one call of next has come. An Around may make it on another
// goroutine, and give up waiting for it; the call is not over before next is, or the
// listener would run beside its own next call, on a payload that is there no more.
type turn struct {
	state  atomic.Int32
	next   sync.WaitGroup
	goexit bool // next has begun, and has not come back; written by next, read behind it
}

const (
	open int32 = iota
	taken
	over
)

// take takes the call for a next.
func (t *turn) take() error {
	switch {
	case t.state.CompareAndSwap(open, taken):
		return nil
	case t.state.Load() == over:
		return errLate
	}
	return errTwice
}

// end lets no next begin, and waits for the one that has.
func (t *turn) end() {
	if !t.state.CompareAndSwap(open, over) {
		t.next.Wait()
		t.state.Store(over)
	}
}

// around calls the listener in what wraps it. run may be kept.
func (c *Call) around(ctx context.Context, run Runner) (undo Undo, err error) {
	h := c.Handler
	var t turn
	skip := false
	t.next.Add(1)
	next := func(inner context.Context) error {
		if err := t.take(); err != nil {
			return err
		}
		defer t.next.Done()
		t.goexit = true
		done, _, err := run(inner, h, false)
		t.goexit = false
		switch {
		case err == nil:
		case h.Of.Skips(err): // no failure: what wraps it must not roll back
			skip = true
		default:
			return err
		}
		undo = done
		return nil
	}
	returned := false
	defer func() {
		if !returned { // runtime.Goexit: undo while unwinding
			t.end()
			c.Unheard = undone(ctx, h, undo)
		}
	}()
	err = wrapped(ctx, h, next)
	t.end()
	returned = true
	switch skips := err != nil && h.Of.Skips(err); {
	case err != nil && !skips:
	case t.goexit: // of another goroutine: nobody could be told
		return nil, ErrGoexit
	default:
		c.Skip = skip || skips
		return undo, nil
	}
	if uerr := undone(ctx, h, undo); uerr != nil {
		err = errors.Join(err, uerr)
	}
	return nil, err
}

func wrapped(ctx context.Context, h *Handler, next func(context.Context) error) (err error) {
	err = Running
	defer h.Recover(&err)
	return h.Around(ctx, next)
}

// undone takes back a step that has completed, in what has failed around it. Its error
// is an *UndoError.
func undone(ctx context.Context, h *Handler, undo Undo) (err error) {
	if undo == nil {
		return nil
	}
	defer func() {
		if err != nil {
			err = &UndoError{err}
		}
	}()
	err = Running
	defer h.Recover(&err)
	return undo(context.WithoutCancel(ctx))
}

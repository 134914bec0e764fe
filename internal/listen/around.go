package listen

import (
	"context"
	"errors"
	"sync/atomic"
)

var errTwice = errors.New("signals: next was called twice in an Around; a listener is called once for an emission")

// around calls the listener in what wraps it. run may be kept.
func around(ctx context.Context, h *Handler, run Runner) (undo Undo, skip bool, err error) {
	var called atomic.Bool
	next := func(inner context.Context) error {
		if called.Swap(true) {
			return errTwice
		}
		if inner == nil {
			inner = ctx
		}
		done, _, err := run(inner, h, false)
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
			_ = undone(ctx, h, undo)
		}
	}()
	err = wrapped(ctx, h, next)
	returned = true
	switch {
	case err == nil:
		return undo, skip, nil
	case h.Of.Skips(err):
		return undo, true, nil
	}
	if uerr := undone(ctx, h, undo); uerr != nil {
		err = errors.Join(err, &UndoError{uerr})
	}
	return nil, false, err
}

func wrapped(ctx context.Context, h *Handler, next func(context.Context) error) (err error) {
	err = Running
	defer h.Recover(&err)
	return h.Around(ctx, next)
}

// undone takes back a step that has completed, in what has failed around it.
func undone(ctx context.Context, h *Handler, undo Undo) (err error) {
	if undo == nil {
		return nil
	}
	err = Running
	defer h.Recover(&err)
	return undo(context.WithoutCancel(ctx))
}

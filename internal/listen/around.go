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

// wrapped is a call of a listener in what wraps it.
type wrapped struct {
	h       *Handler
	run     Runner
	undo    Undo  // of a step that has completed
	skip    bool  // those behind are not to be called
	unheard error // what has failed and is being undone, which may call runtime.Goexit
}

// around calls the listener in what wraps it. run may be kept.
func (c *Call) around(ctx context.Context, run Runner) (undo Undo, err error) {
	w := &wrapped{h: c.Handler, run: run}
	returned := false
	defer func() {
		if !returned { // runtime.Goexit: undo while unwinding
			c.Unheard = w.unheard
			if uerr := w.takeBack(ctx); uerr != nil {
				c.Unheard = uerr
			}
		}
	}()
	err = w.call(ctx, 0)
	returned = true
	c.Skip = w.skip
	return w.undo, err
}

// call calls the Around with that index or, behind the last one, the listener. Each has
// a turn of its own: it may be called on a goroutine that the one outside of it has made
// and left alone. It returns what came of it, a panic too, and nil if it Skips: that is no
// failure, and what wraps it must not roll back. What has failed has been undone: to what
// wraps it, which may take it for a success, it is a listener that has failed.
func (w *wrapped) call(ctx context.Context, i int) error {
	if i == len(w.h.Around) {
		undo, _, err := w.run(ctx, w.h, false)
		skip := err != nil && w.h.Of.Skips(err)
		if err != nil && !skip {
			return err // a step that has not completed, whatever it returns beside
		}
		w.undo, w.skip = undo, skip
		return nil
	}
	err := w.wrap(ctx, i)
	if err == nil {
		return nil
	}
	if w.skip = w.h.Of.Skips(err); w.skip {
		return nil
	}
	w.unheard = err
	if uerr := w.takeBack(ctx); uerr != nil {
		err = errors.Join(err, uerr)
	}
	w.unheard = nil
	return err
}

func (w *wrapped) wrap(ctx context.Context, i int) error {
	t := new(turn)
	t.next.Add(1)
	err := w.around(ctx, i, t, func(inner context.Context) (err error) {
		if err := t.take(); err != nil {
			return err
		}
		defer t.next.Done()
		if inner == nil {
			inner = ctx
		}
		t.goexit = true
		if w.h.Inside != nil {
			w.h.Inside(func() { err = w.call(inner, i+1) })
		} else {
			err = w.call(inner, i+1)
		}
		t.goexit = false
		return err
	})
	if t.goexit && (err == nil || w.h.Of.Skips(err)) { // of another goroutine: next could tell nobody
		return ErrGoexit
	}
	return err
}

func (w *wrapped) around(ctx context.Context, i int, t *turn, next func(context.Context) error) (err error) {
	defer t.end()
	err = Running
	defer w.h.Recover(&err)
	return w.h.Around[i](ctx, next)
}

// takeBack undoes a step that has completed, in what has failed around it. Its error is
// an *UndoError.
func (w *wrapped) takeBack(ctx context.Context) (err error) {
	undo := w.undo
	if undo == nil {
		return nil
	}
	w.undo = nil // once, also if it calls runtime.Goexit
	defer func() {
		if err != nil {
			err = &UndoError{err}
		}
	}()
	err = Running
	defer w.h.Recover(&err)
	return undo(context.WithoutCancel(ctx))
}

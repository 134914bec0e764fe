// Package listen is one listener, as the machinery that calls it sees it: its
// function, the options that decide about its calls, and what the machinery
// tells the registration that it belongs to. How a call is made and recovered,
// timed and observed is the same for sync and async signals, and is here.
//
// What knows the payload type is in typed.go; the rest is compiled once.
package listen

import (
	"context"
	"time"
	"unsafe"

	"example.com/signals/internal/tally"
)

// Undo takes back what a step did.
type Undo = func(context.Context) error

// Listener is what the machinery tells a registration. All methods may be
// called from any goroutine, and none while a lock is held unless it says so.
type Listener interface {
	// Panicked makes an error of a recovered panic. It is called while the
	// panic's stack is there.
	Panicked(v any) error
	// Failed counts a failure and hands it to the failure handler.
	Failed(ctx context.Context, payload any, err error)
	// Returned counts a failure that the emitter gets, and returns it as an
	// error that names the listener.
	Returned(ctx context.Context, payload any, err error) error
	// Unheard hands the failure handler a failure that was counted as Returned,
	// and that the emitter will not get after all.
	Unheard(ctx context.Context, payload any, err error)
	// Named returns err as an error that names the listener.
	Named(err error) error
	// Lost is the error for an emission that the listener will not get. It may
	// be called with locks held.
	Lost() error
	// Observed reports which observers there are: of the beginning of a call,
	// and of its end.
	Observed() (begin, end bool)
	// Began tells the observers that a call begins, and returns the context for
	// it, and what Ended must be given.
	Began(ctx context.Context) (context.Context, any)
	// Ended tells the same observers that it has ended.
	Ended(ctx context.Context, began any, took time.Duration, err error)
	// Dropped tells the observers that n emissions will not reach the listener.
	Dropped(n int)
	// Slow warns of a call that has been running for that long; lag is the
	// number of emissions that the listener has not finished.
	Slow(ran time.Duration, lag int)
	// Claim takes the one call of a Once listener, for the first who asks.
	Claim() bool
	// Claimed reports whether somebody has.
	Claimed() bool
}

// Signal is what the machinery tells the signal whose emission it makes. All
// methods may be called from any goroutine, and none while a lock is held.
type Signal interface {
	// Name is what errors call the signal.
	Name() string
	// Observed reports whether there are observers of emissions.
	Observed() bool
	// Began tells them that an emission begins, and returns the context for the
	// listeners, and what Ended must be given.
	Began(ctx context.Context) (context.Context, any)
	// Ended tells the same observers that Emit is about to return.
	Ended(ctx context.Context, began any, err error)
	// Stopped is the error of a sync emission whose ctx has ended.
	Stopped(ctx context.Context, ran, of int) error
	// Unheard hands an error to the failure handler that nobody else will get.
	Unheard(ctx context.Context, payload any, err error)
	// Owned reports whether the calling goroutine runs a listener of an async
	// signal of the same bus.
	Owned() bool
}

// Member is a registration in a list of listeners. It does not hold the
// listener's function, so that a handle which outlives the registration keeps
// nothing alive. It does not change.
type Member struct {
	Of        Listener
	Key       string
	Priority  int
	Seq       uint64           // among listeners of one priority: the order of registration
	Delivered *tally.Counter   // of a sync signal that counts: calls
	Timing    *tally.Histogram // of a signal that counts
}

// Handler is the function of a listener with the options that decide about its
// calls. Functions that know the payload type T are kept as the pointers that
// they are; Pack and Unpack tell how. It does not change.
type Handler struct {
	Plain unsafe.Pointer // func(context.Context, T); exactly one of Plain, Fails and Step is set
	Fails unsafe.Pointer // func(context.Context, T) error
	Step  unsafe.Pointer // func(context.Context, T) (Undo, error)

	Filters []unsafe.Pointer // func(T) bool
	Until   []context.Context
	Once    bool

	Of Listener
}

// Special reports whether the handler needs more than a bare call.
func (h *Handler) Special() bool {
	return h.Step != nil || len(h.Filters) > 0 || len(h.Until) > 0 || h.Once
}

// Ended reports whether a context of Until has.
func (h *Handler) Ended() bool {
	for _, ctx := range h.Until {
		if ctx.Err() != nil {
			return true
		}
	}
	return false
}

// Recover is deferred around calls of user code: a panic becomes *err. It must
// be deferred directly, or recover would not see the panic. A Goexit passes
// through it.
func (h *Handler) Recover(err *error) {
	if v := recover(); v != nil {
		*err = h.Of.Panicked(v)
	}
}

// Call is one call of a listener to be made, with all that may surround it.
// Its functions are not kept.
type Call struct {
	Member  *Member
	Handler *Handler
	Timed   bool // the call is one of the sample

	// Out is set by Make: the listener has been called, and its call has ended.
	Called bool
}

// Make makes the call, unless the options turn the payload away or the listener
// has been removed. want and call know the payload: want reports whether the
// filters let it through. gone reports that the listener has been removed; it
// is asked last, behind filters and observers, which may take their time. With
// an error and without Called a filter has failed, or Goexit is on its way.
func (c *Call) Make(
	ctx context.Context,
	want func(*Handler) (bool, error),
	call func(context.Context, *Handler) (Undo, error),
	gone func() bool,
) (undo Undo, err error) {
	h, m := c.Handler, c.Member
	if h.Special() {
		ok, err := want(h)
		if !ok || err != nil {
			return nil, err
		}
		if gone() || h.Once && !m.Of.Claim() {
			return nil, nil
		}
	}
	begin, end := m.Of.Observed()
	if !begin && !end && !c.Timed {
		c.Called = true
		return call(ctx, h)
	}
	return c.observed(ctx, call, gone, begin || end, end)
}

// observed is Make for a call that is observed or timed.
func (c *Call) observed(
	ctx context.Context,
	call func(context.Context, *Handler) (Undo, error),
	gone func() bool,
	observers, end bool,
) (undo Undo, err error) {
	h, m := c.Handler, c.Member
	var began any
	if observers {
		ctx, began = m.Of.Began(ctx)
		if gone() && !h.Once { // while they ran; who removed it counts on no further call
			m.Of.Ended(ctx, began, 0, m.Of.Lost())
			return nil, nil
		}
	}
	c.Called = true
	if !end && !c.Timed {
		return call(ctx, h)
	}
	start := tally.Clock()
	returned := false
	defer func() {
		took := tally.Clock() - start
		if c.Timed && m.Timing != nil {
			m.Timing.Add(took)
		}
		if end {
			if !returned {
				err = ErrGoexit
			}
			m.Of.Ended(ctx, began, took, err)
		}
	}()
	undo, err = call(ctx, h)
	returned = true
	return undo, err
}

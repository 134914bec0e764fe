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
	// error that names the listener; nil if it Skips.
	Returned(ctx context.Context, payload any, err error) error
	// Unheard hands the failure handler a failure that was counted as Returned,
	// and that the emitter will not get after all.
	Unheard(ctx context.Context, payload any, err error)
	// Skips reports whether err means no failure, but that the listeners behind
	// are not to be called.
	Skips(err error) bool
	// Named returns err as an error that names the listener.
	Named(err error) error
	// Lost is the error for an emission that the listener will not get. It may
	// be called with locks held.
	Lost() error
	// Began tells the observers, if there are some, that a call begins. It returns
	// the context for the call and, if they want to be told of its end, what Ended
	// must be given; observed reports that there are some.
	Began(ctx context.Context) (_ context.Context, ended any, observed bool)
	// Ended tells the same observers that it has ended.
	Ended(ctx context.Context, began any, took time.Duration, err error)
	// Dropped tells the observers that n emissions will not reach the listener.
	Dropped(n int)
	// Who names the listener and where it was registered.
	Who() string
	// Slow warns of a call that has been running for that long; lag is the
	// number of emissions that the listener has not finished.
	Slow(ran time.Duration, lag int)
	// Claim takes the one call of a Once listener, for the first who asks.
	Claim() bool
	// Settle is called once the emission is over in which a sync listener was
	// claimed.
	Settle()
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
// they are. It does not change.
type Handler struct {
	Plain unsafe.Pointer             // func(context.Context, T); one of Plain, Fails, Step and Boxed is set
	Fails unsafe.Pointer             // func(context.Context, T) error
	Step  unsafe.Pointer             // func(context.Context, T) (Undo, error)
	Batch unsafe.Pointer             // func(context.Context, []T) error: instead of those
	Boxed func(context.Context, any) // a tap: instead of those

	Filters []unsafe.Pointer // func(T) bool
	Until   []context.Context
	Once    bool

	// Around is what wraps each call, the outermost first.
	Around []func(ctx context.Context, next func(context.Context) error) error
	// Inside calls fn so that what waits in it knows that it is inside the listener,
	// whatever goroutine that is; nil on a sync signal, which nobody waits for.
	Inside func(fn func())
	// Lifetime makes the context of a call, and what is to be called when the call and
	// all around it has ended; or nil.
	Lifetime func(context.Context) (context.Context, func())

	Of Listener

	special bool
}

// Sealed notes what the handler is, once all else is known, and returns it.
func (h *Handler) Sealed() *Handler {
	h.special = h.Step != nil || h.Batch != nil || h.Boxed != nil || len(h.Filters) > 0 || len(h.Until) > 0 || h.Once || len(h.Around) > 0 || h.Lifetime != nil
	return h
}

// Special reports whether the handler needs more than a bare call.
func (h *Handler) Special() bool { return h.special }

// Ended reports whether a context of Until has. Inlined, it would be compiled for
// each payload type.
//
//go:noinline
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
// through it. Before the call *err is Running, and after it anything else:
// asking the runtime for a panic that is not there takes longer than the rest.
func (h *Handler) Recover(err *error) {
	if *err != Running { //nolint:errorlint // that very one
		return
	}
	*err = nil
	if v := recover(); v != nil {
		*err = h.Of.Panicked(v)
	}
}

// Running is the error of a call under way, for Recover.
var Running error = running{}

type running struct{}

func (running) Error() string { return "signals: the call is under way" }

// Call is one call of a listener to be made, with all that may surround it.
type Call struct {
	Member  *Member
	Handler *Handler
	Timed   bool // the call is one of the sample

	// Set by Make: the listener has been called, and its call has ended; it wants
	// those behind it not to be called.
	Called, Skip bool
	// Unheard is what a Goexit that unwinds the call keeps from being returned, or nil: the
	// error of an Undo, or of the call, if it is the Undo that ends the goroutine. The caller
	// of Make must see to it behind that.
	Unheard error
}

// Make makes the call, unless the options turn the payload away or the listener
// has been removed. run knows the payload: it asks the filters, or calls the
// listener. keep makes another one that may be kept, which costs memory: for an
// Around, which is user code. gone, unless it is nil, reports that the listener has
// been removed; it is asked last, behind filters and observers, which may take
// their time. None of them is kept.
// With an error and without Called a filter has failed, or Goexit is on its
// way.
func (c *Call) Make(ctx context.Context, run Runner, keep func() Runner, gone func() bool) (undo Undo, err error) {
	h, m := c.Handler, c.Member
	if h.Special() {
		if _, ok, err := run(ctx, h, true); !ok || err != nil {
			return nil, err
		}
		if gone != nil && gone() || h.Once && !m.Of.Claim() {
			return nil, nil
		}
	}
	ctx, ended, observed := m.Of.Began(ctx)
	if observed && gone != nil && gone() && !h.Once { // while they ran; who removed it counts on no further call
		if ended != nil {
			m.Of.Ended(ctx, ended, 0, m.Of.Lost())
		}
		return nil, nil
	}
	return c.Begun(ctx, run, keep, ended)
}

// Begun is what Make does once the listener's Began has been called, which
// returned ended.
func (c *Call) Begun(ctx context.Context, run Runner, keep func() Runner, ended any) (undo Undo, err error) {
	if ended != nil || c.Timed {
		return c.timed(ctx, run, keep, ended)
	}
	return c.call(ctx, run, keep)
}

// call calls the listener.
func (c *Call) call(ctx context.Context, run Runner, keep func() Runner) (undo Undo, err error) {
	c.Called = true
	if c.Handler.Lifetime != nil {
		var end func()
		ctx, end = c.Handler.Lifetime(ctx)
		defer end()
	}
	if len(c.Handler.Around) > 0 {
		return c.around(ctx, keep())
	}
	undo, _, err = run(ctx, c.Handler, false)
	if err != nil && c.Member.Of.Skips(err) {
		c.Skip, err = true, nil
	}
	return undo, err
}

// Runner is Run with a payload.
type Runner = func(ctx context.Context, h *Handler, filter bool) (undo Undo, ok bool, err error)

// timed makes a call whose end somebody wants to know.
func (c *Call) timed(ctx context.Context, run Runner, keep func() Runner, ended any) (undo Undo, err error) {
	start := tally.Clock()
	returned := false
	defer func() {
		took := tally.Clock() - start
		if c.Timed && c.Member.Timing != nil {
			c.Member.Timing.Add(took)
		}
		if ended != nil {
			if !returned {
				err = ErrGoexit
			}
			c.Member.Of.Ended(ctx, ended, took, err)
		}
	}()
	undo, err = c.call(ctx, run, keep)
	returned = true
	return undo, err
}

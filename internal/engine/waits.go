package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/signals/internal/listen"
)

// Waiter is an EmitWait.
type Waiter struct {
	ctx  context.Context
	left int     // listeners that have not finished; under Engine.mu
	errs []error // under Engine.mu until done is closed
	done chan struct{}
}

// NewWaiter makes a waiter, for one Offer to one of gs. Inside a listener of gs
// there is an error, ErrWouldDeadlock.
func NewWaiter(gs []*Engine, ctx context.Context) (*Waiter, error) { //nolint:revive // gs is the receiver
	if ctx == nil {
		ctx = context.Background()
	}
	w := &Waiter{ctx: ctx, done: make(chan struct{})}
	return w, MayWait(gs, "EmitWait on")
}

// Context returns what NewWaiter was given, or the background.
func (w *Waiter) Context() context.Context { return w.ctx }

// finish notes that one listener is through. It must be called with Engine.mu
// held.
func (w *Waiter) finish(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// Wait returns the failures joined when every listener has finished the
// emission, or what the waiter's context says when it ends before; at once if
// there was an error, which it returns.
func (g *Engine) Wait(w *Waiter, err error) error {
	if err != nil {
		return err
	}
	ctx := w.ctx
	select {
	case <-w.done:
		return joined(w.errs)
	case <-ctx.Done():
	}
	select {
	case <-w.done: // both at once: what happened says more
		return joined(w.errs)
	default:
		return g.opError("EmitWait on", ctx.Err())
	}
}

// barrier is something that waits until every reader has passed pos.
type barrier struct {
	pos  uint64
	left int           // readers that have not; under Engine.mu
	done chan struct{} // closed then
	then func()        // called then, unless it is nil
}

// reached ends a barrier.
func (g *Engine) reached(b *barrier) {
	close(b.done)
	if b.then != nil {
		g.notes.then = append(g.notes.then, b.then)
	}
}

// barrier makes a barrier at the end of the log; it is done at once if nothing
// before it is unfinished.
func (g *Engine) barrier(then func()) *barrier {
	g.mu.Lock()
	defer g.unlock()
	b := &barrier{pos: g.end, done: make(chan struct{}), then: then}
	for _, rs := range [2][]*Reader{g.readers, g.leaving} {
		for _, r := range rs {
			if r.done < b.pos {
				b.left++
			}
		}
	}
	if b.left == 0 {
		g.reached(b)
	} else {
		g.barriers = append(g.barriers, b)
	}
	return b
}

// abandon takes back a barrier that nobody waits for any more.
func (g *Engine) abandon(b *barrier) {
	g.mu.Lock()
	defer g.unlock()
	if i := slices.Index(g.barriers, b); i >= 0 {
		g.barriers = slices.Delete(g.barriers, i, i+1)
	}
}

// Drain returns when every emission that the engines have accepted is
// finished, or with an error of op that says how many are left when ctx ends.
func Drain(ctx context.Context, gs []*Engine, op string) error {
	barriers := make([]*barrier, len(gs))
	for i, g := range gs {
		barriers[i] = g.barrier(nil)
	}
	for _, b := range barriers {
		select {
		case <-b.done:
			continue
		default:
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			for i, g := range gs {
				g.abandon(barriers[i])
			}
			return gs[0].opError(op, &leftError{ctx.Err(), Pending(gs), InTheWay(gs)})
		}
	}
	return nil
}

// leftError says how many emissions are left, and who is in the way.
type leftError struct {
	err error
	n   int
	who string
}

func (e *leftError) Error() string {
	left := fmt.Sprintf("%d emissions", e.n)
	if e.n == 1 {
		left = "1 emission"
	}
	return fmt.Sprintf("%v with %s left%s", e.err, left, e.who)
}

func (e *leftError) Unwrap() error { return e.err }

// named is how many listeners an error names.
const named = 3

// InTheWay names the listeners that have not finished what was accepted, those
// that run longest first, as the end of an error's text; "" if there are none.
func InTheWay(gs []*Engine) string {
	type one struct {
		l   listen.Listener
		ran time.Duration
		lag int
	}
	var all []one
	for _, g := range gs {
		g.mu.Lock()
		for _, rs := range [2][]*Reader{g.readers, g.leaving} {
			for _, r := range rs {
				if r.maxLag > 0 && r.attached {
					g.trim(r)
				}
				if lag := max(r.lag(), len(r.claims)); lag > 0 {
					all = append(all, one{r.l, r.running(), lag})
				}
			}
		}
		g.unlock()
	}
	slices.SortStableFunc(all, func(a, b one) int { return cmp.Compare(b.ran, a.ran) })
	var b strings.Builder
	for i, o := range all[:min(len(all), named)] {
		b.WriteString([]string{"; in the way: ", ", "}[min(i, 1)])
		fmt.Fprintf(&b, "%s with %d", o.l.Who(), o.lag)
		if o.ran > 0 {
			fmt.Fprintf(&b, ", in a call for %v", o.ran.Round(time.Millisecond))
		}
	}
	if more := len(all) - named; more > 0 {
		fmt.Fprintf(&b, ", and %d more", more)
	}
	return b.String()
}

// AfterDrain calls f once everything that the engines have accepted is
// finished: at once, or later on the goroutine that finishes the last of it.
func AfterDrain(gs []*Engine, f func()) {
	for _, g := range slices.Backward(gs) {
		next := f
		f = func() { g.barrier(next) }
	}
	f()
}

// MayWait returns ErrWouldDeadlock, as an error of op, inside a listener of the
// engines.
func MayWait(gs []*Engine, op string) error {
	if Inside(gs) {
		return gs[0].opError(op, listen.ErrWouldDeadlock)
	}
	return nil
}

// Pending returns the number of emissions that were accepted and are not yet
// finished.
func Pending(gs []*Engine) (n int) {
	for _, g := range gs {
		g.mu.Lock()
		n += g.unfinished()
		g.unlock()
	}
	return n
}

// Accepted returns the number of emissions that were accepted.
func Accepted(gs []*Engine) (n uint64) {
	for _, g := range gs {
		g.mu.Lock()
		n += g.end
		g.unlock()
	}
	return n
}

package chain

import (
	"context"
	"errors"

	"example.com/signals/internal/listen"
	"example.com/signals/internal/roster"
	"example.com/signals/internal/tally"
)

// Mode says what an emission does about failures.
type Mode int

// The modes: failures go to the handler; the first one ends the emission, which
// is undone; all are joined.
const (
	Emit Mode = iota
	TryEmit
	TryEmitAll
)

// payloadOf is what knows the payload, and can do several things with it. It is
// passed on as an argument and stored nowhere, so that it needs no memory of its
// own. It is one function because each one costs every payload type some time to
// compile.
type payloadOf func(ctx context.Context, h *listen.Handler, do do) (listen.Undo, any, error)

type do int

const (
	called   do = iota // the listener, as a listen.Runner does
	filtered           // asks the filters; true if it passes
	boxed              // the payload
	kept               // a listen.Runner that may be kept
)

func (p payloadOf) box() any {
	_, payload, _ := p(nil, nil, boxed)
	return payload
}

func (p payloadOf) keep() listen.Runner {
	_, run, _ := p(nil, nil, kept)
	return run.(listen.Runner) //nolint:forcetypeassert // that is what it is
}

// run is a listen.Runner.
func (p payloadOf) run(ctx context.Context, h *listen.Handler, filter bool) (listen.Undo, bool, error) {
	if !filter {
		undo, _, err := p(ctx, h, called)
		return undo, false, err
	}
	undo, ok, err := p(ctx, h, filtered)
	return undo, ok == true, err
}

// emission is one emission.
type emission struct {
	s     *Signal
	l     *roster.List
	k     uint64          // the stripe to count in
	ctx   context.Context // for the listeners: what the observers made of it
	began any             // for the observers of the emission; nil without
	slow  *flight         // SlowAfter
	timed bool            // the emission is one of the sample
	calls uint64          // that have come to an end
	skip  bool            // the last one wants those behind it not to be called
	once  listen.Listener // the last one that is called only once; nil without
}

func (s *Signal) run(mode Mode, l *roster.List, ctx context.Context, k uint64, rest *Rest, p payloadOf) error { //nolint:revive // l is the receiver's part
	if rest != nil {
		s.goOn(l, ctx, rest, p)
		return nil
	}
	x := emission{s: s, l: l, k: k, ctx: ctx}
	x.begin(p.box)
	switch mode {
	case TryEmit:
		return x.try(p)
	case TryEmitAll:
		return x.all(p)
	}
	x.emit(p)
	return nil
}

func (x *emission) begin(box func() any) {
	s := x.s
	if s.Emitted != nil {
		x.timed = tally.Sampled(s.Emitted.At(x.k).Add(1) - 1)
	}
	if s.Observed() {
		x.ctx, x.began = s.Began(x.ctx)
	}
	if taps := s.Taps.Load(); taps != nil && len(*taps) > 0 {
		payload := box()
		for _, tap := range *taps {
			(*tap)(x.ctx, payload)
		}
	}
	if s.SlowAfter > 0 && x.l.Len() > 0 {
		x.slow = s.watch.enter(s.SlowAfter, x.l.Blocks[0].Rows[0].Member)
	}
}

func (x *emission) end(err error) {
	if x.slow != nil {
		x.s.watch.leave(x.slow)
	}
	if x.calls > 0 {
		x.s.Delivered.At(x.k).Add(x.calls)
	}
	if x.once != nil {
		x.once.Settle()
	}
	if x.began != nil {
		x.s.Ended(x.ctx, x.began, err)
	}
}

// call runs one listener, unless its options turn the payload away.
func (x *emission) call(r *roster.Row, p payloadOf) (listen.Undo, error) {
	if x.slow != nil {
		x.s.watch.next(x.slow, r.Member)
	}
	if !x.timed && !r.Handler.Special() {
		ctx, ended := x.ctx, any(nil)
		if x.s.ObservedCalls.Load() {
			ctx, ended, _ = r.Of.Began(ctx)
		}
		if ended == nil {
			_, _, err := p(ctx, r.Handler, called)
			if r.Delivered != nil {
				r.Delivered.At(x.k).Add(1)
				x.calls++
			}
			if err != nil && r.Of.Skips(err) {
				x.skip, err = true, nil
			}
			return nil, err
		}
		return x.observed(ctx, r, p, ended)
	}
	return x.special(r, p)
}

// special is call for a listener with options, and for the sample.
func (x *emission) special(r *roster.Row, p payloadOf) (listen.Undo, error) {
	if r.Handler.Once {
		x.once = r.Of
	}
	c := listen.Call{Member: r.Member, Handler: r.Handler, Timed: x.timed}
	if len(r.Handler.Around) > 0 {
		defer func() {
			if c.Unheard != nil {
				r.Of.Failed(x.ctx, p.box(), c.Unheard)
			}
		}()
	}
	undo, err := c.Make(x.ctx, p.run, p.keep, nil) // nil: an emission under way may still call one that was removed
	x.count(r, &c)
	return undo, err
}

// observed is call behind Began, where somebody wants to know of its end.
func (x *emission) observed(ctx context.Context, r *roster.Row, p payloadOf, ended any) (listen.Undo, error) {
	c := listen.Call{Member: r.Member, Handler: r.Handler}
	undo, err := c.Begun(ctx, p.run, p.keep, ended)
	x.count(r, &c)
	return undo, err
}

// count notes what has come of a call.
func (x *emission) count(r *roster.Row, c *listen.Call) {
	x.skip = c.Skip
	if c.Called && r.Delivered != nil {
		r.Delivered.At(x.k).Add(1)
		x.calls++
	}
}

// emit calls all, and reports each failure to the handler.
func (x *emission) emit(p payloadOf) {
	var errs []error // for the observers
	returned := false
	defer func() {
		if !returned { // a listener called runtime.Goexit
			errs = append(errs, listen.ErrGoexit)
		}
		var err error
		if errs != nil {
			err = errors.Join(errs...)
		}
		x.end(err)
	}()
loop:
	for _, b := range x.l.Blocks {
		for i := range b.Rows {
			r := &b.Rows[i]
			if _, err := x.call(r, p); err != nil {
				if x.began != nil {
					errs = append(errs, r.Of.Named(err))
				}
				r.Of.Failed(x.ctx, p.box(), err)
			}
			if x.skip {
				break loop
			}
		}
	}
	returned = true
}

// failure is one that the emitter is about to get.
type failure struct {
	r   *roster.Row
	err error
}

// all calls all, and joins the failures.
func (x *emission) all(p payloadOf) error {
	var errs []error
	var failed []failure
	returned := false
	defer func() {
		if !returned { // a listener called runtime.Goexit, and nobody will get the failures
			for _, f := range failed {
				f.r.Of.Unheard(x.ctx, p.box(), f.err)
			}
			errs = append(errs, listen.ErrGoexit)
		}
		x.end(errors.Join(errs...))
	}()
	ran := 0
loop:
	for _, b := range x.l.Blocks {
		for i := range b.Rows {
			if x.ctx.Err() != nil {
				errs = append(errs, x.s.Stopped(x.ctx, ran, x.l.Len()))
				break loop
			}
			r := &b.Rows[i]
			if _, err := x.call(r, p); err != nil {
				errs = append(errs, r.Of.Returned(x.ctx, p.box(), err))
				failed = append(failed, failure{r, err})
			}
			if x.skip {
				break loop
			}
			ran++
		}
	}
	returned = true
	return errors.Join(errs...)
}

// completed is a Step whose do has succeeded in the TryEmit under way.
type completed struct {
	r    *roster.Row
	undo listen.Undo
}

// try stops at the first failure, and undoes what was done.
func (x *emission) try(p payloadOf) (err error) {
	var done []completed
	var failed failure
	returned := false
	defer func() {
		if !returned { // a listener called runtime.Goexit: undo while unwinding
			err = listen.ErrGoexit
		}
		defer func() { x.end(err) }()
		if err != nil {
			err = x.undo(done, failed, err, returned, p.box())
		}
	}()
	ran := 0
	for _, b := range x.l.Blocks {
		for i := range b.Rows {
			if x.ctx.Err() != nil {
				returned = true
				return x.s.Stopped(x.ctx, ran, x.l.Len())
			}
			r := &b.Rows[i]
			undo, err := x.call(r, p)
			if err != nil {
				returned = true
				failed = failure{r, err}
				return r.Of.Returned(x.ctx, p.box(), err)
			}
			if undo != nil {
				done = append(done, completed{r, undo})
			}
			if x.skip {
				returned = true
				return nil
			}
			ran++
		}
	}
	returned = true
	return nil
}

// undo runs the Undo of the completed steps in reverse order, the rest of them
// also if one panics or calls runtime.Goexit. It returns the failure joined
// with theirs. When nobody is there to get it, all goes to the handler.
func (x *emission) undo(done []completed, failed failure, why error, heard bool, payload any) (err error) {
	ctx := context.WithoutCancel(x.ctx)
	errs := []error{why}
	var undone []failure
	defer func() { // the last to run
		if heard {
			return
		}
		switch {
		case failed.r != nil:
			failed.r.Of.Unheard(ctx, payload, failed.err)
		case why != listen.ErrGoexit: //nolint:errorlint // that very one
			x.s.Unheard(ctx, payload, why)
		}
		for _, f := range undone {
			f.r.Of.Unheard(ctx, payload, f.err)
		}
	}()
	for _, step := range done {
		defer func() {
			returned := false
			defer func() { heard = heard && returned }()
			uerr := step.run(ctx)
			returned = true
			if uerr == nil {
				return
			}
			uerr = &listen.UndoError{Err: uerr}
			if !heard {
				step.r.Of.Failed(ctx, payload, uerr)
				return
			}
			undone = append(undone, failure{step.r, uerr})
			errs = append(errs, step.r.Of.Returned(ctx, payload, uerr))
			err = errors.Join(errs...)
		}()
	}
	return why
}

func (c *completed) run(ctx context.Context) (err error) {
	err = listen.Running
	defer c.r.Handler.Recover(&err)
	return c.undo(ctx)
}

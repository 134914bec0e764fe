package signals

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals/internal/engine"
)

// Cancellable gives the calls of an async listener a context that is cancelled
// when the listener is removed, and when a Close of the signal, of its Scope or
// of its Bus gives up waiting: so that a stuck one learns of it. context.Cause
// says which. Calls that begin after a Close gave up begin cancelled. The context
// has the values of that of the emission and, with EmitWait, its end as well. The
// removal that Once makes before the call cancels nothing.
func Cancellable() ListenerOption {
	return func(c *listenerConfig) { c.cancellable, c.asyncOnly = true, "Cancellable" }
}

var (
	errRemoved = errors.New("signals: the listener was removed")
	errGaveUp  = errors.New("signals: a Close gave up waiting for the listener")
)

// life is until when the calls of a cancellable listener may go on.
type life struct {
	context.Context
	end context.CancelCauseFunc
}

// cancellable makes the calls cancellable: see listen.Handler.
func (e *entry) cancellable() func(context.Context) (context.Context, func()) {
	ctx, end := context.WithCancelCause(context.Background())
	e.life = &life{ctx, end}
	return func(ctx context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(ctx)
		stop := context.AfterFunc(e.life, func() { cancel(context.Cause(e.life)) })
		switch {
		case e.life.Err() != nil: // AfterFunc takes its time
			cancel(context.Cause(e.life))
		case e.st.gaveUp.Load():
			cancel(errGaveUp)
		}
		return ctx, func() {
			stop()
			cancel(nil)
		}
	}
}

// giveUp tells the cancellable listeners of a signal that nobody waits for them
// any more: those that it has, that are leaving, and that will come.
func (b *base) giveUp(st *settings) {
	st.gaveUp.Store(true)
	for r := range b.current().All {
		entryOf(r.Member).cancel(errGaveUp)
	}
	if gs := st.engines.Load(); gs != nil {
		for _, m := range engine.Leaving(*gs) {
			entryOf(m).cancel(errGaveUp)
		}
	}
}

func (e *entry) cancel(why error) {
	if e.life != nil {
		e.life.end(why)
	}
}

// needContext panics on Cancellable where the listener gets no context.
func (c *listenerConfig) needContext(call string, st *settings) {
	if c.cancellable {
		panic(fmt.Sprintf("signals: %s on %q: it hands out no context; Cancellable makes no sense", call, st.Name()))
	}
}

package signals

import (
	"context"
	"errors"

	"example.com/signals/internal/engine"
)

// Subscription is the handle of one registration. Its methods may be called
// from any goroutine, and on a nil *Subscription they do nothing.
type Subscription struct {
	reg registered
	key string
}

// registered is what a Subscription stands for: an entry, or a tap.
type registered interface {
	unsubscribe() bool
	wait(ctx context.Context) error
	busy() bool // a call is in flight, of an async listener
	stats() ListenerStats
}

// Unsubscribe removes exactly this registration; later calls do nothing. On
// an async signal no further call starts once it has returned, and what was
// pending for the listener is dropped and counted; a call in flight completes,
// and Wait waits for it. On a sync signal an emission under way may still call
// the listener.
func (s *Subscription) Unsubscribe() {
	if s != nil {
		s.reg.unsubscribe()
	}
}

// Wait returns when no call of an async listener is in flight, or ctx ends:
// after Unsubscribe, when what the listener uses may be torn down. Called from
// inside a listener of the same signal it returns ErrWouldDeadlock; on a sync
// signal errors.ErrUnsupported.
func (s *Subscription) Wait(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.reg.wait(orBackground(ctx))
}

// Key returns the listener's key, or "".
func (s *Subscription) Key() string {
	if s == nil {
		return ""
	}
	return s.key
}

// Stats returns what is known of this listener. It goes on working after
// Unsubscribe.
func (s *Subscription) Stats() ListenerStats {
	if s == nil {
		return ListenerStats{}
	}
	return s.reg.stats()
}

func (e *entry) unsubscribe() bool {
	var tell []engine.Tell
	if !e.b.remove(e, func() { tell = e.detach() }) {
		return false
	}
	leave([]*entry{e}, tell)
	return true
}

// detach takes the readers off their logs. What it returns must be called when
// no lock is held.
func (e *entry) detach() (tell []engine.Tell) {
	for _, r := range e.readers {
		if t := r.Detach(); t != nil {
			tell = append(tell, t)
		}
	}
	return tell
}

// leave does what is left to do when entries have been removed.
func leave(es []*entry, tell []engine.Tell) {
	for _, t := range tell {
		t()
	}
	for _, e := range es {
		e.unwatch()
		if e.scope != nil {
			e.scope.forget(&e.sub)
		}
	}
}

func (e *entry) busy() bool {
	for _, r := range e.readers {
		if r.Busy() {
			return true
		}
	}
	return false
}

func (e *entry) wait(ctx context.Context) error {
	const op = "wait for a listener of"
	if e.st.kind == KindSync {
		return &engine.OpError{Op: op, Signal: e.st.Name(), Err: errors.ErrUnsupported}
	}
	if err := engine.MayWait(*e.st.engines.Load(), op); err != nil {
		return err
	}
	for _, r := range e.readers {
		if err := r.Quiet(ctx); err != nil {
			return err
		}
	}
	return nil
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

package eventstore

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"example.com/signals"
)

// Delivery is what the signal NAME.listeners carries: one call of a durable
// listener. It is the store that emits it, for the listener with that key
// alone.
type Delivery struct {
	Recorded
	Key     string // of the listener
	Attempt int    // the number of the call with this event, from 1
}

// call is what a call of a listener's function carries in its context.
type call struct {
	l      *Listener
	tx     any
	called bool
	err    error
}

type callKey struct{}

// busyFor is how long a listener that is busy works before it writes its
// checkpoint.
const busyFor = time.Second

// attempt calls the listener with the events, in order, until one fails, ctx
// or the listener ends, or enough time has passed. It returns the number of
// those that succeeded, and the failure of the next one. each is called after
// each success.
func (l *Listener) attempt(ctx context.Context, tx any, events []Recorded, old Position, each func(Recorded)) (n int, err error) {
	began := time.Now()
	exited := l.runner.do(func() {
		for ; n < len(events); n++ {
			if ctx.Err() != nil || l.stopping.Err() != nil || n > 0 && time.Since(began) >= busyFor {
				return
			}
			if err = l.once(ctx, tx, events[n], old); err != nil {
				return
			}
			each(events[n])
		}
	})
	if exited {
		err = signals.ErrGoexit
		l.store.log(levelError, "eventstore: a durable listener called runtime.Goexit", "key", l.key, "position", events[n].Position)
	}
	return n, err
}

// once calls the listener with the event, as a listener of the store's signal,
// and returns its failure, which has been reported.
func (l *Listener) once(ctx context.Context, tx any, r Recorded, old Position) error {
	c := &call{l: l, tx: tx}
	ctx = context.WithValue(ctx, callKey{}, c)
	if r.Position <= old {
		ctx = context.WithValue(ctx, rebuildingKey{}, true)
	}
	// Its own copy for each call: a listener may write to what it gets, and
	// is called again with what is stored.
	d := Delivery{Recorded: r.Clone(), Key: l.key, Attempt: l.before + l.tries(r.Position) + 1}
	l.store.listening.Emit(ctx, d)
	if !c.called && !l.store.listening.HasKey(l.key) {
		// Somebody has removed it from the signal. That it is no longer seen
		// there must not lose events.
		if err := l.delivered(ctx, d); err != nil {
			l.store.log(levelError, "eventstore: a durable listener failed", "key", l.key, "position", r.Position, "err", err)
		}
	}
	return c.err
}

// tries returns how many calls with the event at that position have failed.
func (l *Listener) tries(p Position) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.failing.position == p {
		return l.state.failing.attempts
	}
	return 0
}

// delivered is the listener as the store's signal has it.
func (l *Listener) delivered(ctx context.Context, d Delivery) (err error) {
	c, _ := ctx.Value(callKey{}).(*call)
	if c == nil || c.l != l {
		return errors.New("eventstore: the signal of durable listeners is the store's to emit; append an event instead")
	}
	c.called = true
	defer func() {
		if v := recover(); v != nil {
			err = &signals.PanicError{Value: v, Stack: debug.Stack()}
		}
		c.err = err
	}()
	return l.fn(ctx, c.tx, d.Recorded)
}

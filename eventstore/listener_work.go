package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	levelError = slog.LevelError
	levelInfo  = slog.LevelInfo

	// How long a listener waits before it begins again after the backend has
	// failed: twice as long each time.
	firstRest, longestRest = 100 * time.Millisecond, 10 * time.Second
)

// finalError is one after which a listener does not go on.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// work is the listener's goroutine: one term after another.
func (l *Listener) work() {
	tail := &l.store.tail
	tail.enter()
	unwatch := tail.watchKey(l.key, l.keyChanged)
	err := l.terms()
	unwatch()
	tail.leave()
	l.runner.end()
	l.end(err)
}

// keyChanged is told of changes of the key, its own as well. Only dead letters
// can be a matter for it.
func (l *Listener) keyChanged() {
	l.mu.Lock()
	dead := l.state.dead > 0
	l.mu.Unlock()
	if dead {
		l.changed.Store(true)
		l.wake()
	}
}

// terms works until the listener is stopped or cannot go on, and returns why.
func (l *Listener) terms() error {
	for rest := firstRest; ; rest = min(2*rest, longestRest) {
		began := time.Now()
		err := l.term()
		if l.stopping.Err() != nil {
			return nil
		}
		if final, ok := errors.AsType[*finalError](err); ok {
			l.store.log(levelError, "eventstore: a durable listener ended", "key", l.key, "err", final.err)
			return final.err
		}
		if errors.Is(err, ErrBroken) || errors.Is(err, ErrClosed) || errors.Is(err, ErrUnsupported) {
			// Only a new Store over the reopened backend can go on.
			err = failed(fmt.Sprintf("listener %q", l.key), err)
			l.store.log(levelError, "eventstore: a durable listener ended", "key", l.key, "err", err)
			return err
		}
		l.update(func(s *listenerState) { s.err = err })
		if time.Since(began) > longestRest {
			rest = firstRest
		}
		if !errors.Is(err, ErrMoved) && !errors.Is(err, errLeaseLost) { // these happen
			l.store.log(levelError, "eventstore: a durable listener begins again", "key", l.key, "err", err, "in", rest)
		}
		l.sleep(l.stopping, rest)
	}
}

// errLeaseLost: another one may be working.
var errLeaseLost = errors.New("the lease was lost")

// sleep waits for d, or for the end of ctx or of the listener.
func (l *Listener) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-l.stopping.Done():
	}
}

// term stands by until the key is this listener's, and works until it is not,
// until something fails, or until the listener is stopped.
func (l *Listener) term() error {
	l.setStandby(true)
	defer l.setStandby(true)
	ctx, cancel := context.WithCancel(l.hard)
	defer cancel()
	lost := make(chan struct{})
	if leaser, ok := l.store.backend.(Leaser); ok {
		lease, err := leaser.Lease(l.stopping, l.key)
		if err != nil {
			return err
		}
		defer lease.Release()
		go func() {
			select {
			case <-lease.Lost():
				close(lost)
				cancel()
				l.wake()
			case <-ctx.Done():
			}
		}()
	}
	c, err := l.store.checkpoint(ctx, l.keys, l.key)
	if err != nil {
		return err
	}
	head, err := l.store.backend.Head(ctx)
	if err != nil {
		return err
	}
	if c.Position > head {
		return &finalError{fmt.Errorf("eventstore: listener %q: its checkpoint is at %d, but the store's last event at %d: the store is an older copy; "+
			"delete the checkpoint to begin anew", l.key, c.Position, head)}
	}
	l.mu.Lock()
	l.state.at, l.state.head, l.state.dead, l.state.standby = c.Position, head, c.Dead, false
	l.wakeLocked(func(w *positionWait) bool { return true }) // they look again
	l.mu.Unlock()
	l.changed.Store(c.Dead > 0)
	t := &term{Listener: l, ctx: ctx, saved: c.Position, at: c.Position, lastSave: time.Now(), size: maxApply}
	if c.Stopped != "" { // this is another try
		if err := t.advance(Move{To: t.at}, nil); err != nil {
			return err
		}
	}
	err = t.work()
	select {
	case <-lost:
		if err != nil {
			return fmt.Errorf("%w: %w", errLeaseLost, err)
		}
	default:
	}
	return err
}

func (l *Listener) setStandby(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.standby, l.state.idle = on, false
	l.wakeLocked(func(*positionWait) bool { return true })
}

// term is a listener while the key is its own. It belongs to the worker.
type term struct {
	*Listener
	ctx      context.Context // ends when the lease is lost, or Stop gives up
	saved    Position        // the checkpoint is here
	at       Position        // everything up to here is finished
	handled  bool            // some of what came after saved was a call
	lastSave time.Time
	lastLook time.Time     // for dead letters
	lookCost time.Duration // of that look
	oldAt    Position      // see old
	size     int           // events in the next transaction of a projection
}

// work follows the store.
func (t *term) work() error {
	for size := firstPage; ; size = min(2*size, maxPage) {
		if t.stopping.Err() != nil {
			return t.save()
		}
		if err := t.ctx.Err(); err != nil {
			return err
		}
		if err := t.redeliver(); err != nil {
			return err
		}
		g, err := t.store.glance(t.ctx, t.query, t.at, size)
		if err != nil {
			return err
		}
		if err := t.page(g); err != nil {
			return err
		}
		if t.stopping.Err() != nil || g.more {
			continue
		}
		if err := t.idle(g.seen); err != nil {
			return err
		}
	}
}

// page handles what a look has shown.
func (t *term) page(g glance) error {
	if g.head > 0 {
		t.update(func(s *listenerState) { s.head = max(s.head, g.head) })
	}
	events := g.events
	if g.shared {
		events = nil
		for _, r := range g.events {
			if t.query.Matches(&r.Event) {
				events = append(events, r)
			}
		}
	}
	old, err := t.old(len(events))
	if err != nil {
		return err
	}
	handle := t.handle
	if t.apply != nil {
		handle = t.project
	}
	if done, err := handle(events, old); err != nil || !done {
		return err
	}
	t.at = max(t.at, g.upTo)
	t.reached(t.at, 0)
	return nil
}

// old returns how far the key has come whose place this one takes, 0 without
// one, or without events for which that matters.
func (t *term) old(events int) (Position, error) {
	if t.rebuildOf == "" || events == 0 {
		return 0, nil
	}
	there, err := t.keys.Keys(t.ctx, t.rebuildOf)
	for _, c := range there {
		t.oldAt = max(t.oldAt, c.Position)
	}
	return t.oldAt, err // the last that was seen, if it is deleted now
}

// handle calls the listener with the events. It reports false if the listener
// is to stop before the last of them.
func (t *term) handle(events []Recorded, old Position) (done bool, err error) {
	for len(events) > 0 {
		if t.tries(events[0].Position) > 0 {
			passed, err := t.retry(events[0])
			if err != nil {
				return false, err
			}
			if passed {
				events = events[1:]
				continue
			}
		}
		if t.stopping.Err() != nil {
			return false, nil
		}
		n, failure := t.attempt(t.ctx, nil, events, old, func(r Recorded) { t.reached(r.Position, 1) })
		if n > 0 {
			t.at, t.handled = events[n-1].Position, true
			events = events[n:]
		}
		if err := t.ctx.Err(); err != nil {
			return false, err // a failure now is no failure
		}
		if failure != nil {
			t.note(events[0], failure)
		}
		if time.Since(t.lastSave) >= busyFor {
			if err := t.save(); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// idle writes the checkpoint and waits until there is something to do.
func (t *term) idle(seen uint64) error {
	if t.saved < t.at {
		since := time.Since(t.lastSave)
		switch {
		case t.handled || since >= passEvery:
			if err := t.save(); err != nil {
				return err
			}
		default: // events that do not concern it must not make it write all the time
			timer := time.AfterFunc(passEvery-since, t.wake)
			defer timer.Stop()
		}
	}
	if rest := t.untilLook(); t.changed.Load() && rest > 0 {
		timer := time.AfterFunc(rest, t.wake)
		defer timer.Stop()
	} else if t.changed.Load() {
		return nil
	}
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	defer context.AfterFunc(t.stopping, cancel)()
	w := &waiter{query: t.query, at: t.at, lazy: true}
	t.mu.Lock()
	t.state.idle = true
	for p := range t.waits {
		if w.want == 0 || p.p < w.want {
			w.want = p.p
		}
	}
	t.mu.Unlock()
	t.at = t.store.tail.wait(ctx, nil, t.poke, w, seen)
	t.update(func(s *listenerState) { s.idle = false })
	t.reached(t.at, 0)
	return nil
}

// save writes the checkpoint, if it has moved.
func (t *term) save() error {
	if t.at == t.saved {
		return nil
	}
	return t.advance(Move{To: t.at}, nil)
}

// advance moves the checkpoint from where it is.
func (t *term) advance(m Move, apply func(context.Context, any) error) error {
	m.Key, m.From = t.key, t.saved
	if err := t.keys.Advance(t.ctx, m, apply); err != nil {
		return err
	}
	t.saved, t.at, t.handled, t.lastSave = m.To, max(t.at, m.To), false, time.Now()
	return nil
}

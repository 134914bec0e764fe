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
		if endsListeners(err) {
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

// endsListeners reports whether no listener of the Store can go on.
func endsListeners(err error) bool {
	return errors.Is(err, ErrBroken) || errors.Is(err, ErrClosed) || errors.Is(err, ErrUnsupported)
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
	if foundForeign(c) {
		return &finalError{errors.New(c.Stopped)}
	}
	here, head, err := l.store.sameHistory(ctx, c)
	if foreign, ok := errors.AsType[*HistoryError](err); ok {
		// Noted, so that others see it.
		if noting := l.keys.Advance(ctx, c.stay(text(foreign)), nil); noting != nil {
			return noting
		}
		return &finalError{foreign}
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.state.at, l.state.head, l.state.dead, l.state.standby = c.Position, head, c.Dead, false
	l.wakeLocked(func(w *positionWait) bool { return true }) // they look again
	l.mu.Unlock()
	l.changed.Store(c.Dead > 0)
	t := &term{Listener: l, ctx: ctx, saved: here, at: c.Position, lastSave: time.Now(), size: maxApply}
	// Another try, or one that does not say yet of which history it is.
	if c.Stopped != "" || c.Position > 0 && c.EventID == "" {
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

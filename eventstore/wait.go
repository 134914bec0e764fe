package eventstore

import (
	"context"
	"fmt"
	"time"

	"example.com/signals"
)

// Wait returns when the durable listener with that key has finished everything
// up to p, wherever it runs: with the position of an append, one reads one's own
// writes in what the listener makes. What it gave up, as a dead letter, counts as
// finished, and so does what passed it by.
//
// Errors at once: an unknown key; a listener that has stopped at a failure, or that
// of this Store which ended with an error, with that; a call from inside of that
// listener, signals.ErrWouldDeadlock. If no listener with the key runs anywhere, Wait waits
// for one until ctx ends.
func (s *Store) Wait(ctx context.Context, key string, p Position) error {
	if err := s.wait(orBackground(ctx), key, p); err != nil {
		return failed(fmt.Sprintf("wait for %q", key), err)
	}
	return nil
}

// lookAgain is how often Wait looks at a checkpoint that another process may
// move, as its notices may be missing.
const lookAgain = time.Second

func (s *Store) wait(ctx context.Context, key string, p Position) error {
	keys, ok := s.backend.(Checkpoints)
	if !ok {
		return fmt.Errorf("durable listeners: %w", ErrUnsupported)
	}
	s.tail.enter()
	defer s.tail.leave()
	changed := make(chan struct{}, 1)
	defer s.tail.watchKey(key, func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	var known *Listener
	for {
		if err := s.ready(ctx); err != nil {
			return err
		}
		l := s.listeners.get(key)
		if known != nil && l != known {
			if err := known.Err(); err != nil {
				return err
			}
		}
		known = l
		var w *positionWait // told by the listener
		var told <-chan struct{}
		working := false
		if l != nil {
			if l.within(ctx) {
				return signals.ErrWouldDeadlock
			}
			if w, working = l.waitFor(p); w == nil {
				return nil
			}
			told = w.changed
		}
		if !working {
			if over, err := s.stands(ctx, keys, key, p, l != nil); over || err != nil {
				l.forget(w)
				return err
			}
		}
		s.rest(ctx, told, changed, working)
		l.forget(w)
	}
}

// stands reports whether the checkpoint of the key is at p or behind it, or why
// it will not come there.
func (s *Store) stands(ctx context.Context, keys Checkpoints, key string, p Position, here bool) (bool, error) {
	c, err := s.checkpoint(ctx, keys, key)
	switch {
	case err != nil:
		return false, err
	case foundForeign(c):
		return true, s.listeners.whyEnded(key, c.Stopped)
	case c.Position >= p:
		_, _, err := s.sameHistory(ctx, c)
		return true, err
	case here:
		return false, nil
	}
	return false, s.listeners.whyEnded(key, c.Stopped)
}

// rest waits for what lets Wait look again: for the listener if it works here,
// else also for notices of the key, and for a second.
func (s *Store) rest(ctx context.Context, told, changed <-chan struct{}, working bool) {
	var again <-chan time.Time
	if working {
		changed = nil
	} else {
		timer := time.NewTimer(lookAgain)
		defer timer.Stop()
		again = timer.C
	}
	select {
	case <-told:
	case <-changed:
	case <-again:
	case <-ctx.Done():
	case <-s.done:
	}
}

// waitFor returns what tells that the listener has come to p, or that it works
// no more, and whether it works; nil if it has been there. Where it stands by, it
// knows where the key was, and not yet whether that is of this history.
func (l *Listener) waitFor(p Position) (w *positionWait, working bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.at >= p && !l.state.standby && !l.state.ended {
		return nil, true
	}
	w = &positionWait{p: p, changed: make(chan struct{})}
	if l.state.ended {
		w.changed = l.done // about to be closed, when the store knows
		return w, false
	}
	l.waits[w] = struct{}{}
	if l.state.standby {
		return w, false
	}
	l.wake() // what it waits for may have passed it by
	return w, true
}

func (l *Listener) forget(w *positionWait) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waits, w)
}

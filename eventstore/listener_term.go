package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// term is a listener while the key is its own. It belongs to the worker.
type term struct {
	*Listener
	ctx      context.Context // ends when the lease is lost, or Stop gives up
	saved    mark            // the checkpoint is here
	last     mark            // the last event that went by, without the identity
	at       Position        // everything up to here is finished
	handled  bool            // some of what came after saved was a call
	lastSave time.Time
	lastLook time.Time     // for dead letters
	lookCost time.Duration // of that look
	oldAt    Position      // see old
	oldSame  bool          // the checkpoint of the old key is of this history
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
	if n := len(g.events); n > 0 {
		t.passed(g.events[n-1])
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
		if !t.oldSame {
			if err := t.checkOld(c); err != nil {
				return 0, err
			}
		}
		t.oldAt = max(t.oldAt, c.Position)
	}
	return t.oldAt, err // the last that was seen, if it is deleted now
}

// checkOld ends the listener if the checkpoint of the old key is of another history.
func (t *term) checkOld(c Checkpoint) error {
	err := errors.New(c.Stopped)
	if !foundForeign(c) {
		_, _, err = t.store.sameHistory(t.ctx, c)
		if _, foreign := errors.AsType[*HistoryError](err); !foreign {
			t.oldSame = err == nil
			return err
		}
	}
	err = fmt.Errorf("eventstore: listener %q: RebuildOf: %w", t.key, err)
	if noting := t.advance(Move{To: t.at, Stopped: text(err)}, nil); noting != nil {
		return noting
	}
	return &finalError{err}
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
			t.passed(events[n-1])
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
	if t.saved.at < t.at {
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
	if t.at == t.saved.at {
		return nil
	}
	return t.advance(Move{To: t.at}, nil)
}

// advance moves the checkpoint from where it is.
func (t *term) advance(m Move, apply func(context.Context, any) error) error {
	to, err := t.markOf(m.To)
	if err != nil {
		return err
	}
	m.Key, m.From, m.Identity, m.EventID = t.key, t.saved.at, to.identity, to.id
	if err := t.keys.Advance(t.ctx, m, apply); err != nil {
		return err
	}
	t.saved, t.at, t.handled, t.lastSave = to, max(t.at, m.To), false, time.Now()
	return nil
}

// passed notes which event is at a position that the checkpoint may go to.
func (t *term) passed(r Recorded) { t.last.at, t.last.id = r.Position, r.ID }

// markOf returns what is at a position. It is nearly always at hand: of events that
// do not match, the newest are in the tail.
func (t *term) markOf(p Position) (mark, error) {
	switch p {
	case 0:
		return mark{}, nil
	case t.saved.at:
		return t.saved, nil
	}
	m := mark{p, t.saved.identity, ""}
	if m.identity == "" {
		// At the first event: until then, an import may give the store another one.
		var err error
		if m.identity, err = t.store.backend.Identity(t.ctx); err != nil {
			return m, err
		}
	}
	if p == t.last.at {
		m.id = t.last.id
	} else if m.id = t.store.tail.idAt(p); m.id == "" {
		found, head, err := t.store.markAt(t.ctx, p)
		if err == nil && found.id == "" {
			err = fmt.Errorf("the event at position %d is there no more, the store ends at %d", p, head)
		}
		return found, err
	}
	return m, nil
}

package eventstore

import (
	"context"
	"time"
)

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

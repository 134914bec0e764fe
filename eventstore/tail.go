package eventstore

import (
	"context"
	"slices"
	"sync"
)

// tail is the end of the store as its followers share it: one watch of the
// backend for all, the last events that its notices brought, and those who
// wait. With it, a follower that has caught up asks the backend nothing, and
// one whose query does not match a commit is not woken by it.
//
// That nothing is missed rests on this: the ring holds only what the notices
// of the present watch brought, without a gap, and a notice that does not say
// what was committed empties it. So a follower at its end needs only the next
// notice, and any other one asks the backend after it has noted how many
// notices there were.
type tail struct {
	backend Backend

	life      sync.Mutex // held while watching begins or ends; before mu
	followers int        // under life
	stop      func()     // ends the watch; under life

	mu      sync.Mutex
	watch   uint64     // number of the present watch; notices of others are ignored; under mu
	notices uint64     // number of notices; under mu
	ring    []Recorded // without a gap; the elements are shared and not written; under mu
	bytes   int        // of the data in ring; under mu
	waiting map[*waiter]struct{}
}

const (
	maxRing      = 1024    // events
	maxRingBytes = 1 << 20 // of data
)

// waiter is a follower with nothing to do.
type waiter struct {
	query Query
	at    Position      // it needs nothing up to here; under tail.mu
	woken chan struct{} // closed under tail.mu, with the waiter taken out of waiting
}

// enter is called by a follower before its first look. The first one begins
// the watch.
func (t *tail) enter() {
	t.life.Lock()
	defer t.life.Unlock()
	if t.followers++; t.followers > 1 {
		return
	}
	t.mu.Lock()
	watch := t.watch
	t.mu.Unlock()
	t.stop = t.backend.Watch(func(n Notice) { t.notice(watch, n) })
}

// leave is called by a follower at its end. The last one ends the watch.
func (t *tail) leave() {
	t.life.Lock()
	defer t.life.Unlock()
	if t.followers--; t.followers > 0 {
		return
	}
	t.stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watch++
	t.dropLocked()
}

func (t *tail) dropLocked() { t.ring, t.bytes = nil, 0 }

// notice takes a notice of that watch.
func (t *tail) notice(watch uint64, n Notice) {
	if n.Key != "" && len(n.Events) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if watch != t.watch {
		return
	}
	t.notices++
	if len(n.Events) == 0 {
		t.dropLocked()
		for w := range t.waiting {
			t.wakeLocked(w)
		}
		return
	}
	for w := range t.waiting {
		if w.mustLook(n.Events) {
			t.wakeLocked(w)
		}
	}
	t.addLocked(n.Events)
}

// addLocked adds what is new to the ring.
func (t *tail) addLocked(events []Recorded) {
	if len(t.ring) > 0 {
		end := t.ring[len(t.ring)-1].Position
		switch {
		case events[0].Position > end+1: // a notice is on its way, or lost
			t.dropLocked()
		case events[len(events)-1].Position <= end:
			return
		default:
			events = events[end+1-events[0].Position:]
		}
	}
	for _, r := range events {
		t.bytes += len(r.Data)
	}
	t.ring = append(t.ring, events...)
	drop := 0
	for ; len(t.ring)-drop > maxRing || t.bytes > maxRingBytes && drop < len(t.ring); drop++ {
		t.bytes -= len(t.ring[drop].Data)
	}
	t.ring = t.ring[drop:] // not copied down: followers may be reading it
}

// mustLook reports whether the waiter may need one of the new events; if it
// certainly does not, they are behind it. tail.mu must be held.
func (w *waiter) mustLook(events []Recorded) bool {
	last := events[len(events)-1].Position
	if last <= w.at {
		return false
	}
	if w.at+1 < events[0].Position {
		return true // there are some between, which nobody has looked at
	}
	if slices.ContainsFunc(events, func(r Recorded) bool { return r.Position > w.at && w.query.Matches(&r.Event) }) {
		return true
	}
	w.at = last
	return false
}

func (t *tail) wakeLocked(w *waiter) {
	delete(t.waiting, w)
	close(w.woken)
}

// seen returns the number of notices so far.
func (t *tail) seen() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.notices
}

// since returns the events after that position, if the ring has them; or that
// the ring ends there. The events are shared.
func (t *tail) since(at Position) (events []Recorded, caughtUp bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) == 0 {
		return nil, false
	}
	first, last := t.ring[0].Position, t.ring[len(t.ring)-1].Position
	if at+1 < first || at > last {
		return nil, false
	}
	i := int(at + 1 - first)
	return t.ring[i:len(t.ring):len(t.ring)], i == len(t.ring)
}

// wait waits for a notice after that number of them which concerns q, for the
// end of ctx, or for done. It returns the position up to which nothing
// concerns q.
func (t *tail) wait(ctx context.Context, done <-chan struct{}, q Query, at Position, seen uint64) Position {
	w := &waiter{query: q, at: at, woken: make(chan struct{})}
	t.mu.Lock()
	if t.notices != seen {
		t.mu.Unlock()
		return at
	}
	if t.waiting == nil {
		t.waiting = map[*waiter]struct{}{}
	}
	t.waiting[w] = struct{}{}
	t.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-done:
	case <-w.woken:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, w)
	return w.at
}

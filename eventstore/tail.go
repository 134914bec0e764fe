package eventstore

import (
	"context"
	"sync"
	"time"
)

// tail is the end of the store as its followers share it: one watch of the
// backend for all, the last events that its notices brought, and those who
// wait. With it, a follower that has caught up asks the backend nothing, and
// one whose query does not match a commit is neither woken nor looked at.
//
// That nothing is missed rests on two things. The ring holds only what the
// notices of the present watch brought, without a gap, up to end; a notice that
// does not say what was committed ends that. And whoever waits has seen or been
// spared everything up to end: it looked up to there, or beyond, with no notice
// since, and what came later was looked up in waiting. So nobody's place has
// to be moved when an event passes by.
type tail struct {
	backend Backend

	life      sync.Mutex // held while watching begins or ends; before mu
	followers int        // under life
	stop      func()     // ends the watch; under life

	mu      sync.Mutex
	watch   uint64                            // number of the present watch; notices of others are ignored; under mu
	notices uint64                            // number of notices; under mu
	told    bool                              // notices have brought what was committed, up to end; under mu
	end     Position                          // under mu
	ring    []Recorded                        // without a gap, up to end; the elements are shared and not written; under mu
	bytes   int                               // of the data in ring; under mu
	waiting waiters                           // under mu
	passing *time.Timer                       // calls pass; nil if nothing is to be told; under mu
	keyed   map[string]map[*keyWatch]struct{} // under mu
}

const (
	maxRing      = 1024    // events
	maxRingBytes = 1 << 20 // of data
	// passEvery is how often a durable listener notes that events have passed
	// it by.
	passEvery = time.Second
)

// keyWatch is somebody who wants to know of changes of a durable listener's
// key. Its function is called with tail.mu held and returns at once.
type keyWatch struct{ changed func() }

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
	t.forgetLocked()
	if t.passing != nil {
		t.passing.Stop()
		t.passing = nil
	}
}

// forgetLocked gives up what notices have brought.
func (t *tail) forgetLocked() { t.told, t.ring, t.bytes = false, nil, 0 }

// notice takes a notice of that watch.
func (t *tail) notice(watch uint64, n Notice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if watch != t.watch {
		return
	}
	for k := range t.keyed[n.Key] {
		k.changed()
	}
	if n.Key != "" && len(n.Events) == 0 {
		return
	}
	t.notices++
	if len(n.Events) == 0 {
		for w := range t.waiting.all {
			t.wakeLocked(w)
		}
		t.forgetLocked()
		return
	}
	t.takeLocked(n.Events)
	for w := range t.waiting.wanting {
		if w.want <= t.end {
			t.wakeLocked(w)
		}
	}
	if len(t.waiting.lazy) > 0 && t.passing == nil {
		t.passing = time.AfterFunc(passEvery, t.pass)
	}
}

// takeLocked wakes those who need one of the events, and adds what is new to
// the ring.
func (t *tail) takeLocked(events []Recorded) {
	first, last := events[0].Position, events[len(events)-1].Position
	switch {
	case t.told && last <= t.end:
		return // late, or again
	case t.told && first <= t.end+1:
		events = events[t.end+1-first:]
	default: // the first one, or others are on their way or lost
		for w := range t.waiting.all {
			if w.at+1 < first {
				t.wakeLocked(w)
			}
		}
		t.forgetLocked()
	}
	for i := range events {
		r := &events[i]
		t.waiting.matching(&r.Event, func(w *waiter) {
			if w.at < r.Position {
				t.wakeLocked(w)
			}
		})
		t.bytes += len(r.Data)
	}
	t.told, t.end = true, last
	t.ring = append(t.ring, events...)
	drop := 0
	for ; len(t.ring)-drop > maxRing || t.bytes > maxRingBytes && drop < len(t.ring); drop++ {
		t.bytes -= len(t.ring[drop].Data)
	}
	t.ring = t.ring[drop:] // not copied down: followers may be reading it
}

// pass wakes the durable listeners that events have passed by, so that they
// note it in their checkpoints.
func (t *tail) pass() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passing = nil
	for w := range t.waiting.lazy {
		if t.passedLocked(w.at) > w.at {
			t.wakeLocked(w)
		}
	}
}

// passedLocked returns up to where nothing concerns a waiter that needs
// nothing up to at.
func (t *tail) passedLocked(at Position) Position {
	if t.told {
		return max(at, t.end)
	}
	return at
}

// wakeLocked ends the waiting of w. What is being taken lies behind end.
func (t *tail) wakeLocked(w *waiter) {
	w.at = t.passedLocked(w.at)
	t.waiting.remove(w)
	close(w.woken)
}

// seen returns the number of notices so far.
func (t *tail) seen() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.notices
}

// passed returns up to where nothing concerns somebody who waits at that
// position, and end, or 0 if it is not known.
func (t *tail) passed(at Position) (upTo, end Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.passedLocked(at), t.passedLocked(0)
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

// idAt returns the id of the event at that position, if the ring has it; or "".
func (t *tail) idAt(p Position) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ring) == 0 {
		return ""
	}
	if first := t.ring[0].Position; p >= first && p-first < Position(len(t.ring)) {
		return t.ring[p-first].ID
	}
	return ""
}

// wait waits for a notice that concerns w, for the end of ctx, for done, or for
// poke, whatever comes first; not at all if there has been a notice after that number
// of them. It returns the position up to which nothing concerns w.
func (t *tail) wait(ctx context.Context, done, poke <-chan struct{}, w *waiter, seen uint64) Position {
	t.mu.Lock()
	if t.notices != seen {
		t.mu.Unlock()
		return w.at
	}
	w.woken = make(chan struct{})
	t.waiting.add(w)
	t.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-done:
	case <-poke:
	case <-w.woken:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting.remove(w) {
		w.at = t.passedLocked(w.at)
	}
	return w.at
}

// watchKey calls changed at each change of the key, until stop is called.
// Between enter and leave.
func (t *tail) watchKey(key string, changed func()) (stop func()) {
	k := &keyWatch{changed}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keyed == nil {
		t.keyed = map[string]map[*keyWatch]struct{}{}
	}
	put(t.keyed, key, k)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		drop(t.keyed, key, k)
	}
}

package chain

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"example.com/signals/internal/listen"
	"example.com/signals/internal/tally"
)

// watch warns of calls that run longer than SlowAfter, while they run. An
// emission notes which listener it is at and since when; a timer looks at all
// emissions under way. There is one timer for a signal, and it goes on as long
// as it finds emissions: one for each of them took four times as long as
// everything else.
//
// A timer is made anew each time: one that was made in a bubble of
// testing/synctest must not be touched from outside.
type watch struct {
	alone flight       // the first of the emissions under way: most often the only one
	due   atomic.Int64 // when the timer will look, by tally.Clock; 0: there is none

	mu    sync.Mutex // over the rest, and over making a timer
	first *flight    // the other emissions under way
	free  *flight    // for the next ones
	kept  int        // how many of those
}

// flight is one emission under way. It is written by the emission and read by
// the timer. The timer may see the listener of one call with the time of the
// next one; then that one is not late yet.
//
// An emission takes the flight, and notes when it began, in one step: begun is 0
// while nobody has it. The member stays behind for the next emission, which is
// most often of the same one; the timer that finds nobody takes it away. Every
// word written here with the bus locked costs as much as calling a listener.
type flight struct {
	member        atomic.Pointer[listen.Member]
	begun         atomic.Int64 // when the call of member began; 0: no emission
	said          int64        // the begun of which it has been warned; only the timer uses it
	before, after *flight      // neighbours in watch.first; after also in watch.free; under mu
}

const keepFlights = 16

// enter notes that an emission begins, with the call of m. It must be ended by
// leave.
func (w *watch) enter(slowAfter time.Duration, m *listen.Member) *flight {
	now := watched()
	f := &w.alone
	if !f.begun.CompareAndSwap(0, now) {
		f = w.another(now)
	}
	if f.member.Load() != m {
		f.member.Store(m)
	}
	// The emission is noted before due is read, and the timer sets due to 0 before
	// it looks for emissions: one of the two sees the other. One that was made in
	// a bubble which is gone, or outside of this one, is as good as none: the clock
	// tells.
	if w.unarmed(now, slowAfter) {
		w.mu.Lock()
		if now := watched(); w.unarmed(now, slowAfter) { // nobody else has been here first
			w.arm(now, int64(slowAfter), slowAfter)
		}
		w.mu.Unlock()
	}
	return f
}

// unarmed reports whether no timer will look in time.
func (w *watch) unarmed(now int64, slowAfter time.Duration) bool {
	due := w.due.Load()
	return due == 0 || now > due+int64(slowAfter) || due > now+int64(slowAfter)
}

// watched is the time for flight.begun, which is not 0.
func watched() int64 { return int64(tally.Clock()) | 1 }

// another returns a flight beside the one that is taken.
func (w *watch) another(now int64) *flight {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.free
	if f == nil {
		f = new(flight)
	} else {
		w.free = f.after
		w.kept--
	}
	f.begun.Store(now)
	f.after = w.first
	if w.first != nil {
		w.first.before = f
	}
	w.first = f
	return f
}

// next notes that the call of m begins.
func (w *watch) next(f *flight, m *listen.Member) {
	if f.member.Load() == m { // the first one
		return
	}
	f.begun.Store(watched())
	f.member.Store(m)
}

// leave notes that the emission has ended.
func (w *watch) leave(f *flight) {
	f.begun.Store(0)
	if f == &w.alone {
		return
	}
	f.member.Store(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.before != nil {
		f.before.after = f.after
	} else {
		w.first = f.after
	}
	if f.after != nil {
		f.after.before = f.before
	}
	f.before, f.after = nil, nil
	if w.kept < keepFlights {
		f.after, w.free = w.free, f
		w.kept++
	}
}

// arm makes a timer. It must be called with w.mu held.
func (w *watch) arm(now, in int64, slowAfter time.Duration) {
	due := now + in
	if due == 0 { // which means that there is none
		due = 1
	}
	w.due.Store(due)
	weakly := weak.Make(w) // it keeps no signal alive that was dropped
	time.AfterFunc(time.Duration(in), func() {
		if w := weakly.Value(); w != nil {
			w.look(due, slowAfter)
		}
	})
}

// look warns of the calls that are late, and comes back when the next one could
// be. It is called by the timer that was due then; if that was late itself, and
// another one has taken its place, only that one comes back: or there would be two
// from then on.
func (w *watch) look(due int64, slowAfter time.Duration) {
	type warning struct {
		m   *listen.Member
		ran time.Duration
	}
	var warnings []warning
	w.mu.Lock()
	mine := w.due.CompareAndSwap(due, 0)
	now, in := int64(tally.Clock()), int64(math.MaxInt64)
	see := func(f *flight) {
		begun, m := f.begun.Load(), f.member.Load()
		if begun == 0 && f.begun.CompareAndSwap(0, now|1) { // nobody, and nobody comes now
			f.member.Store(nil)
			f.begun.Store(0)
			return
		}
		if m == nil || f.begun.Load() != begun {
			in = min(in, int64(slowAfter)) // between two calls
			return
		}
		switch ran := now - begun; {
		case ran < int64(slowAfter):
			in = min(in, int64(slowAfter)-ran)
		case f.said != begun:
			f.said = begun
			warnings = append(warnings, warning{m, time.Duration(ran)})
			fallthrough
		default:
			in = min(in, int64(slowAfter)) // the next call of that emission
		}
	}
	see(&w.alone)
	for f := w.first; f != nil; f = f.after {
		see(f)
	}
	if mine && in < math.MaxInt64 {
		w.arm(now, in, slowAfter)
	}
	w.mu.Unlock()
	for _, x := range warnings {
		x.m.Of.Slow(x.ran, 1)
	}
}

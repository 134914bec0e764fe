package chain

import (
	"math"
	"sync"
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
	mu    sync.Mutex
	first *flight       // emissions under way; under mu, as is the rest
	free  *flight       // for the next ones
	kept  int           // how many of those
	armed bool          // a timer will look
	due   time.Duration // when
}

// flight is one emission under way.
type flight struct {
	before, after *flight // neighbours in watch.first; after also in watch.free
	member        *listen.Member
	begun         time.Duration // when the call of member began
	said          bool          // it has been warned of
}

const keepFlights = 16

// enter notes that an emission begins, with the call of m.
func (w *watch) enter(slowAfter time.Duration, m *listen.Member) *flight {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.free
	if f == nil {
		f = new(flight)
	} else {
		w.free = f.after
		w.kept--
	}
	*f = flight{after: w.first, member: m, begun: tally.Clock()}
	if w.first != nil {
		w.first.before = f
	}
	w.first = f
	// One that was armed in a bubble which is gone, or outside of this one, is
	// as good as none: the clock tells.
	if !w.armed || f.begun > w.due+slowAfter || w.due > f.begun+slowAfter {
		w.arm(slowAfter, f.begun, slowAfter)
	}
	return f
}

// next notes that the call of m begins.
func (w *watch) next(f *flight, m *listen.Member) {
	if f.member == m { // the first one
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f.member, f.begun, f.said = m, tally.Clock(), false
}

// leave notes that the emission has ended.
func (w *watch) leave(f *flight) {
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
	*f = flight{} // it keeps nothing alive
	if w.kept < keepFlights {
		f.after, w.free = w.free, f
		w.kept++
	}
}

// arm makes a timer. It must be called with w.mu held.
func (w *watch) arm(in, now, slowAfter time.Duration) {
	w.armed, w.due = true, now+in
	weakly := weak.Make(w) // it keeps no signal alive that was dropped
	time.AfterFunc(in, func() {
		if w := weakly.Value(); w != nil {
			w.look(slowAfter)
		}
	})
}

// look warns of the calls that are late, and comes back when the next one could
// be.
func (w *watch) look(slowAfter time.Duration) {
	type warning struct {
		m   *listen.Member
		ran time.Duration
	}
	var warnings []warning
	w.mu.Lock()
	now, in := tally.Clock(), time.Duration(math.MaxInt64)
	for f := w.first; f != nil; f = f.after {
		switch ran := now - f.begun; {
		case ran < slowAfter:
			in = min(in, slowAfter-ran)
		case !f.said:
			f.said = true
			warnings = append(warnings, warning{f.member, ran})
			fallthrough
		default:
			in = min(in, slowAfter) // the next call of that emission
		}
	}
	w.armed = false
	if w.first != nil {
		w.arm(in, now, slowAfter)
	}
	w.mu.Unlock()
	for _, x := range warnings {
		x.m.Of.Slow(x.ran, 1)
	}
}

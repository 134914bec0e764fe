package engine

import (
	"math"
	"time"
	"weak"

	"example.com/signals/internal/listen"
	"example.com/signals/internal/tally"
)

// alarm is the timer of SlowAfter. It is made anew each time, and never stopped
// or reset: the runtime ends the process when one that was made in a bubble of
// testing/synctest is touched from outside. One that is not needed any more looks
// once, and finds nothing.
type alarm struct {
	armed bool          // a timer will look; under Engine.mu, as is due
	due   time.Duration // when
}

// arm makes sure that a timer will look at a call that begins now. It must be
// called with g.mu held. One that was armed in a bubble which is gone, or
// outside of this one, is as good as none: the clock tells.
func (g *Engine) arm(now time.Duration) {
	a := &g.alarm
	if a.armed && now <= a.due+g.slowAfter && a.due <= now+g.slowAfter {
		return
	}
	g.armFor(now, g.slowAfter)
}

func (g *Engine) armFor(now, in time.Duration) {
	weakly := weak.Make(g) // it keeps no signal alive that was dropped
	due := now + in
	g.alarm = alarm{true, due}
	time.AfterFunc(in, func() {
		if g := weakly.Value(); g != nil {
			g.late(due)
		}
	})
}

// late warns of the calls that have run longer than SlowAfter, once each, and
// comes back when the next one could be late: unless the timer, which was due then,
// was late itself and another one has taken its place.
func (g *Engine) late(due time.Duration) {
	type warning struct {
		l   listen.Listener
		ran time.Duration
		lag int
	}
	var warnings []warning
	in := time.Duration(math.MaxInt64)
	g.mu.Lock()
	now := tally.Clock()
	for _, rs := range [2][]*Reader{g.readers, g.leaving} {
		for _, r := range rs {
			for i := range r.claims {
				cl := &r.claims[i]
				if cl.said {
					continue
				}
				if ran := now - cl.begun; ran >= g.slowAfter {
					cl.said = true
					if r.maxLag > 0 && r.attached {
						g.trim(r)
					}
					warnings = append(warnings, warning{r.l, ran, max(r.lag(), 1)})
				} else {
					in = min(in, g.slowAfter-ran)
				}
			}
		}
	}
	if g.alarm == (alarm{true, due}) {
		g.alarm.armed = false
		if in < math.MaxInt64 {
			g.armFor(now, in)
		}
	}
	g.unlock()
	for _, w := range warnings {
		w.l.Slow(w.ran, w.lag)
	}
}

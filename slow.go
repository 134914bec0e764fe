package signals

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// warnSlow logs that a call has been running longer than SlowAfter.
func warnSlow(st *settings, l *ListenerInfo, ran time.Duration, lag int) {
	st.say(context.Background(), slog.LevelWarn, "signals: slow listener",
		"signal", l.Signal.Name, "listener", l.Listener, "key", l.Key, "site", l.Site,
		"running", ran.Round(time.Millisecond), "lag", lag)
}

// stopwatch watches the calls of one sync emission for SlowAfter.
type stopwatch struct {
	st    *settings
	info  func(index int) *ListenerInfo
	mu    sync.Mutex
	timer *time.Timer   // under mu; nil once stopped
	index int           // the listener under way; under mu
	begun time.Duration // when its call began; under mu
	said  bool          // it has been warned of; under mu
}

func startStopwatch(st *settings, info func(int) *ListenerInfo) *stopwatch {
	w := &stopwatch{st: st, info: info, begun: monotonic()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(st.slowAfter, w.fire)
	return w
}

// enter notes that the call of listener i begins.
func (w *stopwatch) enter(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.index, w.begun, w.said = i, monotonic(), false
}

// fire warns of the call under way if it is late, and comes back when it, or
// the one that follows it, could be.
func (w *stopwatch) fire() {
	w.mu.Lock()
	if w.timer == nil {
		w.mu.Unlock()
		return
	}
	ran := monotonic() - w.begun
	late := ran >= w.st.slowAfter && !w.said
	index := w.index
	if next := w.st.slowAfter - ran; next > 0 {
		w.timer.Reset(next)
	} else {
		w.timer.Reset(w.st.slowAfter)
	}
	if late {
		w.said = true
	}
	w.mu.Unlock()
	if late {
		warnSlow(w.st, w.info(index), ran, 1)
	}
}

func (w *stopwatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.timer = nil
}

// arm starts the timer of SlowAfter, if it does not run.
func (g *engine[T]) arm() {
	switch {
	case g.armed:
	case g.timer == nil:
		g.timer = time.AfterFunc(g.slowAfter, g.late)
	default:
		g.timer.Reset(g.slowAfter)
	}
	g.armed = true
}

// late warns of the calls that have run longer than SlowAfter, once each, and
// comes back when the next one could be late.
func (g *engine[T]) late() {
	type warning struct {
		l   *ListenerInfo
		ran time.Duration
		lag int
	}
	var warnings []warning
	next := never
	g.mu.Lock()
	now := monotonic()
	for _, rs := range [2][]*reader[T]{g.readers, g.leaving} {
		for _, r := range rs {
			for i := range r.claims {
				cl := &r.claims[i]
				if cl.said {
					continue
				}
				if ran := now - cl.begun; ran >= g.slowAfter {
					cl.said = true
					lag := 1 // the call itself
					if r.attached {
						lag = int(g.end-r.next) + len(r.claims)
					}
					warnings = append(warnings, warning{r.e.info(), ran, lag})
				} else {
					next = min(next, g.slowAfter-ran)
				}
			}
		}
	}
	if g.armed = next < never; g.armed {
		g.timer.Reset(next)
	}
	g.mu.Unlock()
	for _, w := range warnings {
		warnSlow(g.st, w.l, w.ran, w.lag)
	}
}

package signals

import (
	"sync"
	"time"
)

// warnSlow logs that a call has been running longer than SlowAfter.
func warnSlow(st *settings, l *ListenerInfo, ran time.Duration, lag int) {
	st.log().Warn("signals: slow listener",
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

package inspector

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.com/signals"
)

// AddBridge shows a bridge, which joins a signal to a subject of a broker: in the
// wiring, on a page of its own, as bridges.json and in the diagnosis. It is asked
// with every sample, until remove is called or the inspector is closed; its signal
// need not be on the bus.
func (i *Inspector) AddBridge(b signals.Bridge) (remove func()) {
	if b == nil {
		panic("inspector: AddBridge: the bridge is nil")
	}
	t := &bridgeTrack{bridge: b}
	i.bridges.mu.Lock()
	defer i.bridges.mu.Unlock()
	i.bridges.all = append(i.bridges.all, t)
	return func() {
		i.bridges.mu.Lock()
		defer i.bridges.mu.Unlock()
		i.bridges.all = slices.DeleteFunc(i.bridges.all, func(o *bridgeTrack) bool { return o == t })
	}
}

// bridges are those that AddBridge was given, in that order.
type bridges struct {
	mu  sync.Mutex
	all []*bridgeTrack // under mu
}

// tracked returns the bridges of now.
func (b *bridges) tracked() []*bridgeTrack {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// bridgeTrack follows one bridge over the samples. But for bridge, all of it is
// under the Inspector's mu.
type bridgeTrack struct {
	bridge signals.Bridge // does not change
	BridgeInfo
	track
	failed, dead risen
}

// risen remembers when a counter last rose.
type risen struct {
	value uint64
	when  time.Time // zero: not since it was first seen
	seen  bool
}

func (r *risen) take(value uint64, now time.Time) {
	if r.seen && value > r.value {
		r.when = now
	}
	r.value, r.seen = value, true
}

func (r *risen) within(window time.Duration, now time.Time) bool {
	return !r.when.IsZero() && now.Sub(r.when) <= window
}

// takeBridges makes the next sample of the bridges.
func (s *state) takeBridges(now, before time.Time, all []*bridgeTrack) {
	s.bridges = all
	for _, t := range all {
		t.take(now, before)
	}
}

func (t *bridgeTrack) take(now, before time.Time) {
	b, err := ask(t.bridge)
	if err != "" { // what it said last stands
		t.Err = err
	} else {
		t.BridgeInfo = BridgeInfo{
			Direction: b.Direction, Signal: b.Signal, Listener: b.Listener, Subject: b.Subject, Stream: b.Stream, Durable: b.Durable,
			Waiting: b.Waiting, InFlight: b.InFlight, Retrying: b.Retrying, Done: b.Done, Repeats: b.Repeats, Failures: b.Failures,
			DeadLetters: b.DeadLetters, Err: cut(b.Err, maxError), Since: b.Since,
		}
		t.failed.take(b.Failures, now)
		t.dead.take(b.DeadLetters, now)
		if len(t.marks) == 0 {
			before = time.Time{} // it has counted since before it was added
		}
		t.Rate = t.step(now, before, counts{rate: b.Done}, b.Waiting).rate
	}
	t.Name = t.name()
	t.Status = t.status(now)
}

// ask asks a bridge, which may be of the user's own and panic.
func ask(b signals.Bridge) (s signals.BridgeStats, err string) {
	defer func() {
		if v := recover(); v != nil {
			err = cut(fmt.Sprintf("its BridgeStats panicked: %v", v), maxError)
		}
	}()
	return b.BridgeStats(), ""
}

// name is what it joins the signal to.
func (t *bridgeTrack) name() string {
	if t.Direction == signals.BridgePublishes {
		return t.Subject
	}
	return cmp.Or(t.Durable, t.Subject, t.Stream)
}

// status of a bridge: the first of these that applies.
func (t *bridgeTrack) status(now time.Time) Status {
	switch {
	case t.Err != "" || t.failed.within(recent, now):
		return StatusFailing
	case t.growing():
		return StatusLagging
	case t.DeadLetters > 0:
		return StatusDropping
	case t.Done == 0 && t.Waiting == 0:
		return StatusSilent
	}
	return StatusOK
}

// note says in a few words what waits, and what is the matter.
func (t *bridgeTrack) note() string {
	switch {
	case t.Err != "" && t.Waiting > 0:
		return "failing, " + waits(t.Waiting)
	case t.Status == StatusFailing:
		return "failing, " + plural(t.Failures, "failed attempt")
	case t.DeadLetters > 0:
		return plural(t.DeadLetters, "dead letter")
	case t.Waiting > 0:
		return waits(t.Waiting)
	}
	return ""
}

// What to do about findings of bridges.
const (
	adviceBridge      = "Look whether the broker is there, and at what it says; what waits is kept, and goes on by itself."
	adviceBridgeLag   = "Let more processes share the durable consumer, or make the listeners faster; partition what one publisher cannot do."
	adviceBridgeGrave = "Mend what failed, and publish the messages on the dead-letter subject again."
)

// diagnose says what keeps the bridge, and what it has given up.
func (t *bridgeTrack) diagnose(now time.Time) (found []Finding) {
	who := fmt.Sprintf("the bridge that publishes %q on %q", t.Signal, t.Subject)
	if t.Direction != signals.BridgePublishes {
		who = fmt.Sprintf("the bridge from consumer %q of %q to %q", t.Durable, t.Stream, t.Signal)
	}
	waits := waits(t.Waiting)
	add := func(kind string, severity Severity, status Status, count uint64, advice, format string, args ...any) {
		found = append(found, Finding{
			Kind: kind, Severity: severity, Status: status, Signal: t.Signal, Name: t.Name, Count: count,
			Text: who + " " + fmt.Sprintf(format, args...), Advice: advice,
		})
	}
	switch {
	case t.Err != "":
		since := ""
		if !t.Since.IsZero() {
			since = " for " + seconds(now.Sub(t.Since).Seconds())
		}
		add(FindingBridge, SeverityError, StatusFailing, uint64(max(t.Waiting, 0)), adviceBridge, "fails%s, and %s: %s", since, waits, cut(t.Err, maxQuoted))
	case t.failed.within(recent, now):
		add(FindingBridge, SeverityWarning, StatusFailing, t.Failures, adviceFailing, "has failed %s, the last time %s ago",
			plural(t.Failures, "time"), seconds(now.Sub(t.failed.when).Seconds()))
	case t.growing():
		add(FindingLag, SeverityWarning, StatusLagging, uint64(t.Waiting), adviceBridgeLag, "falls behind: %s, and more each second", waits)
	}
	if t.DeadLetters > 0 {
		severity := SeverityInfo
		if t.dead.within(recent, now) {
			severity = SeverityWarning
		}
		add(FindingBridge, severity, StatusDropping, t.DeadLetters, adviceBridgeGrave, "has made %s", plural(t.DeadLetters, "dead letter"))
	}
	return found
}

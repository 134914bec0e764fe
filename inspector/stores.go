package inspector

import (
	"fmt"
	"time"

	"example.com/signals/eventstore"
)

// storeTrack follows one store over the samples.
type storeTrack struct {
	StoreInfo // without Listeners
	track
	at        time.Time // of the answer; zero: there is none yet
	listeners []*durableTrack
	byKey     map[string]*durableTrack
}

// durableTrack follows one key.
type durableTrack struct {
	DurableListener
	track
	moved time.Time // when it was first seen where it is
}

// notMoving is how long a durable listener that has work may stay where it is.
const notMoving = 10 * time.Second

// takeStores makes the next sample of the stores from what they last said.
func (s *state) takeStores(now, before time.Time, watches []*storeWatch) {
	for k, w := range watches {
		if k == len(s.stores) {
			s.stores = append(s.stores, &storeTrack{})
		}
		answer, err := w.latest(now)
		s.stores[k].take(now, before, w.name, answer, err)
	}
}

func (t *storeTrack) take(now, before time.Time, name string, a storeAnswer, err error) {
	t.at = a.at
	if !a.at.IsZero() {
		t.Age = max(0, now.Sub(a.at).Seconds())
	}
	if t.Name, t.Error = name, ""; err != nil {
		t.Error = cut(errorText(err), maxError)
	}
	if a.at.IsZero() {
		return
	}
	head := a.head
	for _, l := range a.running {
		head = max(head, l.Position)
	}
	t.Head, t.Dead = uint64(head), 0
	t.Rate = t.step(now, before, counts{rate: t.Head}, 0).rate
	old := t.byKey
	t.listeners, t.byKey = nil, make(map[string]*durableTrack, len(a.checkpoints))
	for _, c := range a.checkpoints {
		l := old[c.Key]
		if l == nil {
			l = &durableTrack{}
		}
		l.take(now, before, t.Head, c, a)
		t.listeners = append(t.listeners, l)
		t.byKey[c.Key] = l
		t.Dead += l.Dead
	}
	t.Status = t.status(now)
}

func (l *durableTrack) take(now, before time.Time, head uint64, c eventstore.Checkpoint, a storeAnswer) {
	was := l.Position
	l.DurableListener = DurableListener{
		Key: c.Key, State: DurableElsewhere, Position: uint64(c.Position), Error: c.Stopped,
		Updated: c.Updated, Dead: c.Dead, Letters: a.letters[c.Key].first,
	}
	switch running, here := a.running[c.Key]; {
	case here:
		if l.State = DurableWorking; running.Standby {
			l.State = DurableStandby
		} else {
			l.Position = max(l.Position, uint64(running.Position)) // the checkpoint comes later
		}
		l.Deliveries, l.Failures = running.Deliveries, running.Failures
		l.Failing, l.Attempts = uint64(running.Failing), running.Attempts
		if l.Error = ""; running.Err != nil && (running.Failing != 0 || running.Standby) {
			l.Error = errorText(running.Err)
		}
	case c.Stopped != "":
		l.State = DurableStopped
	}
	l.Error = cut(l.Error, maxError)
	if head > l.Position {
		l.Lag = head - l.Position
	}
	if l.moved.IsZero() || l.Position != was || l.Lag == 0 {
		l.moved = now
	}
	l.Still = now.Sub(l.moved).Seconds()
	l.Rate = l.step(now, before, counts{rate: l.Position}, int(min(l.Lag, 1<<31-1))).rate
	l.Status = l.status(now)
}

// status of a durable listener: the first of these that applies.
func (l *durableTrack) status(now time.Time) Status {
	switch {
	case l.State == DurableStopped || l.Failing != 0:
		return StatusFailing
	case l.growing() || l.Lag > 0 && now.Sub(l.moved) >= notMoving:
		return StatusLagging
	case l.Dead > 0:
		return StatusDropping
	}
	return StatusOK
}

func (t *storeTrack) status(now time.Time) Status {
	worst := StatusOK
	for _, l := range t.listeners {
		if s := l.status(now); s.rank() < worst.rank() {
			worst = s
		}
	}
	return worst
}

// left returns how long the listener needs to catch up, at its pace; 0 if that is
// not known.
func (l *durableTrack) left(now time.Time) time.Duration {
	lately, since := l.lately(now, recent)
	if lately.rate == 0 {
		return 0
	}
	return time.Duration(min(float64(l.Lag)*float64(since)/float64(lately.rate), float64(30*24*time.Hour)))
}

// What to do about findings of stores.
const (
	adviceStopped     = "Mend what it fails at, and Listen with the key again: it goes on with that event."
	adviceHeld        = "Look at the failure: the event is tried again, and nothing behind it is; Attempts(n) makes it a dead letter."
	adviceBehindStore = "Make it faster, or let several keys share the work by their queries."
	adviceStill       = "Look at the stack of its call; a call that waits for something wants a deadline."
	adviceElsewhere   = "Start the process that listens with the key, or delete its checkpoint if nobody needs it any more."
	adviceDead        = "Mend what failed and call Store.Redeliver, or Store.Discard for those that nobody needs."
	adviceStore       = "Look at the database, its disk and its connections."
)

// diagnose is about the store and its listeners.
func (t *storeTrack) diagnose(now time.Time) (found []Finding) {
	if t.Error != "" {
		text := fmt.Sprintf("store %q does not answer: %s", t.Name, cut(t.Error, maxQuoted))
		if !t.at.IsZero() {
			text += fmt.Sprintf("; its figures are %s old", seconds(now.Sub(t.at).Seconds()))
		}
		found = append(found, Finding{Kind: FindingStore, Severity: SeverityError, Status: StatusFailing, Store: t.Name, Text: text, Advice: adviceStore})
	}
	for _, l := range t.listeners {
		for _, f := range l.diagnose(now, t.Name) {
			f.Store, f.Name = t.Name, l.Key
			found = append(found, f)
		}
	}
	return found
}

// diagnose says what keeps the listener, and what it has left behind.
func (l *durableTrack) diagnose(now time.Time, store string) (found []Finding) {
	who := fmt.Sprintf("durable listener %q of store %q", l.Key, store)
	waits := plural(l.Lag, "event waits", "events wait")
	add := func(kind string, severity Severity, status Status, count uint64, advice, format string, args ...any) {
		found = append(found, Finding{Kind: kind, Severity: severity, Status: status, Count: count, Text: who + " " + fmt.Sprintf(format, args...), Advice: advice})
	}
	still := now.Sub(l.moved)
	switch {
	case l.State == DurableStopped:
		add(FindingStopped, SeverityError, StatusFailing, l.Lag, adviceStopped, "stopped after position %s, and %s: %s", count(l.Position), waits, cut(l.Error, maxQuoted))
	case l.Failing != 0:
		add(FindingHeld, SeverityError, StatusFailing, l.Lag, adviceHeld, "is held up by the event at position %s, which has failed %s: %s",
			count(l.Failing), plural(uint64(l.Attempts), "time"), cut(l.Error, maxQuoted))
	case l.Lag > 0 && still >= notMoving && l.State == DurableWorking:
		add(FindingLag, SeverityError, StatusLagging, l.Lag, adviceStill, "has not moved from position %s for %s, and %s", count(l.Position), seconds(still.Seconds()), waits)
	case l.Lag > 0 && still >= notMoving:
		add(FindingLag, SeverityWarning, StatusLagging, l.Lag, adviceElsewhere, "does not work in this process, and has not moved from position %s for %s; %s", count(l.Position), seconds(still.Seconds()), waits)
	case l.growing():
		add(FindingLag, SeverityWarning, StatusLagging, l.Lag, adviceBehindStore, "falls behind: %s, and more each second", waits)
	case l.Lag >= 50 && l.left(now) > longestBehind:
		add(FindingCatching, SeverityInfo, StatusOK, l.Lag, "", "catches up: %s, which takes it %s", waits, seconds(l.left(now).Seconds()))
	}
	if l.Dead > 0 {
		last := ""
		if len(l.Letters) > 0 {
			first := l.Letters[0]
			last = fmt.Sprintf("; the first one, at position %s: %s", count(first.Position), cut(first.Error, maxQuoted))
		}
		add(FindingDeadLetters, SeverityWarning, StatusDropping, uint64(l.Dead), adviceDead, "has %s%s", plural(uint64(l.Dead), "dead letter"), last)
	}
	return found
}

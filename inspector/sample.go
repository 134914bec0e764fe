package inspector

import (
	"slices"
	"time"

	"example.com/signals"
)

const least = 200 * time.Millisecond // between samples; who asks sooner gets the last one

// state is the last sample and what is remembered for the next one.
type state struct {
	number   uint64 // of the sample, and of what was found out about it later
	at       time.Time
	interval float64 // seconds since the sample before; 0 at first
	totals   Totals
	emitted  track // all signals together
	called   track // all listeners together
	signals  []*signalTrack
	byName   map[string]*signalTrack
	findings []Finding
	calls    []stuckCalls // of sync listeners, as the last look at the goroutines found them
	callsAt  time.Time    // when that was
	stores   []*storeTrack
	bridges  []*bridgeTrack
}

// signalTrack follows one signal over the samples.
type signalTrack struct {
	Signal // without Listeners
	track
	listeners []*listenerTrack // one for each registration, in calling order
	byID      map[string]*listenerTrack
	rows      []*listenerTrack // what is shown of them, see group
	groups    map[groupKey]*listenerTrack
	leaving   []Listener // removed, with a call that still runs; see judgeLeaving
	gone      []departed // whose failures are recent, see judge
}

// look takes a sample, unless the last one is fresh enough.
func (i *Inspector) look(now bool) {
	i.askStores(now) // asks databases: without the lock
	i.mu.Lock()
	defer i.mu.Unlock()
	at := i.now()
	fresh := least
	if i.watched > 0 {
		fresh = beat // there is one each second; more would make the rates jump
	}
	if !now && at.Sub(i.asked) < fresh {
		return
	}
	i.asked = at
	i.sites.listen()
	before := i.state.at
	i.state.take(at, i.bus.Stats())
	i.state.takeStores(at, before, i.stores)
	i.state.takeBridges(at, before, i.bridges.tracked())
	i.judgeLocked()
	close(i.changed)
	i.changed = make(chan struct{})
}

// sampleNumber is the number of the last sample.
func (i *Inspector) sampleNumber() uint64 {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.state.number
}

// judgeLocked must be called with i.mu held.
func (i *Inspector) judgeLocked() {
	now := i.now()
	i.state.judge(judgement{now: now, stuck: i.stuck, window: recent, recent: i.recents.tallies(now, recent)})
}

// take makes the next sample from what the bus says.
func (s *state) take(now time.Time, stats []signals.SignalStats) {
	before := s.at
	old := s.byName
	s.at, s.interval = now, 0
	if !before.IsZero() {
		s.interval = now.Sub(before).Seconds()
	}
	s.totals = Totals{}
	s.signals = make([]*signalTrack, 0, len(stats))
	s.byName = make(map[string]*signalTrack, len(stats))
	for k := range stats {
		t := old[stats[k].Name]
		if t == nil || t.Kind != string(stats[k].Kind) || t.Payload != stats[k].Payload {
			t = &signalTrack{}
		}
		t.take(now, before, &stats[k])
		s.signals = append(s.signals, t)
		s.byName[t.Name] = t
		s.totals.add(t)
	}
	t := &s.totals
	s.emitted.step(now, before, counts{t.Emissions, t.Failures, t.Drops, t.Refusals, 0}, t.Pending)
	s.called.step(now, before, counts{t.Deliveries, t.Failures, t.Drops, 0, 0}, t.Pending)
	if now.Sub(s.callsAt) > callsAge {
		s.calls = nil
	}
}

// judge diagnoses the last sample and what is known of stuck calls and recent
// failures.
func (s *state) judge(j judgement) {
	s.number++
	certain := make(map[listenerRef]stuckCalls)
	for _, c := range s.calls {
		if len(c.refs) == 1 {
			certain[c.refs[0]] = c
		}
	}
	for _, t := range s.signals {
		if t.Kind == string(signals.KindSync) {
			for _, l := range t.listeners {
				c := certain[listenerRef{t.Name, l.ID}]
				l.InFlight, l.Running = c.calls, c.running.Seconds()
			}
		}
		t.judge(j)
	}
	s.findings = s.diagnose(j)
	s.totals.Errors, s.totals.Warnings = 0, 0
	for _, f := range s.findings {
		switch f.Severity {
		case SeverityError:
			s.totals.Errors++
		case SeverityWarning:
			s.totals.Warnings++
		}
	}
}

// judge says how the signal and its rows are doing.
func (t *signalTrack) judge(j judgement) {
	for _, r := range t.rows {
		r.sum()
		for _, m := range r.members {
			if of := (lately{judgement: j}); m != r && m.Key == "" { // failures do not tell it from the others
				m.Status = m.status(of)
			} else {
				m.Status = m.status(j.of(t.Name, m))
			}
		}
		r.Status = r.status(j.of(t.Name, r))
	}
	t.judgeLeaving(j)
	t.gone = j.departed(t)
	t.Status = t.status(j)
}

// listener returns a listener of a sync signal, or nil if it is gone.
func (s *state) listener(p listenerRef) *listenerTrack {
	t := s.byName[p.signal]
	if t == nil || t.Kind != string(signals.KindSync) {
		return nil
	}
	return t.byID[p.id]
}

func (t *Totals) add(s *signalTrack) {
	t.Signals++
	t.Listeners += s.listening
	t.Emissions += s.Emissions
	t.Deliveries += s.Deliveries
	t.Failures += s.Failures
	t.Panics += s.Panics
	t.Vetoes += s.Vetoes
	t.Leaving += len(s.leaving)
	t.Drops += s.Drops
	t.Refusals += s.Refusals
	t.Pending += s.Pending
	t.Workers += s.Workers
	t.EmitRate += s.EmitRate
	t.DeliverRate += s.DeliverRate
	t.FailRate += s.FailRate
}

func (t *signalTrack) take(now, before time.Time, st *signals.SignalStats) {
	pace := t.step(now, before, counts{st.Emissions, st.Failures, st.Drops, st.Refusals, st.OverCapacity}, st.Pending)
	t.Signal = Signal{
		Name: st.Name, Kind: string(st.Kind), Payload: st.Payload, Site: st.Site,
		Emissions: st.Emissions, Deliveries: st.Deliveries, Failures: st.Failures, Panics: st.Panics, Vetoes: st.Vetoes,
		Drops: st.Drops, Refusals: st.Refusals, OverCapacity: st.OverCapacity,
		Pending: st.Pending, Workers: st.Workers, Closed: st.Closed,
		EmitRate: pace.rate, FailRate: pace.fails, DropRate: pace.drops,
		listening: len(st.Listeners), Gone: st.Failures,
	}
	old := t.byID
	t.listeners = make([]*listenerTrack, 0, len(st.Listeners))
	t.byID = make(map[string]*listenerTrack, len(st.Listeners))
	ids := listenerIDs(st.Listeners)
	for k := range st.Listeners {
		ls, id := &st.Listeners[k], ids[k]
		l := old[id]
		if l == nil || l.Function != ls.Listener {
			l = &listenerTrack{}
		}
		l.take(now, before, id, ls)
		t.listeners = append(t.listeners, l)
		t.byID[id] = l
		t.DeliverRate += l.Rate
		t.P99 = max(t.P99, l.P99)
		t.Gone -= min(t.Gone, l.Failures)
	}
	t.group(now, before, old)
	t.setLeaving(st.Leaving)
}

// registrations are the rows without those that stand for several listeners.
func (t *signalTrack) registrations() []*listenerTrack { return t.listeners }

// row returns what is shown under an id: a row or one registration.
func (t *signalTrack) row(id string) *listenerTrack {
	if k := slices.IndexFunc(t.rows, func(l *listenerTrack) bool { return l.ID == id }); k >= 0 {
		return t.rows[k]
	}
	return t.byID[id]
}

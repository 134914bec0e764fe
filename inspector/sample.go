package inspector

import (
	"fmt"
	"slices"
	"time"

	"example.com/signals"
)

const (
	points  = 60                     // of a History
	beat    = time.Second            // between samples while somebody looks
	least   = 200 * time.Millisecond // between samples; who asks sooner gets the last one
	recent  = time.Minute            // what "recently" means in the diagnosis
	newGap  = 5 * time.Second        // a longer pause begins the histories anew
	spacing = 10 * time.Second       // between marks
)

// state is the last sample and what is remembered for the next one.
type state struct {
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
}

// signalTrack follows one signal over the samples.
type signalTrack struct {
	Signal
	track
	listeners []*listenerTrack // in calling order
	byID      map[string]*listenerTrack
}

// listenerTrack follows one listener.
type listenerTrack struct {
	Listener
	track
	durations signals.Durations
}

// counts are what rates are computed from.
type counts struct{ rate, failures, drops, refusals, over uint64 }

func (a counts) less(b counts) bool {
	return a.rate < b.rate || a.failures < b.failures || a.drops < b.drops || a.refusals < b.refusals
}

// mark is what was counted at some time.
type mark struct {
	at time.Time
	counts
}

// track is the past of one signal or listener.
type track struct {
	last  counts
	marks []mark // the first is about a minute old, or as old as is known
	rates []float32
	fails []float32
	waits []int32
}

// pace is the rates of one track, a second.
type pace struct{ rate, fails, drops float64 }

// step takes the next sample. before is when the sample before was taken.
func (t *track) step(now, before time.Time, c counts, waiting int) (p pace) {
	if len(t.marks) == 0 || c.less(t.last) { // new, or another one in the place of a removed one
		*t = track{}
		if before.IsZero() {
			t.last = c // counted before anybody looked
			t.marks = append(t.marks, mark{now, c})
		} else {
			t.marks = append(t.marks, mark{before, counts{}})
		}
	}
	gap := now.Sub(before)
	if seconds := gap.Seconds(); !before.IsZero() && seconds > 0 {
		p.rate = float64(c.rate-t.last.rate) / seconds
		p.fails = float64(c.failures-t.last.failures) / seconds
		p.drops = float64(c.drops-t.last.drops+c.refusals-t.last.refusals) / seconds
		if gap > newGap {
			t.rates, t.fails, t.waits = t.rates[:0], t.fails[:0], t.waits[:0]
		}
		t.rates, t.fails, t.waits = push(t.rates, float32(p.rate)), push(t.fails, float32(p.fails)), push(t.waits, int32(min(waiting, 1<<31-1)))
	}
	t.last = c
	if now.Sub(t.marks[len(t.marks)-1].at) >= spacing {
		t.marks = append(t.marks, mark{now, c})
	}
	for len(t.marks) > 1 && now.Sub(t.marks[1].at) >= recent {
		t.marks = t.marks[:copy(t.marks, t.marks[1:])]
	}
	return p
}

func push[T any](s []T, v T) []T {
	if len(s) == points {
		s = s[:copy(s, s[1:])]
	}
	return append(s, v)
}

// lately returns what was counted since the first mark, and how long that is.
func (t *track) lately(now time.Time) (counts, time.Duration) {
	m, c := t.marks[0], t.last
	return counts{c.rate - m.rate, c.failures - m.failures, c.drops - m.drops, c.refusals - m.refusals, c.over - m.over}, now.Sub(m.at)
}

// growing reports whether what waits has been growing for some samples.
func (t *track) growing() bool {
	w := t.waits[max(0, len(t.waits)-10):]
	if len(w) < 3 || w[len(w)-1] < 50 || float64(w[len(w)-1]) < 1.05*float64(w[0]) {
		return false
	}
	up, down := 0, 0
	for i := 1; i < len(w); i++ {
		switch {
		case w[i] > w[i-1]:
			up++
		case w[i] < w[i-1]:
			down++
		}
	}
	return up > 3*down
}

func (t *track) history() *History {
	h := &History{Rates: []float64{}, Failures: []float64{}, Waiting: []int{}}
	for i := range t.rates {
		h.Rates = append(h.Rates, float64(t.rates[i]))
		h.Failures = append(h.Failures, float64(t.fails[i]))
		h.Waiting = append(h.Waiting, int(t.waits[i]))
	}
	return h
}

// look takes a sample, unless the last one is fresh enough.
func (i *Inspector) look(now bool) {
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
	i.state.take(at, i.bus.Stats(), i.stuck)
	close(i.changed)
	i.changed = make(chan struct{})
}

// take makes the next sample from what the bus says.
func (s *state) take(now time.Time, stats []signals.SignalStats, stuck time.Duration) {
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
		t.take(now, before, &stats[k], stuck)
		s.signals = append(s.signals, t)
		s.byName[t.Name] = t
		s.totals.add(&t.Signal)
	}
	t := &s.totals
	s.emitted.step(now, before, counts{t.Emissions, t.Failures, t.Drops, t.Refusals, 0}, t.Pending)
	s.called.step(now, before, counts{t.Deliveries, t.Failures, t.Drops, 0, 0}, t.Pending)
	if now.Sub(s.callsAt) > callsAge {
		s.calls = nil
	}
	s.judge(now, stuck)
}

// judge diagnoses the last sample and what is known of stuck calls.
func (s *state) judge(now time.Time, stuck time.Duration) {
	certain := make(map[listenerRef]stuckCalls)
	for _, c := range s.calls {
		if len(c.refs) == 1 {
			certain[c.refs[0]] = c
		}
	}
	for _, t := range s.signals {
		if t.Kind == string(signals.KindSync) {
			t.run(now, stuck, certain)
		}
	}
	s.findings = s.diagnose(now)
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

// listener returns a listener of a sync signal, or nil if it is gone.
func (s *state) listener(p listenerRef) *listenerTrack {
	t := s.byName[p.signal]
	if t == nil || t.Kind != string(signals.KindSync) {
		return nil
	}
	return t.byID[p.id]
}

// run notes which calls of a sync signal's listeners are under way for long.
func (t *signalTrack) run(now time.Time, stuck time.Duration, certain map[listenerRef]stuckCalls) {
	changed := false
	for k, l := range t.listeners {
		c := certain[listenerRef{t.Name, l.ID}]
		if l.InFlight == c.calls && l.Running == c.running.Seconds() {
			continue
		}
		if !changed {
			changed, t.Listeners = true, slices.Clone(t.Listeners) // somebody may be reading them
		}
		l.InFlight, l.Running = c.calls, c.running.Seconds()
		l.Status = l.status(now, stuck)
		t.Listeners[k] = l.Listener
	}
	if changed {
		t.Status = t.status(now)
	}
}

func (t *Totals) add(s *Signal) {
	t.Signals++
	t.Listeners += len(s.Listeners)
	t.Emissions += s.Emissions
	t.Deliveries += s.Deliveries
	t.Failures += s.Failures
	t.Panics += s.Panics
	t.Drops += s.Drops
	t.Refusals += s.Refusals
	t.Pending += s.Pending
	t.Workers += s.Workers
	t.EmitRate += s.EmitRate
	t.DeliverRate += s.DeliverRate
	t.FailRate += s.FailRate
}

func (t *signalTrack) take(now, before time.Time, st *signals.SignalStats, stuck time.Duration) {
	pace := t.step(now, before, counts{st.Emissions, st.Failures, st.Drops, st.Refusals, st.OverCapacity}, st.Pending)
	t.Signal = Signal{
		Name: st.Name, Kind: string(st.Kind), Payload: st.Payload, Site: st.Site,
		Emissions: st.Emissions, Deliveries: st.Deliveries, Failures: st.Failures, Panics: st.Panics,
		Drops: st.Drops, Refusals: st.Refusals, OverCapacity: st.OverCapacity,
		Pending: st.Pending, Workers: st.Workers, Closed: st.Closed,
		EmitRate: pace.rate, FailRate: pace.fails, DropRate: pace.drops,
	}
	old := t.byID
	t.listeners = make([]*listenerTrack, 0, len(st.Listeners))
	t.byID = make(map[string]*listenerTrack, len(st.Listeners))
	t.Listeners = make([]Listener, 0, len(st.Listeners))
	ids := listenerIDs(st.Listeners)
	for k := range st.Listeners {
		ls, id := &st.Listeners[k], ids[k]
		l := old[id]
		if l == nil {
			l = &listenerTrack{}
		}
		l.take(now, before, id, ls, stuck)
		t.listeners = append(t.listeners, l)
		t.byID[id] = l
		t.Listeners = append(t.Listeners, l.Listener)
		t.DeliverRate += l.Rate
		t.P99 = max(t.P99, l.P99)
	}
	t.Status = t.status(now)
}

// listenerIDs names the listeners of a signal, each differently.
func listenerIDs(ls []signals.ListenerStats) []string {
	ids := make([]string, len(ls))
	same := make(map[string]int, len(ls))
	for k := range ls {
		id := ls[k].Key
		if id == "" {
			id = ls[k].Listener + "@" + ls[k].Site
			if same[id]++; same[id] > 1 {
				id = fmt.Sprintf("%s#%d", id, same[id])
			}
		}
		ids[k] = id
	}
	return ids
}

func (t *listenerTrack) take(now, before time.Time, id string, ls *signals.ListenerStats, stuck time.Duration) {
	pace := t.step(now, before, counts{ls.Deliveries, ls.Failures, ls.Drops, 0, 0}, ls.Lag)
	t.durations = ls.Durations
	t.Listener = Listener{
		ID: id, Key: ls.Key, Function: ls.Listener, Site: ls.Site, Priority: ls.Priority,
		Deliveries: ls.Deliveries, Failures: ls.Failures, Panics: ls.Panics, Drops: ls.Drops,
		Lag: ls.Lag, InFlight: ls.InFlight, Running: ls.Running.Seconds(),
		Rate: pace.rate, FailRate: pace.fails, DropRate: pace.drops,
		P50: ls.Durations.Quantile(0.5).Seconds(), P99: ls.Durations.Quantile(0.99).Seconds(),
		Max: ls.Durations.Max.Seconds(), Sampled: ls.Durations.Count,
	}
	t.Status = t.status(now, stuck)
}

package inspector

import (
	"cmp"
	"fmt"
	"time"

	"example.com/signals"
)

// listenerTrack follows one registration, or the row that several of them are.
type listenerTrack struct {
	Listener
	track
	durations signals.Durations
	members   []*listenerTrack // of a row of several; else the registration itself
	left      counts           // what those of a row that are gone had counted
	panicked  uint64           // the panics among it
	vetoed    uint64           // their vetoes
}

// groupKey says which registrations are of one piece of code.
type groupKey struct {
	function, site string
	keyed          bool
}

func (l *listenerTrack) group() groupKey { return groupKey{l.Function, l.Site, l.Key != ""} }

// fewKeys is how many listeners of one site have a row each if they have keys:
// so many may be parts of a program; more are connections and the like.
const fewKeys = 12

// group makes the rows. Registrations of the same function at the same site are
// one: without keys nothing tells them apart, with keys if there are many. Such
// a row goes on while one of them is left, and keeps what those that have gone
// had counted.
func (t *signalTrack) group(now, before time.Time, old map[string]*listenerTrack) {
	same := make(map[groupKey]int)
	for _, l := range t.listeners {
		same[l.group()]++
	}
	groups := make(map[groupKey]*listenerTrack)
	t.rows = make([]*listenerTrack, 0, len(same))
	for _, l := range t.listeners {
		k := l.group()
		g := cmp.Or(groups[k], t.groups[k])
		if g == nil && (same[k] == 1 || k.keyed && same[k] <= fewKeys) {
			if len(l.members) == 0 {
				l.members = []*listenerTrack{l}
			}
			t.rows = append(t.rows, l)
			continue
		}
		if g == nil {
			g = &listenerTrack{}
		}
		if groups[k] == nil {
			groups[k] = g
			g.members = g.members[:0]
			t.rows = append(t.rows, g)
		}
		g.members = append(g.members, l)
	}
	for id, l := range old {
		if g := groups[l.group()]; g != nil && t.byID[id] != l {
			g.left.rate += l.Deliveries
			g.left.failures += l.Failures
			g.left.drops += l.Drops
			g.panicked += l.Panics
			g.vetoed += l.Vetoes
		}
	}
	t.groups = groups
	for _, g := range groups {
		g.sum()
		c := counts{g.Deliveries, g.Failures, g.Drops, 0, 0}
		if len(g.marks) == 0 {
			g.begin(now, before, c, old)
			continue
		}
		pace := g.step(now, before, c, g.Lag)
		g.Rate, g.FailRate, g.DropRate = pace.rate, pace.fails, pace.drops
	}
}

// begin is the first step of a row of several. What they counted while each had
// a row of its own is not of the last second.
func (l *listenerTrack) begin(now, before time.Time, c counts, old map[string]*listenerTrack) {
	if len(old) == 0 {
		pace := l.step(now, before, c, l.Lag)
		l.Rate, l.FailRate, l.DropRate = pace.rate, pace.fails, pace.drops
		return
	}
	for _, m := range l.members {
		l.Rate += m.Rate
		l.FailRate += m.FailRate
		l.DropRate += m.DropRate
	}
	l.last, l.marks = c, []mark{{now, c}}
	l.push(pace{l.Rate, l.FailRate, l.DropRate}, l.Lag)
}

// sum makes the figures of a row of several registrations from theirs.
func (l *listenerTrack) sum() {
	if len(l.members) == 0 || l.members[0] == l {
		return
	}
	first := l.members[0]
	was := l.Listener
	l.Listener = Listener{
		ID: first.Function + "@" + first.Site, Function: first.Function, Site: first.Site, Priority: first.Priority,
		Registrations: len(l.members), Status: was.Status, Rate: was.Rate, FailRate: was.FailRate, DropRate: was.DropRate,
		Deliveries: l.left.rate, Failures: l.left.failures, Drops: l.left.drops, Panics: l.panicked, Vetoes: l.vetoed,
	}
	if first.Key != "" {
		l.ID += " by key"
	}
	l.durations = signals.Durations{}
	for _, m := range l.members {
		l.Deliveries += m.Deliveries
		l.Failures += m.Failures
		l.Panics += m.Panics
		l.Vetoes += m.Vetoes
		l.Drops += m.Drops
		l.Lag += m.Lag
		l.InFlight += m.InFlight
		l.Running = max(l.Running, m.Running)
		d := &l.durations
		d.Count, d.Sum, d.Max = d.Count+m.durations.Count, d.Sum+m.durations.Sum, max(d.Max, m.durations.Max)
		for i, n := range m.durations.Buckets {
			d.Buckets[i] += n
		}
	}
	l.timed()
}

// timed fills in what durations say.
func (l *listenerTrack) timed() {
	d := &l.durations
	l.P50, l.P99, l.Max, l.Sampled = d.Quantile(0.5).Seconds(), d.Quantile(0.99).Seconds(), d.Max.Seconds(), d.Count
}

// worst is the member whose call has run longest, for its key and its stack.
func (l *listenerTrack) worst() *listenerTrack {
	w := l
	for k, m := range l.members {
		if k == 0 || m.Running > w.Running {
			w = m
		}
	}
	return w
}

// who says whose failures count as the listener's.
func (l *listenerTrack) who(signal string) who {
	return who{signal, l.Key, l.Function, l.Site}
}

// listenerIDs names the listeners of a signal, each differently.
func listenerIDs(ls []signals.ListenerStats) []string {
	ids := make([]string, len(ls))
	same := make(map[string]int, len(ls))
	for k := range ls {
		id := cmp.Or(ls[k].Key, ls[k].Listener+"@"+ls[k].Site)
		if ls[k].Key == "" {
			if same[id]++; same[id] > 1 {
				id = fmt.Sprintf("%s#%d", id, same[id])
			}
		}
		ids[k] = id
	}
	return ids
}

func (l *listenerTrack) take(now, before time.Time, id string, ls *signals.ListenerStats) {
	pace := l.step(now, before, counts{ls.Deliveries, ls.Failures, ls.Drops, 0, 0}, ls.Lag)
	l.durations = ls.Durations
	l.Listener = Listener{
		ID: id, Key: ls.Key, Function: ls.Listener, Site: ls.Site, Priority: ls.Priority, Registrations: 1,
		Deliveries: ls.Deliveries, Failures: ls.Failures, Panics: ls.Panics, Vetoes: ls.Vetoes, Drops: ls.Drops,
		Lag: ls.Lag, InFlight: ls.InFlight, Running: ls.Running.Seconds(),
		Rate: pace.rate, FailRate: pace.fails, DropRate: pace.drops,
	}
	l.timed()
}

package promsignals

import (
	"maps"
	"slices"

	"example.com/signals"
)

// series remembers what was shown of one signal at the last scrape, so that
// labels stay with their listeners and counters do not go back.
type series struct {
	sig     *signals.SignalInfo            // whose figures they were
	live    map[*signals.ListenerInfo]bool // registrations that were there
	own     map[string]*total              // by label: those with series of their own
	rest    map[string]bool                // labels of listeners that are there and summed into other
	other   *total                         // nil: nobody was ever in it
	scrapes uint64
	marks   marks
}

// total is what has been counted under one label by listeners that are gone.
type total struct {
	gone  signals.ListenerStats
	shown signals.ListenerStats // by the last scrape, with those that were there
	seen  uint64                // the scrape that last saw a listener of that label
}

func newSeries() *series {
	return &series{own: make(map[string]*total), rest: make(map[string]bool)}
}

// labelled are the figures of what has one label.
type labelled struct {
	label string
	gone  bool // no listener of that label is there
	stats signals.ListenerStats
}

// follow returns the listeners of a signal, and by label what was counted by those
// that have gone since the last scrape, as far as the last one did not show it.
func (s *series) follow(v *view, src *source, taken map[*signals.SignalInfo]*page) (there []signals.ListenerStats, gone map[string]*signals.ListenerStats) {
	there = v.Listeners
	last, before, sig := s.live, s.sig, v.Info()
	s.live, s.sig = make(map[*signals.ListenerInfo]bool, len(there)), sig
	for i := range there {
		if l := there[i].Info(); l != nil {
			s.live[l] = true
		}
	}
	all := &page{kept: s.labels()}
	turn := func(of *signals.SignalInfo) {
		if p := taken[of]; p != nil {
			src.book.settle(of, p)
			for label, l := range p.gone {
				all.count(label, l)
			}
		}
	}
	turn(sig)
	if before != sig { // a signal that had the name before
		turn(before)
	}
	for l := range last {
		p := taken[l.Signal]
		switch {
		case s.live[l] || p != nil && p.left[l]:
		case src.observed && l.Signal == sig: // it has just been removed, and the book is about to hear of it
			there = append(slices.Clip(there), l.Stats())
			s.live[l] = true
		default: // nobody will hear of it
			d := newDeparted(l)
			more, final := d.more()
			all.count(d.label, &more)
			if l.Signal == sig && !final {
				src.book.reopen(sig, d)
			}
		}
	}
	return there, all.gone
}

// sort sums the listeners of one scrape, and those that have gone since the last
// one, by label: at most limit of them, and Other.
func (s *series) sort(listeners []signals.ListenerStats, gone map[string]*signals.ListenerStats, limit int) []labelled {
	s.scrapes++
	var present []labelled
	at := make(map[string]int)
	for i := range listeners {
		label := labelOf(&listeners[i])
		k, ok := at[label]
		if !ok {
			k = len(present)
			at[label] = k
			present = append(present, labelled{label: label})
		}
		add(&present[k].stats, &listeners[i])
	}
	for _, l := range present {
		if t := s.own[l.label]; t != nil {
			t.seen = s.scrapes
		}
	}
	for label, l := range gone { // first, so that those that lose their series have them
		if t := s.own[label]; t != nil {
			add(&t.gone, l)
		}
	}
	counted := s.labels()
	for _, l := range present {
		if s.own[l.label] == nil && !s.rest[l.label] {
			s.rest[l.label] = !s.admit(l.label, limit, true)
		}
	}
	for _, label := range slices.Sorted(maps.Keys(gone)) {
		switch {
		case counted[label]:
		case s.own[label] != nil || !s.rest[label] && s.admit(label, limit, false):
			add(&s.own[label].gone, gone[label])
		default:
			add(&s.sum().gone, gone[label])
		}
	}
	maps.DeleteFunc(s.rest, func(label string, rest bool) bool { // it has had a say in whose the gone ones are
		_, there := at[label]
		return !rest || !there
	})
	return s.shown(present)
}

// admit gives a label series of its own, if there is room: in the place of the one
// whose listeners have been gone for longest, if evict is set.
func (s *series) admit(label string, limit int, evict bool) bool {
	if label == Other || limit == 0 {
		return false
	}
	if len(s.own) >= limit {
		oldest := ""
		for l, t := range s.own {
			if t.seen < s.scrapes && (oldest == "" || t.seen < s.own[oldest].seen || t.seen == s.own[oldest].seen && l < oldest) {
				oldest = l
			}
		}
		if oldest == "" || !evict {
			return false
		}
		if unseen := since(&s.own[oldest].shown, &s.own[oldest].gone); unseen != (signals.ListenerStats{}) {
			add(&s.sum().gone, &unseen)
		}
		delete(s.own, oldest)
	}
	s.own[label] = &total{seen: s.scrapes}
	if !evict { // nobody is there
		s.own[label].seen--
	}
	return true
}

func (s *series) sum() *total {
	if s.other == nil {
		s.other = new(total)
	}
	return s.other
}

// shown returns what the scrape shows: what is counted by those that are present,
// and by those that are gone.
func (s *series) shown(present []labelled) (all []labelled) {
	var rest signals.ListenerStats
	for _, l := range present {
		if s.rest[l.label] {
			add(&rest, &l.stats)
			s.sum()
			continue
		}
		t := s.own[l.label]
		add(&l.stats, &t.gone)
		t.shown = l.stats
		all = append(all, l)
	}
	for label, t := range s.own {
		if t.seen < s.scrapes {
			t.shown = t.gone
			all = append(all, labelled{label, true, t.gone})
		}
	}
	if s.other != nil {
		add(&rest, &s.other.gone)
		all = append(all, labelled{label: Other, stats: rest})
	}
	return all
}

// labels returns the labels that have series of their own.
func (s *series) labels() map[string]bool {
	all := make(map[string]bool, len(s.own))
	for label := range s.own {
		all[label] = true
	}
	return all
}

// add adds the figures of one listener to a sum.
func add(sum, l *signals.ListenerStats) {
	to, from := counters(sum), counters(l)
	for i := range to {
		*to[i] += *from[i]
	}
	sum.Lag += l.Lag
	sum.InFlight += l.InFlight
	sum.Running = max(sum.Running, l.Running)
	sum.Durations.Sum += l.Durations.Sum
}

// since returns what a listener has counted since it had counted what before says.
func since(before, now *signals.ListenerStats) (more signals.ListenerStats) {
	to, from, old := counters(&more), counters(now), counters(before)
	for i := range to {
		*to[i] = max(*from[i], *old[i]) - *old[i]
	}
	more.Durations.Sum = max(now.Durations.Sum-before.Durations.Sum, 0)
	return more
}

// counters are the figures that only grow, but for the sum of durations.
func counters(l *signals.ListenerStats) (all [6 + signals.DurationBuckets]*uint64) {
	n := copy(all[:], []*uint64{&l.Deliveries, &l.Failures, &l.Panics, &l.Vetoes, &l.Drops, &l.Durations.Count})
	for i := range l.Durations.Buckets {
		all[n+i] = &l.Durations.Buckets[i]
	}
	return all
}

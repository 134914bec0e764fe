package promsignals

import (
	"time"

	"example.com/signals"
)

// series remembers what was shown of one signal at the last scrape, so that
// labels stay with their listeners and counters do not go back.
type series struct {
	own   map[string]*total // by label: listeners with series of their own
	rest  map[string]bool   // labels of those summed into other
	other *total            // nil: nobody was ever in it
	marks marks
}

func newSeries() *series {
	return &series{own: make(map[string]*total), rest: make(map[string]bool)}
}

// labelled are the figures of what has one label.
type labelled struct {
	label string
	stats signals.ListenerStats
}

// sort sums the listeners of one scrape by label, at most limit of them and
// Other.
func (s *series) sort(listeners []signals.ListenerStats, limit int) []labelled {
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
	for label := range s.own {
		if _, ok := at[label]; !ok {
			delete(s.own, label)
		}
	}
	for label := range s.rest {
		if _, ok := at[label]; !ok {
			delete(s.rest, label)
		}
	}
	var shown []labelled
	var rest signals.ListenerStats
	for _, l := range present {
		if s.own[l.label] == nil && (s.rest[l.label] || len(s.own) >= limit || l.label == Other) {
			s.rest[l.label] = true
			add(&rest, &l.stats)
			continue
		}
		if s.own[l.label] == nil {
			s.own[l.label] = new(total)
		}
		s.own[l.label].follow(&l.stats)
		shown = append(shown, l)
	}
	if s.other == nil && len(s.rest) > 0 {
		s.other = new(total)
	}
	if s.other != nil {
		s.other.follow(&rest)
		shown = append(shown, labelled{Other, rest})
	}
	return shown
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

// counters are the figures that only grow while a listener lives, but for the
// sum of durations.
func counters(l *signals.ListenerStats) (all [5 + signals.DurationBuckets]*uint64) {
	n := copy(all[:], []*uint64{&l.Deliveries, &l.Failures, &l.Panics, &l.Drops, &l.Durations.Count})
	for i := range l.Durations.Buckets {
		all[n+i] = &l.Durations.Buckets[i]
	}
	return all
}

// total keeps the counters of a sum of listeners from going back when one of
// them is removed: what they lose is added from then on.
type total struct {
	last signals.ListenerStats // as counted
	lost signals.ListenerStats
}

// follow takes the counters as they are and makes of them what is shown.
func (t *total) follow(now *signals.ListenerStats) {
	counted := *now
	cur, last, lost := counters(now), counters(&t.last), counters(&t.lost)
	for i := range cur {
		if *last[i] > *cur[i] {
			*lost[i] += *last[i] - *cur[i]
		}
		*cur[i] += *lost[i]
	}
	t.lost.Durations.Sum += max(t.last.Durations.Sum-now.Durations.Sum, 0)
	now.Durations.Sum += t.lost.Durations.Sum
	t.last = counted
}

// marks are past scrapes and how many emissions there had been, for the age of
// what is pending.
type marks []mark

type mark struct {
	at        time.Time
	emissions uint64
}

const maxMarks = 64

// age returns for how long scrapes have seen the oldest of the pending
// emissions, at least.
func (m *marks) age(now time.Time, emissions uint64, pending int) time.Duration {
	finished := emissions - min(uint64(max(pending, 0)), emissions)
	old := *m
	for len(old) > 0 && old[0].emissions <= finished {
		old = old[1:]
	}
	if emissions > finished && (len(old) == 0 || old[len(old)-1].emissions < emissions) {
		old = append(old, mark{now, emissions})
	}
	if len(old) > maxMarks { // the first and every other
		kept := old[:0]
		for i := 0; i < len(old); i += 2 {
			kept = append(kept, old[i])
		}
		old = kept
	}
	*m = old
	if len(old) == 0 {
		return 0
	}
	return now.Sub(old[0].at)
}

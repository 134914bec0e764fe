package inspector

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is what a request asks of a snapshot.
type query struct {
	words   string // q
	sort    string
	signal  string
	limit   int // 0: all
	offset  int
	history bool
}

// orders are the values of sort. Each puts the smallest first.
var orders = map[string]func(a, b *Signal) int{
	"name":      func(a, b *Signal) int { return strings.Compare(a.Name, b.Name) },
	"rate":      func(a, b *Signal) int { return cmp.Compare(a.EmitRate, b.EmitRate) },
	"emissions": func(a, b *Signal) int { return cmp.Compare(a.Emissions, b.Emissions) },
	"failures":  func(a, b *Signal) int { return cmp.Compare(a.Failures, b.Failures) },
	"drops":     func(a, b *Signal) int { return cmp.Compare(a.Drops+a.Refusals, b.Drops+b.Refusals) },
	"pending":   func(a, b *Signal) int { return cmp.Compare(a.Pending, b.Pending) },
	"listeners": func(a, b *Signal) int { return cmp.Compare(len(a.Listeners), len(b.Listeners)) },
	"p99":       func(a, b *Signal) int { return cmp.Compare(a.P99, b.P99) },
	"status":    func(a, b *Signal) int { return cmp.Compare(b.Status.rank(), a.Status.rank()) },
}

func parseQuery(v url.Values) (q query, err error) {
	q = query{words: v.Get("q"), sort: v.Get("sort"), signal: v.Get("signal"), history: v.Get("history") == "1"}
	if name := strings.TrimPrefix(q.sort, "-"); name != "" && orders[name] == nil {
		return q, fmt.Errorf("inspector: no sort %q", name)
	}
	for name, to := range map[string]*int{"limit": &q.limit, "offset": &q.offset} {
		if s := v.Get(name); s != "" {
			if *to, err = strconv.Atoi(s); err != nil || *to < 0 {
				return q, fmt.Errorf("inspector: %s=%q: want a number from 0", name, s)
			}
		}
	}
	return q, nil
}

// select returns the tracks that a query asks for, and how many there are
// without limit and offset.
func (s *state) pick(q query) (found []*signalTrack, matching int) {
	words := strings.Fields(strings.ToLower(q.words))
	for _, t := range s.signals {
		if (q.signal == "" || t.Name == q.signal) && t.matches(words) {
			found = append(found, t)
		}
	}
	if name := strings.TrimPrefix(q.sort, "-"); name != "" {
		order := orders[name]
		slices.SortStableFunc(found, func(a, b *signalTrack) int {
			c := order(&a.Signal, &b.Signal)
			if name != q.sort {
				c = -c
			}
			return c
		})
	}
	matching = len(found)
	found = found[min(q.offset, len(found)):]
	if q.limit > 0 {
		found = found[:min(q.limit, len(found))]
	}
	return found, matching
}

// matches reports whether each word is in the name of the signal, or in the
// name or place of one of its listeners.
func (t *signalTrack) matches(words []string) bool {
	for _, w := range words {
		has := func(s string) bool { return strings.Contains(strings.ToLower(s), w) }
		if !has(t.Name) && !has(t.Payload) && !slices.ContainsFunc(t.Listeners, func(l Listener) bool {
			return has(l.Key) || has(l.Function) || has(l.Site)
		}) {
			return false
		}
	}
	return true
}

// snapshot answers a query with what the last sample says.
func (i *Inspector) snapshot(q query) Snapshot {
	i.mu.RLock()
	defer i.mu.RUnlock()
	s := &i.state
	picked, matching := s.pick(q)
	out := Snapshot{Time: s.at, Interval: s.interval, Totals: s.totals, Matching: matching, Signals: make([]Signal, 0, len(picked))}
	for _, t := range picked {
		sig := t.Signal
		if q.history {
			sig.History = t.history()
			sig.Listeners = slices.Clone(sig.Listeners)
			for k, l := range t.listeners {
				sig.Listeners[k].History = l.history()
			}
		}
		out.Signals = append(out.Signals, sig)
	}
	return out
}

// diagnosis returns the findings of the last sample.
func (i *Inspector) diagnosis(stacks bool) Diagnosis {
	i.mu.RLock()
	d := Diagnosis{Time: i.state.at, Healthy: healthy(i.state.findings), Findings: slices.Clone(i.state.findings)}
	i.mu.RUnlock()
	if stacks {
		for k := range d.Findings {
			if f := &d.Findings[k]; f.Kind == FindingStuck {
				f.Stacks = i.stacks.in(f.Function)
			}
		}
	}
	return d
}

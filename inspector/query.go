package inspector

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxQuery    = 8 << 10 // bytes of all that a request asks
	maxWords    = 256     // bytes of q
	usualLimit  = 100     // signals of an answer
	highLimit   = 1000
	usualGraph  = 60 // signals that are drawn
	highGraph   = 300
	mostRows    = 5000 // listeners of an answer, those of all its signals
	shortWindow = time.Second
)

// query is what a request asks of a snapshot. It can be compared, so that
// those who ask the same can share the answer.
type query struct {
	words    string // q
	sort     string
	signal   string
	listener string // of stacks
	limit    int    // -1: not said
	offset   int
	history  bool
	each     bool          // registrations, and not one row for those of one site
	window   time.Duration // of the diagnosis
}

// orders are the values of sort. Each puts the smallest first.
var orders = map[string]func(a, b *Signal) int{
	"name":      func(a, b *Signal) int { return strings.Compare(a.Name, b.Name) },
	"rate":      func(a, b *Signal) int { return cmp.Compare(a.EmitRate, b.EmitRate) },
	"emissions": func(a, b *Signal) int { return cmp.Compare(a.Emissions, b.Emissions) },
	"failures":  func(a, b *Signal) int { return cmp.Compare(a.Failures, b.Failures) },
	"vetoes":    func(a, b *Signal) int { return cmp.Compare(a.Vetoes, b.Vetoes) },
	"drops":     func(a, b *Signal) int { return cmp.Compare(a.Drops+a.Refusals, b.Drops+b.Refusals) },
	"pending":   func(a, b *Signal) int { return cmp.Compare(a.Pending, b.Pending) },
	"listeners": func(a, b *Signal) int { return cmp.Compare(a.listening, b.listening) },
	"p99":       func(a, b *Signal) int { return cmp.Compare(a.P99, b.P99) },
	"status":    func(a, b *Signal) int { return cmp.Compare(b.Status.rank(), a.Status.rank()) },
}

// worstFirst is the order where none is asked for.
const worstFirst = "-status"

// values returns the parameters of a request, or an error if they are too long.
func values(r *http.Request) (url.Values, error) {
	if n := len(r.URL.RawQuery); n > maxQuery {
		return nil, fmt.Errorf("inspector: the query has %d bytes: want at most %d", n, maxQuery)
	}
	return r.URL.Query(), nil
}

func parseQuery(v url.Values) (q query, err error) {
	q = query{
		words: v.Get("q"), sort: v.Get("sort"), signal: v.Get("signal"), listener: v.Get("listener"),
		limit: -1, history: v.Get("history") == "1", each: v.Get("each") == "1", window: recent,
	}
	if len(q.words) > maxWords {
		return q, fmt.Errorf("inspector: q has %d bytes: want at most %d", len(q.words), maxWords)
	}
	if name := strings.TrimPrefix(q.sort, "-"); name != "" && orders[name] == nil {
		return q, fmt.Errorf("inspector: no sort %q", cut(name, 100))
	}
	for name, to := range map[string]*int{"limit": &q.limit, "offset": &q.offset} {
		if s := v.Get(name); s != "" {
			if *to, err = strconv.Atoi(s); err != nil || *to < 0 {
				return q, fmt.Errorf("inspector: %s=%q: want a number from 0", name, cut(s, 100))
			}
		}
	}
	if s := v.Get("window"); s != "" {
		if q.window, err = time.ParseDuration(s); err != nil || q.window < shortWindow || q.window > recent {
			return q, fmt.Errorf("inspector: window=%q: want a duration from %v to %v", cut(s, 100), shortWindow, recent)
		}
	}
	return q, nil
}

// most returns how many signals an answer has: usual unless limit says
// otherwise, where 0 stands for as many as there can be, which is high.
func (q query) most(usual, high int) int {
	switch {
	case q.limit < 0:
		return usual
	case q.limit == 0:
		return high
	}
	return min(q.limit, high)
}

// pick returns the tracks that a query asks for, at most n, and how many there
// are without that and offset.
func (s *state) pick(q query, n int) (found []*signalTrack, matching int) {
	words := strings.Fields(strings.ToLower(q.words))
	for _, t := range s.signals {
		if (q.signal == "" || t.Name == q.signal) && t.matches(words) {
			found = append(found, t)
		}
	}
	sorted := cmp.Or(q.sort, worstFirst)
	name := strings.TrimPrefix(sorted, "-")
	order := orders[name]
	slices.SortStableFunc(found, func(a, b *signalTrack) int {
		c := order(&a.Signal, &b.Signal)
		if name != sorted {
			c = -c
		}
		return c
	})
	matching = len(found)
	found = found[min(q.offset, len(found)):]
	return found[:min(n, len(found))], matching
}

// matches reports whether each word is in the name of the signal, or in the
// name or place of one of its listeners.
func (t *signalTrack) matches(words []string) bool {
	for _, w := range words {
		has := func(s string) bool { return strings.Contains(strings.ToLower(s), w) }
		if !has(t.Name) && !has(t.Payload) && !slices.ContainsFunc(t.listeners, func(l *listenerTrack) bool {
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
	picked, matching := s.pick(q, q.most(usualLimit, highLimit))
	out := Snapshot{Stores: s.storeInfos(q.history, false), Time: s.at, Interval: s.interval, Totals: s.totals, Matching: matching, Signals: make([]Signal, 0, len(picked))}
	room := mostRows
	for _, t := range picked {
		sig := t.Signal
		rows := t.rows
		if q.each {
			rows = t.registrations()
		}
		sig.More = len(rows)
		rows = rows[:min(room, len(rows))]
		sig.More -= len(rows)
		room -= len(rows)
		sig.Listeners = make([]Listener, 0, len(rows))
		for _, l := range rows {
			row := l.Listener
			if q.history {
				row.History = l.history()
			}
			sig.Listeners = append(sig.Listeners, row)
		}
		n := min(room, len(t.leaving))
		sig.Leaving = slices.Clone(t.leaving[:n])
		sig.More += len(t.leaving) - n
		room -= n
		if q.history {
			sig.History = t.history()
		}
		out.Signals = append(out.Signals, sig)
	}
	return out
}

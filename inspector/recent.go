package inspector

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"example.com/signals"
)

// recents count the failures and drops of the last minute, second by second,
// as they happen: so the diagnosis knows when they were also if nobody looked,
// and whose they were also if the listener is gone.
type recents struct {
	mu sync.Mutex
	by map[who]*recentCounts // under mu
	// When it was last looked for those to forget, since that takes a while;
	// under mu.
	forgot time.Time
}

// who is a listener by what failures say of it; one without a function is a
// signal that refuses.
type who struct{ signal, key, function, site string }

// maxWho is how many are told apart; keys are forgotten beyond it.
const maxWho = 1024

type recentCounts struct {
	seconds [int(recent / time.Second)]struct {
		at              int64
		failures, drops uint64
	}
	last   time.Time
	text   string // of the last failure
	reason reason // of the last refusal
}

// tally is what was counted within a window.
type tally struct {
	failures, drops uint64
	last            time.Time
	text            string
	reason          reason
}

// reason is why emissions are refused.
type reason int

const (
	otherReason reason = iota
	atCapacity
	isClosed
)

// reasonOf asks an error, whose methods may panic.
func reasonOf(err error) (r reason) {
	defer func() { _ = recover() }()
	switch {
	case errors.Is(err, signals.ErrOverflow):
		return atCapacity
	case errors.Is(err, signals.ErrClosed):
		return isClosed
	}
	return otherReason
}

func (r *recents) failed(w who, now time.Time, text string, why reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, failures, _ := r.at(w, now)
	*failures++
	c.last, c.text, c.reason = now, text, why
}

// dropped is an Observer's Drop.
func (r *recents) dropped(l *signals.ListenerInfo, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _, drops := r.at(who{l.Signal.Name, l.Key, l.Listener, l.Site}, time.Now())
	*drops += uint64(n)
}

// at returns where to count. It must be called with r.mu held.
func (r *recents) at(w who, now time.Time) (c *recentCounts, failures, drops *uint64) {
	if c = r.by[w]; c == nil && len(r.by) >= maxWho {
		r.forget(now)
	}
	if c == nil && len(r.by) >= maxWho {
		w.key = ""
		if c = r.by[w]; c == nil && len(r.by) >= 2*maxWho {
			w.function, w.site = "other listeners", ""
			c = r.by[w]
		}
	}
	if c == nil {
		if r.by == nil {
			r.by = make(map[who]*recentCounts)
		}
		c = &recentCounts{}
		r.by[w] = c
	}
	at := now.Unix()
	s := &c.seconds[at%int64(len(c.seconds))]
	if s.at != at {
		s.at, s.failures, s.drops = at, 0, 0
	}
	return c, &s.failures, &s.drops
}

// forget forgets who has counted nothing lately. It must be called with r.mu
// held.
func (r *recents) forget(now time.Time) {
	if ago := now.Sub(r.forgot); ago >= 0 && ago < time.Second {
		return
	}
	r.forgot = now
	for w, c := range r.by {
		if t := c.tally(now, recent); t.failures+t.drops == 0 {
			delete(r.by, w)
		}
	}
}

func (c *recentCounts) tally(now time.Time, window time.Duration) tally {
	t := tally{last: c.last, text: c.text, reason: c.reason}
	from := now.Add(-window).Unix()
	for _, s := range c.seconds {
		if s.at > from && s.at <= now.Unix() {
			t.failures += s.failures
			t.drops += s.drops
		}
	}
	return t
}

// tallies returns what was counted within window of now.
func (r *recents) tallies(now time.Time, window time.Duration) map[who]tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[who]tally)
	for w, c := range r.by {
		if t := c.tally(now, window); t.failures+t.drops > 0 {
			all[w] = t
		}
	}
	return all
}

// judgement is what a diagnosis goes by.
type judgement struct {
	now    time.Time
	stuck  time.Duration
	window time.Duration
	recent map[who]tally
}

// lately is what is known of a listener or row within the window.
type lately struct {
	judgement
	tally
}

// of returns what is known of a row of a signal.
func (j judgement) of(signal string, l *listenerTrack) lately {
	n := lately{judgement: j}
	if len(j.recent) == 0 {
		return n
	}
	add := func(w who) {
		t := j.recent[w]
		n.failures += t.failures
		n.drops += t.drops
		if t.last.After(n.last) {
			n.last, n.text = t.last, t.text
		}
	}
	one := l.who(signal)
	if one.key == "" {
		add(one) // all registrations of the site, and those whose keys were too many
	}
	for _, m := range l.members {
		if m.Key != "" {
			add(m.who(signal))
		}
	}
	return n
}

// departed is a listener that failed lately and is gone.
type departed struct {
	who
	tally
}

// departed returns the listeners of a signal that failed lately and are gone.
func (j judgement) departed(t *signalTrack) (gone []departed) {
	if len(j.recent) == 0 {
		return nil
	}
	var here map[who]bool
	for w, n := range j.recent {
		if w.signal != t.Name || w.function == "" || n.failures == 0 {
			continue
		}
		if here == nil {
			here = make(map[who]bool, len(t.listeners))
			for _, l := range t.listeners {
				here[l.who(t.Name)] = true
			}
		}
		if !here[w] {
			gone = append(gone, departed{w, n})
		}
	}
	slices.SortFunc(gone, func(a, b departed) int {
		return cmp.Or(cmp.Compare(b.failures, a.failures), cmp.Compare(a.site, b.site), cmp.Compare(a.key, b.key))
	})
	return gone
}

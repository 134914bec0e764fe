package inspector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/signals"
)

// status of a listener: the first of these that applies.
func (t *listenerTrack) status(now time.Time, stuck time.Duration) Status {
	lately, _ := t.lately(now)
	switch {
	case t.InFlight > 0 && t.Running >= stuck.Seconds():
		return StatusStuck
	case lately.failures > 0:
		return StatusFailing
	case t.growing() || t.behind(now) > longestBehind:
		return StatusLagging
	case lately.drops > 0:
		return StatusDropping
	case t.Deliveries == 0 && t.Failures == 0 && t.Drops == 0 && t.Lag == 0 && t.InFlight == 0:
		return StatusSilent
	}
	return StatusOK
}

// longestBehind is how long a listener may need for what waits for it.
const longestBehind = 10 * time.Second

// behind returns how long what waits for the listener takes it, at its pace.
func (t *listenerTrack) behind(now time.Time) time.Duration {
	lately, since := t.lately(now)
	if t.Lag < 50 || lately.rate == 0 {
		return 0
	}
	return time.Duration(min(float64(t.Lag)*float64(since)/float64(lately.rate), float64(30*24*time.Hour)))
}

var statuses = []Status{StatusStuck, StatusFailing, StatusLagging, StatusDropping, StatusUnheard, StatusOK, StatusSilent}

// rank orders the statuses, the worst first.
func (s Status) rank() int { return slices.Index(statuses, s) }

// status of a signal: the worst of its own and its listeners'.
func (t *signalTrack) status(now time.Time) Status {
	lately, _ := t.lately(now)
	worst := StatusOK
	switch {
	case lately.refusals > 0:
		worst = StatusDropping
	case t.Emissions > 0 && len(t.listeners) == 0:
		worst = StatusUnheard
	case t.Emissions == 0:
		worst = StatusSilent
	}
	for _, l := range t.listeners {
		if l.Status.rank() < worst.rank() {
			worst = l.Status
		}
	}
	return worst
}

// diagnose lists what is the matter, the worst first.
func (s *state) diagnose(now time.Time) []Finding {
	found := []Finding{}
	for _, t := range s.signals {
		found = append(found, t.diagnose(now)...)
		for _, l := range t.listeners {
			if f, ok := l.diagnose(now, t); ok {
				f.Signal, f.Listener, f.Name, f.Function, f.Site = t.Name, l.ID, l.Name(), l.Function, l.Site
				found = append(found, f)
			}
		}
	}
	for _, c := range s.calls {
		if f := c.diagnose(s); len(c.refs) > 1 && len(f.Candidates) > 0 {
			found = append(found, f)
		}
	}
	order := map[Severity]int{SeverityError: 0, SeverityWarning: 1, SeverityInfo: 2}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(order[a.Severity], order[b.Severity]), cmp.Compare(b.Running, a.Running))
	})
	return found
}

func (t *signalTrack) diagnose(now time.Time) (found []Finding) {
	lately, since := t.lately(now)
	add := func(kind string, severity Severity, count uint64, format string, args ...any) {
		found = append(found, Finding{Kind: kind, Severity: severity, Signal: t.Name, Site: t.Site, Count: count, Text: fmt.Sprintf(format, args...)})
	}
	if lately.refusals > 0 {
		add(FindingRefusals, SeverityWarning, lately.refusals, "%q refused %s in %s: it was at its Capacity, or closing",
			t.Name, plural(lately.refusals, "emission"), span(since))
	} else if t.Refusals > 0 {
		add(FindingRefusals, SeverityInfo, t.Refusals, "%q refused %s since it was made, none of them in %s",
			t.Name, plural(t.Refusals, "emission"), span(since))
	}
	if t.OverCapacity > 0 {
		add(FindingOver, SeverityInfo, t.OverCapacity, "%q accepted %s above its Capacity, from inside listeners",
			t.Name, plural(t.OverCapacity, "emission"))
	}
	if t.Emissions > 0 && len(t.listeners) == 0 {
		severity := SeverityInfo
		if lately.rate > 0 {
			severity = SeverityWarning
		}
		add(FindingUnheard, severity, t.Emissions, "%q was emitted %s, and nobody listens", t.Name, plural(t.Emissions, "time"))
	}
	if t.Emissions == 0 && len(t.listeners) > 0 {
		add(FindingSilent, SeverityInfo, 0, "%q has %s and was never emitted", t.Name, plural(uint64(len(t.listeners)), "listener"))
	}
	return found
}

func (t *listenerTrack) diagnose(now time.Time, s *signalTrack) (Finding, bool) {
	lately, since := t.lately(now)
	who := fmt.Sprintf("%s of %q", t.Name(), s.Name)
	switch t.Status {
	case StatusStuck:
		text := fmt.Sprintf("%s is stuck: a call has been running for %s", who, seconds(t.Running))
		if s.Kind == string(signals.KindSync) {
			text += others(t.InFlight)
		}
		if t.Lag > t.InFlight {
			text += fmt.Sprintf(", and %s for it", plural(uint64(t.Lag-t.InFlight), "emission waits", "emissions wait"))
		}
		return Finding{Kind: FindingStuck, Severity: SeverityError, Running: t.Running, Count: uint64(t.Lag), Text: text}, true
	case StatusFailing:
		severity := SeverityWarning
		if calls := lately.rate; calls > 0 && 2*lately.failures >= calls {
			severity = SeverityError
		}
		return Finding{Kind: FindingFailing, Severity: severity, Count: lately.failures,
			Text: fmt.Sprintf("%s failed in %d of %s in %s", who, lately.failures, plural(max(lately.rate, lately.failures), "call"), span(since))}, true
	case StatusLagging:
		text := fmt.Sprintf("%s falls behind: %s", who, plural(uint64(t.Lag), "emission waits", "emissions wait"))
		if t.growing() {
			text += ", and more each second"
		}
		if d := t.behind(now); d > time.Second {
			text += fmt.Sprintf("; at its pace that takes %s", seconds(d.Seconds()))
		}
		return Finding{Kind: FindingLag, Severity: SeverityWarning, Count: uint64(t.Lag), Text: text}, true
	case StatusDropping:
		return Finding{Kind: FindingDrops, Severity: SeverityWarning, Count: lately.drops,
			Text: fmt.Sprintf("%s missed %s in %s, by its MaxLag", who, plural(lately.drops, "emission"), span(since))}, true
	case StatusSilent:
		if s.Emissions > 0 {
			return Finding{Kind: FindingSilent, Severity: SeverityInfo, Count: s.Emissions,
				Text: fmt.Sprintf("%s was never called, though the signal was emitted %s: its Filter passes nothing, or it came later", who, plural(s.Emissions, "time"))}, true
		}
	}
	if t.Drops > 0 && t.Status == StatusOK {
		return Finding{Kind: FindingDrops, Severity: SeverityInfo, Count: t.Drops,
			Text: fmt.Sprintf("%s missed %s since it was registered, none of them in %s", who, plural(t.Drops, "emission"), span(since))}, true
	}
	return Finding{}, false
}

// others says how many calls besides the longest are stuck.
func others(calls int) string {
	if calls < 2 {
		return ""
	}
	return ", and " + plural(uint64(calls-1), "other call") + " too"
}

const (
	maxCandidates = 16 // of a finding
	maxNamed      = 4  // of them in its text
)

// diagnose is the finding about calls of which the stacks do not tell which
// listener they are of.
func (c *stuckCalls) diagnose(s *state) Finding {
	f := Finding{Kind: FindingStuck, Severity: SeverityError, Function: c.function, Running: c.running.Seconds()}
	one := true // signal
	var names []string
	for _, p := range c.refs {
		one = one && p.signal == c.refs[0].signal
		l := s.listener(p)
		if l == nil || len(f.Candidates) == maxCandidates {
			continue
		}
		f.Candidates = append(f.Candidates, Candidate{Signal: p.signal, Listener: p.id, Name: l.Name(), Site: l.Site})
		if len(names) < maxNamed {
			names = append(names, fmt.Sprintf("%s of %q", l.Name(), p.signal))
		}
	}
	if one {
		f.Signal = c.refs[0].signal
	}
	if n := len(c.refs) - len(names); n > 0 {
		names = append(names, plural(uint64(n), "other listener"))
	}
	f.Text = fmt.Sprintf("%s is stuck: a call has been running for %s%s; the stack does not say of which listener: %s",
		c.function, seconds(f.Running), others(c.calls), strings.Join(names, ", "))
	return f
}

// about reports whether a finding is, or may be, about a signal.
func (f *Finding) about(signal string) bool {
	return f.Signal == signal || slices.ContainsFunc(f.Candidates, func(c Candidate) bool { return c.Signal == signal })
}

// plural says how many of what: "1 call", "2 calls", or the second form given.
func plural(n uint64, forms ...string) string {
	if n == 1 {
		return "1 " + forms[0]
	}
	if len(forms) > 1 {
		return count(n) + " " + forms[1]
	}
	return count(n) + " " + forms[0] + "s"
}

// span says over which time something was counted.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "the last second"
	case d > 50*time.Second && d < 80*time.Second:
		return "the last minute"
	}
	return "the last " + seconds(d.Seconds())
}

// healthy reports whether nothing is wrong.
func healthy(found []Finding) bool {
	return !slices.ContainsFunc(found, func(f Finding) bool { return f.Severity != SeverityInfo })
}

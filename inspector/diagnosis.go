package inspector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/signals"
)

// status of a row: the first of these that applies.
func (t *listenerTrack) status(n lately) Status {
	counted, _ := t.lately(n.now, n.window)
	switch {
	case t.InFlight > 0 && t.Running >= n.stuck.Seconds():
		return StatusStuck
	case n.failures > 0 || counted.failures > 0:
		return StatusFailing
	case t.growing() || t.behind(n.now) > longestBehind:
		return StatusLagging
	case n.drops > 0 || counted.drops > 0:
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
	lately, since := t.lately(now, recent)
	if t.Lag < 50 || lately.rate == 0 {
		return 0
	}
	return time.Duration(min(float64(t.Lag)*float64(since)/float64(lately.rate), float64(30*24*time.Hour)))
}

var statuses = []Status{StatusStuck, StatusFailing, StatusLagging, StatusDropping, StatusUnheard, StatusLeaving, StatusOK, StatusSilent}

// rank orders the statuses, the worst first.
func (s Status) rank() int { return slices.Index(statuses, s) }

// status of a signal: the worst of its own and its rows'.
func (t *signalTrack) status(j judgement) Status {
	worst := StatusOK
	switch refused, _ := t.refused(j); {
	case t.stuckLeaving():
		worst = StatusStuck
	case len(t.gone) > 0:
		worst = StatusFailing
	case refused > 0:
		worst = StatusDropping
	case t.Emissions > 0 && len(t.listeners) == 0:
		worst = StatusUnheard
	case t.Emissions == 0:
		worst = StatusSilent
	}
	for _, l := range t.rows {
		if l.Status.rank() < worst.rank() {
			worst = l.Status
		}
	}
	return worst
}

// refused returns how many emissions were refused within the window, and over
// how long that is. Those of Emit are known when they happen; those of TryEmit
// and Offer, of which the caller is told alone, from the counters.
func (t *signalTrack) refused(j judgement) (uint64, time.Duration) {
	told := j.recent[who{signal: t.Name}].failures
	if counted, since := t.lately(j.now, j.window); counted.refusals > told {
		return counted.refusals, since
	}
	return told, j.window
}

// diagnose lists what is the matter, the worst first.
func (s *state) diagnose(j judgement) []Finding {
	found := []Finding{}
	for _, t := range s.signals {
		found = append(found, t.diagnose(j)...)
		found = append(found, t.diagnoseLeaving()...)
		for _, l := range t.rows {
			if f, ok := l.diagnose(j.of(t.Name, l), t); ok {
				f.Signal, f.Listener, f.Name, f.Function, f.Site = t.Name, l.ID, l.Name(), l.Function, l.Site
				found = append(found, f)
			}
		}
	}
	for _, t := range s.stores {
		found = append(found, t.diagnose(j.now)...)
	}
	for _, t := range s.bridges {
		found = append(found, t.diagnose(j.now)...)
	}
	for _, c := range s.calls {
		if f := c.diagnose(s); len(c.refs) > 1 && len(f.Candidates) > 0 {
			found = append(found, f)
		}
	}
	order := map[Severity]int{SeverityError: 0, SeverityWarning: 1, SeverityInfo: 2}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(order[a.Severity], order[b.Severity]), cmp.Compare(a.Status.rank(), b.Status.rank()), cmp.Compare(b.Running, a.Running))
	})
	return found
}

// diagnose is about the signal itself.
func (t *signalTrack) diagnose(j judgement) (found []Finding) {
	add := func(kind string, severity Severity, status Status, count uint64, advice, format string, args ...any) {
		found = append(found, Finding{Kind: kind, Severity: severity, Status: status, Signal: t.Name, Site: t.Site, Count: count, Text: fmt.Sprintf(format, args...), Advice: advice})
	}
	gone := j.departed(t)
	switch {
	case len(gone) > 0:
		var sum uint64
		var names []string
		for k, d := range gone {
			if sum += d.failures; k < maxNamed {
				names = append(names, fmt.Sprintf("%s (%s)", cmp.Or(d.key, d.function), d.site))
			}
		}
		if n := len(gone) - len(names); n > 0 {
			names = append(names, plural(uint64(n), "other"))
		}
		severity := SeverityWarning
		if 2*t.Gone >= t.Deliveries {
			severity = SeverityError
		}
		add(FindingFailing, severity, StatusFailing, sum, adviceGone, "listeners of %q that are removed, or had Once, failed %s in %s: %s; the last one with: %s",
			t.Name, plural(sum, "time"), span(j.window), strings.Join(names, ", "), cut(gone[0].text, maxQuoted))
	case t.Gone > 0:
		add(FindingFailing, SeverityInfo, StatusOK, t.Gone, "", "listeners of %q that are removed, or had Once, failed %s since it was made, none of them in %s",
			t.Name, plural(t.Gone, "time"), span(j.window))
	}
	if n, since := t.refused(j); n > 0 {
		why, advice := t.whyRefused(j)
		add(FindingRefusals, SeverityWarning, StatusDropping, n, advice, "%q refused %s in %s: %s", t.Name, plural(n, "emission"), span(since), why)
	} else if t.Refusals > 0 {
		add(FindingRefusals, SeverityInfo, StatusOK, t.Refusals, "", "%q refused %s since it was made, none of them, as far as is known, in %s",
			t.Name, plural(t.Refusals, "emission"), span(j.window))
	}
	if t.OverCapacity > 0 {
		add(FindingOver, SeverityInfo, StatusOK, t.OverCapacity, adviceOver, "%q accepted %s above its Capacity, from inside listeners",
			t.Name, plural(t.OverCapacity, "emission"))
	}
	if t.Emissions > 0 && len(t.listeners) == 0 {
		severity := SeverityInfo
		if lately, _ := t.lately(j.now, j.window); lately.rate > 0 {
			severity = SeverityWarning
		}
		add(FindingUnheard, severity, StatusUnheard, t.Emissions, adviceUnheard, "%q was emitted %s, and nobody listens", t.Name, plural(t.Emissions, "time"))
	}
	if t.Emissions == 0 && len(t.listeners) > 0 {
		add(FindingSilent, SeverityInfo, StatusSilent, 0, adviceSilent, "%q has %s and was never emitted", t.Name, plural(uint64(len(t.listeners)), "listener"))
	}
	return found
}

// whyRefused says why, as far as is known, and what to do.
func (t *signalTrack) whyRefused(j judgement) (why, advice string) {
	told, ok := j.recent[who{signal: t.Name}]
	switch {
	case ok && told.reason == atCapacity:
		return "it was at its Capacity", adviceCapacity
	case ok && told.reason == isClosed:
		return "it is closed, or its bus is closing", adviceClosed
	case ok:
		return cut(told.text, maxQuoted), adviceRefused
	case t.Closed:
		return "it is closed", adviceClosed
	}
	return "why, their callers were told", adviceTold
}

// diagnose is about one row.
func (t *listenerTrack) diagnose(n lately, s *signalTrack) (Finding, bool) {
	counted, since := t.lately(n.now, n.window)
	who := fmt.Sprintf("%s of %q", t.Name(), s.Name)
	if t.Registrations > 1 {
		who = fmt.Sprintf("%s, registered %s, of %q", t.Name(), plural(uint64(t.Registrations), "time"), s.Name)
	}
	status := t.status(n)
	f := Finding{Status: status}
	switch status {
	case StatusStuck:
		text := fmt.Sprintf("%s is stuck: a call has been running for %s", who, seconds(t.Running))
		if s.Kind == string(signals.KindSync) || t.Registrations > 1 {
			text += others(t.InFlight)
		}
		if t.Lag > t.InFlight {
			text += fmt.Sprintf(", and %s for it", plural(uint64(t.Lag-t.InFlight), "emission waits", "emissions wait"))
		}
		f.Kind, f.Severity, f.Running, f.Count, f.Text, f.Advice = FindingStuck, SeverityError, t.Running, uint64(t.Lag), text, adviceStuck
		return f, true
	case StatusFailing:
		failures, over := n.failures, n.window
		if counted.failures > failures {
			failures, over = counted.failures, since
		}
		f.Kind, f.Severity, f.Count, f.Advice = FindingFailing, SeverityWarning, failures, adviceFailing
		if calls := counted.rate; calls > 0 && 2*counted.failures >= calls {
			f.Severity = SeverityError
		}
		f.Text = fmt.Sprintf("%s failed %s in %s", who, plural(failures, "time"), span(over))
		if counted.failures == failures && counted.rate > 0 {
			f.Text = fmt.Sprintf("%s failed in %d of %s in %s", who, failures, plural(max(counted.rate, failures), "call"), span(since))
		}
		if n.text != "" {
			f.Text += "; the last time with: " + cut(n.text, maxQuoted)
		}
		return f, true
	case StatusLagging:
		text := fmt.Sprintf("%s falls behind: %s", who, plural(uint64(t.Lag), "emission waits", "emissions wait"))
		if t.growing() {
			text += ", and more each second"
		}
		if d := t.behind(n.now); d > time.Second {
			text += fmt.Sprintf("; at its pace that takes %s", seconds(d.Seconds()))
		}
		f.Kind, f.Severity, f.Count, f.Text, f.Advice = FindingLag, SeverityWarning, uint64(t.Lag), text, adviceLag
		return f, true
	case StatusDropping:
		drops, over := n.drops, n.window
		if counted.drops > drops {
			drops, over = counted.drops, since
		}
		f.Kind, f.Severity, f.Count, f.Advice = FindingDrops, SeverityWarning, drops, adviceDrops
		f.Text = fmt.Sprintf("%s missed %s in %s, by its MaxLag", who, plural(drops, "emission"), span(over))
		return f, true
	case StatusSilent:
		if s.Emissions > 0 {
			why, advice := s.whyNeverCalled(t)
			f.Kind, f.Severity, f.Count, f.Advice = FindingSilent, SeverityInfo, s.Emissions, advice
			f.Text = fmt.Sprintf("%s was never called, though the signal was emitted %s: %s", who, plural(s.Emissions, "time"), why)
			return f, true
		}
		return f, false
	}
	return t.past(f, who, n)
}

// past are notes of what is over.
func (t *listenerTrack) past(f Finding, who string, n lately) (Finding, bool) {
	f.Severity = SeverityInfo
	switch {
	case t.Failures > 0:
		f.Kind, f.Count = FindingFailing, t.Failures
		f.Text = fmt.Sprintf("%s failed %s since it was registered, none of them in %s", who, plural(t.Failures, "time"), span(n.window))
	case t.Drops > 0:
		f.Kind, f.Count = FindingDrops, t.Drops
		f.Text = fmt.Sprintf("%s missed %s since it was registered, none of them in %s", who, plural(t.Drops, "emission"), span(n.window))
	default:
		return f, false
	}
	return f, true
}

// whyNeverCalled finds what keeps emissions from a row: on a sync signal, what
// is called before it and fails, or does not come back.
func (t *signalTrack) whyNeverCalled(l *listenerTrack) (why, advice string) {
	if t.Kind == string(signals.KindSync) {
		for _, before := range t.rows {
			if before == l {
				break
			}
			switch {
			case before.Status == StatusStuck:
				return before.Name() + ", which is called before it, is stuck", adviceBehindStuck
			case before.Failures > 0:
				return fmt.Sprintf("%s, which is called before it, failed %s, and TryEmit stops there", before.Name(), plural(before.Failures, "time")), adviceBehind
			case before.Vetoes > 0:
				return fmt.Sprintf("%s, which is called before it, said no %s, and TryEmit stops there", before.Name(), plural(before.Vetoes, "time")), adviceBehindVeto
			case before.Deliveries == 0 && before.Status == StatusSilent:
				return before.Name() + ", which is called before it, was not called either", adviceNever
			}
		}
		if t.Gone > 0 {
			return fmt.Sprintf("listeners that are gone failed %s, and TryEmit stops there", plural(t.Gone, "time")), adviceBehind
		}
	}
	return "its Filter passes nothing, or it came later", adviceNever
}

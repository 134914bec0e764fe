package inspector

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What to do about findings: each is a sentence that begins with what is done
// first.
const (
	adviceStuck       = "Look at its stack, which says where it waits, and give what it waits for a deadline; on an async signal, MaxLag bounds what piles up."
	adviceLeaving     = "Look at its stack: what waits for it, or closes the signal, waits as long. With Cancellable its context ends when it is removed."
	adviceCandidates  = "Look at the stack for the values that tell which; a function of its own for each registration makes it certain."
	adviceFailing     = "Look at its failures, with their stacks; what may fail for a while wants resilience.Retry, or a breaker."
	adviceGone        = "Look at the failures: these listeners are on no list any more, but what they do fails."
	adviceLag         = "Make it faster, let it run on several goroutines with Concurrency, or bound what waits with MaxLag or Capacity."
	adviceDrops       = "Make it faster, or raise its MaxLag, if it should not miss any."
	adviceCapacity    = "Raise its Capacity, make the slowest listener faster, or let emitters wait with Block."
	adviceClosed      = "Stop what emits before the signal is closed, or close the bus, which waits for what its own listeners emit."
	adviceRefused     = "Look at what refuses, a limit or a breaker around the signal, and at who emits so much."
	adviceTold        = "Look at what TryEmit and Offer return to those who emit."
	adviceOver        = "Nothing, if it is few; else break the cycle of listeners that emit on it."
	adviceUnheard     = "Register a listener, or remove the emission."
	adviceSilent      = "Emit it, or remove the signal, if that should have happened by now."
	adviceNever       = "Check its Filter, and when it is registered."
	adviceBehind      = "Mend the listener before it, or give this one a higher Priority."
	adviceBehindVeto  = "Nothing, if its vetoes are meant for this one too; else give this one a higher Priority."
	adviceBehindStuck = "Mend the listener before it: no emission gets past it."
)

const maxQuoted = 160 // bytes of an error in a finding

// others says how many calls besides the longest are stuck.
func others(calls int) string {
	if calls < 2 {
		return ""
	}
	return ", and " + plural(uint64(calls-1), "other call") + " too"
}

const (
	maxFindings   = 500
	maxCandidates = 16 // of a finding
	maxNamed      = 4  // of them in its text
)

// diagnose is the finding about calls of which the stacks do not tell which
// listener they are of.
func (c *stuckCalls) diagnose(s *state) Finding {
	f := Finding{Kind: FindingStuck, Severity: SeverityError, Status: StatusStuck, Function: c.function, Running: c.running.Seconds(), Advice: adviceCandidates}
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
	case d < 1500*time.Millisecond:
		return "the last second"
	case d == recent:
		return "the last minute"
	}
	return "the last " + seconds(d.Seconds())
}

// healthy reports whether nothing is wrong.
func healthy(found []Finding) bool {
	return !slices.ContainsFunc(found, func(f Finding) bool { return f.Severity != SeverityInfo })
}

// diagnosis returns the findings of the last sample, judged by what happened
// within a window.
func (i *Inspector) diagnosis(window time.Duration, stacks bool) Diagnosis {
	i.mu.RLock()
	s := &i.state
	found := slices.Clone(s.findings)
	if window != recent {
		now := i.now()
		found = s.diagnose(judgement{now: now, stuck: i.stuck, window: window, recent: i.recents.tallies(now, window)})
	}
	d := Diagnosis{Time: s.at, Window: window.Seconds(), Healthy: healthy(found), Findings: found, Vetoes: s.totals.Vetoes}
	i.mu.RUnlock()
	if d.Omitted = max(0, len(found)-maxFindings); d.Omitted > 0 {
		d.Findings = found[:maxFindings]
	}
	if stacks {
		for k := range d.Findings {
			if f := &d.Findings[k]; f.Kind == FindingStuck {
				f.Stacks = i.stacks.in(f.Function)
			}
		}
	}
	return d
}

package inspector

import (
	"cmp"
	"fmt"
	"slices"

	"example.com/signals"
)

// setLeaving takes over the removed listeners of which a call still runs, the
// longest first. They keep no past: what they have counted is in the figures of
// their signal.
func (t *signalTrack) setLeaving(ls []signals.ListenerStats) {
	t.leaving = make([]Listener, 0, len(ls))
	same := make(map[string]int)
	for k := range ls {
		l := &ls[k]
		id := "removed " + cmp.Or(l.Key, l.Listener+"@"+l.Site)
		if same[id]++; same[id] > 1 { // one key, removed and registered again
			id = fmt.Sprintf("%s#%d", id, same[id])
		}
		one := listenerTrack{durations: l.Durations, Listener: Listener{
			ID: id, Key: l.Key, Function: l.Listener, Site: l.Site, Priority: l.Priority, Registrations: 1, Status: StatusLeaving,
			Deliveries: l.Deliveries, Failures: l.Failures, Panics: l.Panics, Vetoes: l.Vetoes, Drops: l.Drops,
			Lag: l.Lag, InFlight: l.InFlight, Running: l.Running.Seconds(),
		}}
		one.timed()
		t.leaving = append(t.leaving, one.Listener)
	}
	slices.SortStableFunc(t.leaving, func(a, b Listener) int { return cmp.Compare(b.Running, a.Running) })
}

// judgeLeaving says which of them are stuck.
func (t *signalTrack) judgeLeaving(j judgement) {
	for k := range t.leaving {
		l := &t.leaving[k]
		if l.Status = StatusLeaving; l.Running >= j.stuck.Seconds() {
			l.Status = StatusStuck
		}
	}
}

// stuckLeaving reports whether a removed listener does not come back.
func (t *signalTrack) stuckLeaving() bool {
	return len(t.leaving) > 0 && t.leaving[0].Status == StatusStuck
}

// diagnoseLeaving finds the removed listeners that do not come back; those of
// one piece of code, such as connections, are one finding.
func (t *signalTrack) diagnoseLeaving() (found []Finding) {
	at := make(map[groupKey]int)
	calls := make(map[groupKey]int)
	for _, l := range t.leaving {
		k := groupKey{function: l.Function, site: l.Site}
		if l.Status != StatusStuck {
			continue
		}
		if calls[k] += l.InFlight; calls[k] == l.InFlight { // the first, which has run longest
			at[k] = len(found)
			found = append(found, Finding{
				Kind: FindingStuck, Severity: SeverityError, Status: StatusStuck, Signal: t.Name, Listener: l.ID, Name: l.Name(),
				Function: l.Function, Site: l.Site, Running: l.Running, Advice: adviceLeaving,
			})
		}
	}
	for k, n := range at {
		f := &found[n]
		f.Count = uint64(calls[k])
		f.Text = fmt.Sprintf("%s of %q is removed, but a call of it has been running for %s%s", f.Name, t.Name, seconds(f.Running), others(calls[k]))
	}
	return found
}

// leavingWithID returns the one with an id, or nil.
func (t *signalTrack) leavingWithID(id string) *Listener {
	if k := slices.IndexFunc(t.leaving, func(l Listener) bool { return l.ID == id }); k >= 0 {
		return &t.leaving[k]
	}
	return nil
}

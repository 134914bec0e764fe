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

// longestLeaving is how long the call of a removed listener may take before a
// note says so: most end at once.
const longestLeaving = 1.0 // seconds

// diagnoseLeaving finds the removed listeners that do not come back; those of
// one piece of code, such as connections, are one finding. While they may still
// come back it is a note.
func (t *signalTrack) diagnoseLeaving() (found []Finding) {
	type same struct {
		function, site string
		status         Status
	}
	at := make(map[same]int)
	for _, l := range t.leaving {
		k := same{l.Function, l.Site, l.Status}
		n, ok := at[k]
		if !ok { // it has run longest
			if l.Running < longestLeaving {
				continue
			}
			f := Finding{
				Kind: FindingLeaving, Severity: SeverityInfo, Status: l.Status, Signal: t.Name, Listener: l.ID, Name: l.Name(),
				Function: l.Function, Site: l.Site, Running: l.Running,
			}
			if l.Status == StatusStuck {
				f.Kind, f.Severity, f.Advice = FindingStuck, SeverityError, adviceLeaving
			}
			n = len(found)
			at[k], found = n, append(found, f)
		}
		found[n].Count += uint64(l.InFlight)
	}
	for n := range found {
		f := &found[n]
		f.Text = fmt.Sprintf("%s of %q is removed, but a call of it has been running for %s%s", f.Name, t.Name, seconds(f.Running), others(int(f.Count)))
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

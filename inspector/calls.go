package inspector

import (
	"hash/maphash"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/signals"
)

// Sync signals run their listeners in the goroutines of their emitters and
// count no calls under way. A call of theirs that is stuck is found in the
// stacks of all goroutines: blocked in a listener, and
//
//   - at two looks the same goroutine with the same stack, argument words and
//     reason to wait, while no call of the listener came back; or
//   - with minutes of waiting that the runtime itself knows of.
//
// That a call came back in between says that the second look may have found
// another call of the same goroutine: such stacks look alike.

const (
	askedPace   = dumpAge          // between looks for whoever asks for the diagnosis
	openPace    = 5 * time.Second  // between looks while a page is open
	openMost    = 1000             // goroutines; an open page alone does not stop a program that has more
	costShare   = 50               // looks take at most 1/50 of the time
	callsAge    = 15 * time.Second // how long what a look has found is shown
	maxSuspects = 10_000
)

// listenerRef names a listener of a sync signal.
type listenerRef struct{ signal, id string }

// stuckCalls are the calls of one function that are stuck.
type stuckCalls struct {
	function string
	calls    int
	running  time.Duration // of the longest, at least
	refs     []listenerRef // the listeners that they may be of
}

// callWatch keeps what the last look at the goroutines has found.
type callWatch struct {
	mu   sync.Mutex
	at   time.Time
	cost time.Duration
	seen map[string]suspect // by goroutine
}

// suspect is a goroutine that was blocked in a sync listener.
type suspect struct {
	function string
	stack    uint64    // hash
	since    time.Time // it has been so
	ended    uint64    // calls of the function that had come back before
}

// examine looks for stuck calls of sync listeners, unless that was done within
// pace or there are more goroutines than most.
func (i *Inspector) examine(pace time.Duration, most int) {
	w := &i.calls
	w.mu.Lock()
	defer w.mu.Unlock()
	now := i.now()
	pace = max(min(pace, i.stuck), costShare*w.cost)
	if !w.at.IsZero() && now.Sub(w.at) < pace || runtime.NumGoroutine() > most {
		return
	}
	// Calls that had come back are read before the stacks, those begun after.
	before := hearings(i.bus.Stats())
	var stacks []string
	if len(before) > 0 && i.stacks.emitting() {
		stacks = i.stacks.fresh()
	}
	after := before
	if len(stacks) > 0 {
		after = hearings(i.bus.Stats())
	}
	found := w.compare(now, i.stuck, stacks, before, after)
	w.at, w.cost = now, i.now().Sub(now)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.state.calls, i.state.callsAt = found, now
	i.judgeLocked()
}

// see takes a sample, and looks at the goroutines, for a page that is open.
func (i *Inspector) see() {
	i.examine(openPace, openMost)
	i.look(false)
}

// seeAll is see for who asks what is the matter.
func (i *Inspector) seeAll() {
	i.examine(askedPace, math.MaxInt)
	i.look(false)
}

// compare takes the next look and returns the calls that are stuck.
func (w *callWatch) compare(now time.Time, stuck time.Duration, stacks []string, before, after map[string]*hearing) []stuckCalls {
	seen := make(map[string]suspect)
	var found []stuckCalls
	at := make(map[string]int) // of a function in found
	for _, stack := range stacks {
		id, state, waited, frames := readHead(stack)
		if idle := state == "" || state == "running" || state == "runnable" || state == "preempted"; idle || len(seen) >= maxSuspects {
			continue
		}
		function := syncListener(frames, before)
		h := after[function]
		if h == nil {
			continue
		}
		s := suspect{function, maphash.String(seed, state+"\n"+frames), now, before[function].ended}
		if old, ok := w.seen[id]; ok && old.stack == s.stack && old.function == function && old.ended == h.ended {
			s = old
		}
		seen[id] = s
		running := max(now.Sub(s.since), waited)
		if running < stuck {
			continue
		}
		k, ok := at[function]
		if !ok {
			refs := h.mayRun(before[function])
			if len(refs) == 0 {
				continue // of a signal that is not on this bus
			}
			k = len(found)
			at[function] = k
			found = append(found, stuckCalls{function: function, refs: refs})
		}
		found[k].calls++
		found[k].running = max(found[k].running, running)
	}
	w.seen = seen
	return found
}

// hearing is what is known of a function that listens to sync signals.
type hearing struct {
	ended uint64 // calls that came back
	refs  []heard
}

type heard struct {
	listenerRef
	ended, emitted uint64
}

// hearings returns the functions that listen to sync signals.
func hearings(stats []signals.SignalStats) map[string]*hearing {
	all := make(map[string]*hearing)
	for k := range stats {
		s := &stats[k]
		if s.Kind != signals.KindSync {
			continue
		}
		ids := listenerIDs(s.Listeners)
		for n := range s.Listeners {
			l := &s.Listeners[n]
			h := all[l.Listener]
			if h == nil {
				h = new(hearing)
				all[l.Listener] = h
			}
			h.ended += l.Deliveries
			h.refs = append(h.refs, heard{listenerRef{s.Name, ids[n]}, l.Deliveries, s.Emissions})
		}
	}
	return all
}

// mayRun returns the listeners of which a call can have been under way between
// before and h: of the others as many calls had come back as were begun.
func (h *hearing) mayRun(before *hearing) (refs []listenerRef) {
	ended := make(map[listenerRef]uint64, len(before.refs))
	for _, p := range before.refs {
		ended[p.listenerRef] = p.ended
	}
	for _, p := range h.refs {
		if p.emitted > ended[p.listenerRef] {
			refs = append(refs, p.listenerRef)
		}
	}
	return refs
}

// readHead reads the first line of a stack, such as
//
//	goroutine 7 [chan receive, 3 minutes]:
func readHead(stack string) (id, state string, waited time.Duration, frames string) {
	head, frames, _ := strings.Cut(stack, "\n")
	id, rest, _ := strings.Cut(strings.TrimPrefix(head, "goroutine "), " ")
	_, rest, _ = strings.Cut(rest, "[")
	rest, _, _ = strings.Cut(rest, "]")
	state, rest, _ = strings.Cut(rest, ", ")
	for note := range strings.SplitSeq(rest, ", ") {
		if n, ok := strings.CutSuffix(note, " minutes"); ok {
			minutes, _ := strconv.Atoi(n)
			waited = time.Duration(minutes) * time.Minute
		}
	}
	return id, state, waited, frames
}

// syncListener returns the innermost of the known functions that a sync signal
// has called, or "".
func syncListener(frames string, known map[string]*hearing) string {
	above := ""            // the core's frames
	last, within := "", "" // known function; the same, inside a wrapper that passes on its name
	for line := range strings.SplitSeq(frames, "\n") {
		name := frameName(line)
		switch {
		case name == "":
		case !ofCore(name):
			if above = shortName(name); known[above] != nil {
				last = above
			}
		case strings.HasPrefix(name, core+".Identify["):
			within = last
		case !strings.HasPrefix(name, syncSignal):
		case known[above] != nil:
			return above
		case within != "":
			return within
		}
	}
	return ""
}

// syncSignal begins the names of the methods of sync signals.
var syncSignal = core + ".(*SyncSignal["

// frameName returns the function that a line of a stack names, if it does.
func frameName(line string) string {
	if line == "" || line[0] == '\t' || strings.HasPrefix(line, "created by ") {
		return ""
	}
	if i := strings.LastIndexByte(line, '('); i > 0 {
		line = line[:i]
	}
	return line
}

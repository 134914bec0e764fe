package signals

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// reader is one listener on one log. What each claim needs comes first.
type reader[T any] struct {
	state atomic.Uint64 // see log.go; with Concurrency only the lowest bit counts

	bare    bool        // read only, as is timing: the handler needs no more than a bare call
	batches bool        // read only: a claim may have many positions
	h       *handler[T] // read by workers with a claim; set to nil when removed and no claim is left
	timing  *histogram  // if durations are sampled
	conc    int         // read only: Concurrency
	next    uint64      // the cursor; under engine.mu, as are the next ten
	at      *chunk[T]   // where next is, or the chunk before if that is not there yet; nil before the first chunk
	claims  []claim[T]  // under way
	first   [1]claim[T] // where claims begins
	done    uint64      // everything before is finished
	before  *reader[T]  // neighbours in a list of its level
	after   *reader[T]  //
	lane    *lane[T]    //
	run     uint64      // calls that have come to an end
	quieted []chan struct{}

	e      *entry[T]  // read only, as are the next five
	g      *engine[T] //
	maxLag int        // MaxLag, or 0
	policy LagPolicy
	hidden bool          // a tap: not counted
	pull   chan struct{} // Events: wakes the consumer, which claims for itself; or nil

	// The rest is under engine.mu.
	attached bool
	called   bool // Events: woken for what it has not claimed yet
	place    int  // index in engine.readers
	dropped  uint64
	seen     uint64        // the oldest position under way when Stats last looked
	seenAt   time.Duration // when it first saw that one there
}

// begin begins the next call of the claim under way, unless it reports that
// the listener has been removed.
func (r *reader[T]) begin() bool { return r.state.Add(2)&1 == 0 }

func (r *reader[T]) gone() bool { return r.state.Load()&1 != 0 }

// underway returns the position of a claim that is under way, or about to be.
func (r *reader[T]) underway(cl *claim[T]) uint64 {
	if r.conc > 1 {
		return cl.from
	}
	if begun := r.state.Load() >> 1; begun > cl.from {
		return begun - 1
	}
	return cl.from
}

// attach puts a reader at the end of the log. On a closed one it does nothing.
func (g *engine[T]) attach(r *reader[T], priority int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		r.h = nil // never called
		return
	}
	r.attached = true
	if r.conc == 1 {
		r.claims = r.first[:0] // with more it would move elsewhere, and what is here be kept
	}
	r.bare, r.timing = !r.h.special(), r.e.timing
	r.batches = r.pull == nil && r.conc == 1 && r.maxLag == 0 && g.capacity == 0 && g.slowAfter == 0 && !r.h.once
	r.next, r.done = g.end, g.end
	if r.at = g.tail; r.at != nil {
		r.at.cursors++
	}
	r.place = len(g.readers)
	g.readers = append(g.readers, r)
	if r.maxLag > 0 {
		g.bounded = append(g.bounded, r)
	}
	g.join(r, priority)
	g.enlist(r)
}

// detach takes a reader off the log: no further call of it starts, and what is
// pending for it is dropped but for a call in flight. The caller, which holds
// baseSignal.mu or Bus.mu, must tell the observers what is returned later.
func (r *reader[T]) detach() (untold []dropNote) {
	g := r.g
	g.mu.Lock()
	defer func() { untold = g.unlockUntold() }()
	if !r.attached {
		return nil
	}
	r.attached = false
	begun := r.state.Or(1) >> 1
	g.unlist(r)
	g.answered(r)
	last := g.readers[len(g.readers)-1]
	g.readers[r.place], last.place = last, r.place
	g.readers[len(g.readers)-1] = nil
	g.readers = g.readers[:len(g.readers)-1]
	for i, b := range g.bounded {
		if b == r {
			g.bounded = append(g.bounded[:i], g.bounded[i+1:]...)
			break
		}
	}
	if r.conc == 1 && len(r.claims) == 1 { // see log.go
		cl := &r.claims[0]
		if begun < cl.to {
			g.drop(r, cl.c, begun, cl.to)
			cl.to = begun
		}
	}
	if len(r.claims) > 0 { // before anything is cleared: the call in flight needs its slot
		g.leaving = append(g.leaving, r)
	} else {
		r.h = nil
	}
	g.discard(r, g.end)
	if r.at != nil {
		r.at.cursors--
		r.at = nil
	}
	g.leave(r)
	g.advance(r)
	if r.pull != nil {
		wake(r.pull)
	}
	g.reclaim()
	g.admit()
	g.rest()
	return nil
}

// forget lets go of a removed reader whose last claim has ended.
func (g *engine[T]) forget(r *reader[T]) {
	for i, l := range g.leaving {
		if l == r {
			g.leaving = append(g.leaving[:i], g.leaving[i+1:]...)
			break
		}
	}
	r.h = nil
}

// under returns the position from which r has finished none: a claim that its
// cursor follows on counts, to the call under way.
func (r *reader[T]) under() uint64 {
	if r.follows() && len(r.claims) == 1 {
		return r.underway(&r.claims[0])
	}
	return r.next
}

// follows reports whether the cursor is always at the end of the claim, if
// there is one: nothing is dropped and no other claim made in between.
func (r *reader[T]) follows() bool { return r.conc == 1 && r.maxLag == 0 }

// unfinished counts the pending emissions: the union over the readers of what
// each has not finished. It must be called with g.mu held.
func (g *engine[T]) unfinished() int {
	for _, r := range g.bounded {
		g.trim(r)
	}
	if g.capacity > 0 {
		return g.pending
	}
	low := g.end
	for _, r := range g.readers {
		low = min(low, r.under())
	}
	below := map[uint64]struct{}{} // in flight below low, one by one
	for _, rs := range [2][]*reader[T]{g.readers, g.leaving} {
		for _, r := range rs {
			for i := range r.claims {
				if p := r.underway(&r.claims[i]); p < low {
					below[p] = struct{}{}
				}
			}
		}
	}
	return int(g.end-low) + len(below)
}

func (r *reader[T]) addStats(s *ListenerStats) {
	g := r.g
	g.mu.Lock()
	defer g.unlock()
	if r.maxLag > 0 && r.attached {
		g.trim(r)
	}
	s.Deliveries += r.run + r.progress()
	s.Drops += r.dropped
	s.InFlight += len(r.claims)
	s.Running = max(s.Running, r.running())
	if r.attached {
		s.Lag += int(g.end - r.under())
		if !r.follows() {
			s.Lag += len(r.claims)
		}
	}
}

// running returns how long the oldest call under way has run, as far as is
// known: since its claim began if it is the first one of that and the time was
// noted, else since Stats first saw it.
func (r *reader[T]) running() time.Duration {
	if len(r.claims) == 0 {
		return 0
	}
	cl := &r.claims[0]
	for i := range r.claims {
		if r.claims[i].from < cl.from {
			cl = &r.claims[i]
		}
	}
	at := r.underway(cl)
	now := monotonic()
	if r.seenAt == 0 || r.seen != at {
		r.seen, r.seenAt = at, now
	}
	if at == cl.from && cl.begun != 0 {
		return now - cl.begun
	}
	return now - r.seenAt
}

// progress is the number of calls that came to an end in a batch under way.
func (r *reader[T]) progress() uint64 {
	if !r.hidden && r.conc == 1 && len(r.claims) == 1 && r.h != nil && !r.h.special() {
		return r.underway(&r.claims[0]) - r.claims[0].from
	}
	return 0
}

// quiet waits until no call of the reader is in flight.
func (r *reader[T]) quiet(ctx context.Context) error {
	r.g.mu.Lock()
	if len(r.claims) == 0 {
		r.g.mu.Unlock()
		return nil
	}
	q := make(chan struct{})
	r.quieted = append(r.quieted, q)
	r.g.mu.Unlock()
	select {
	case <-q:
		return nil
	case <-ctx.Done():
		r.g.mu.Lock()
		if i := slices.Index(r.quieted, q); i >= 0 {
			r.quieted = slices.Delete(r.quieted, i, i+1)
		}
		r.g.mu.Unlock()
		return &opError{"wait for a listener of", r.g.st.info().Name, ctx.Err()}
	}
}

// busy reports whether a call of the reader is in flight.
func (r *reader[T]) busy() bool {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	return len(r.claims) > 0
}

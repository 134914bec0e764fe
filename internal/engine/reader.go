package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals/internal/inside"
	"example.com/signals/internal/listen"
	"example.com/signals/internal/tally"
)

// The bits of Reader.state; see the package comment.
const (
	gone       = 1
	look       = 2
	begunShift = 2
	begunOne   = 1 << begunShift
)

// Reader is one listener on one log. What each claim needs comes first.
type Reader struct {
	state atomic.Uint64 // see the package comment; with Concurrency only the lowest bits count

	bare    bool             // read only, as is timing: the handler needs no more than a bare call
	batches bool             // read only: a claim may have many positions, called one by one
	batch   *batch           // read only: it may, in one call; or nil
	h       *listen.Handler  // read by workers with a claim; set to nil when removed and no claim is left
	timing  *tally.Histogram // if durations are sampled
	conc    int              // read only: Concurrency
	next    uint64           // the cursor; under Engine.mu, as are the next ten
	at      *chunk           // where next is, or the chunk before if that is not there yet; nil before the first chunk
	claims  []claim          // under way
	first   [1]claim         // where claims begins
	done    uint64           // everything before is finished
	since   uint64           // the end of the log when it was attached: what comes before is replayed; read only then
	place   ring             // in a list of its lane
	lane    *lane
	run     uint64 // calls that have come to an end
	quieted []chan struct{}
	ended   []func()   // for when it is over
	turn    *sync.Cond // with Concurrency and a Filter: the call of a claim has started, or the claim ended

	l          listen.Listener // read only, as are the next six
	m          *listen.Member
	g          *Engine
	maxLag     int    // MaxLag, or 0
	keepLatest bool   // its policy
	hidden     bool   // a tap: not counted
	fromNow    bool   // nothing is replayed
	pull       Puller // Events and Chan: the consumer, which claims for itself; or nil

	// The rest is under Engine.mu.
	attached bool
	called   bool // with pull: woken for what it has not claimed yet
	index    int  // index in Engine.readers, or in Engine.leaving
	bound    int  // with MaxLag: index in Engine.bounded
	dropped  uint64
	seen     uint64        // the oldest position under way when Stats last looked
	seenAt   time.Duration // when it first saw that one there
}

// ReaderConfig is what a reader is made with.
type ReaderConfig struct {
	Member      *listen.Member
	Handler     *listen.Handler
	Priority    int
	Concurrency int // at least 1
	MaxLag      int // or 0
	KeepLatest  bool
	Hidden      bool   // a tap: not counted
	FromNow     bool   // what the engine retains is not for it
	Pull        Puller // or nil
	MaxBatch    int    // of a listener of batches; 0: a chunk
}

// NewReader makes a reader that is not attached yet.
func (g *Engine) NewReader(c ReaderConfig) *Reader {
	r := &Reader{
		l: c.Member.Of, m: c.Member, h: c.Handler, g: g,
		conc: max(c.Concurrency, 1), maxLag: c.MaxLag, keepLatest: c.KeepLatest, hidden: c.Hidden, fromNow: c.FromNow, pull: c.Pull,
	}
	if c.Handler.Batch != nil {
		r.batch = &batch{max: uint64(c.MaxBatch)}
		if c.MaxBatch == 0 {
			r.batch.max = maxSlots
		}
	}
	return r
}

// begin begins the next call of the claim under way, unless it reports that
// its worker must look.
func (r *Reader) begin() bool { return r.state.Add(begunOne)&(gone|look) == 0 }

func (r *Reader) gone() bool { return r.state.Load()&gone != 0 }

// underway returns the position of a claim that is under way, or about to be.
func (r *Reader) underway(cl *claim) uint64 {
	if r.conc > 1 || r.batch != nil {
		return cl.from
	}
	if begun := r.state.Load() >> begunShift; begun > cl.from {
		return begun - 1
	}
	return cl.from
}

// Attach puts a reader at the end of the log, or where it begins to be retained,
// and reports that. On a closed one it does nothing. tell is as of Detach.
func (r *Reader) Attach(priority int) (attached bool, tell Tell) {
	g := r.g
	g.mu.Lock()
	defer func() { tell = g.unlockUntold() }()
	if g.closed {
		if r.h = nil; r.pull != nil { // never called
			r.pull.wake()
		}
		return false, nil
	}
	r.attached = true
	if r.conc == 1 {
		r.claims = r.first[:0] // with more it would move elsewhere, and what is here be kept
	}
	r.bare, r.timing = !r.h.Special(), r.m.Timing
	r.batches = r.pull == nil && r.batch == nil && r.conc == 1 && r.maxLag == 0 && g.capacity == 0 && g.slowAfter == 0 && !r.h.Once
	if r.conc > 1 && len(r.h.Filters) > 0 {
		r.turn = sync.NewCond(&g.mu)
	}
	r.next, r.since, r.at = g.end, g.end, g.tail
	if !r.fromNow && !r.hidden {
		g.rewind(r)
	}
	r.done = r.next
	if r.at != nil {
		r.at.cursors++
	}
	r.index = len(g.readers)
	g.readers = append(g.readers, r)
	if r.maxLag > 0 {
		r.bound = len(g.bounded)
		g.bounded = append(g.bounded, r)
	}
	g.join(r, priority)
	if r.maxLag > 0 {
		g.trim(r)
	}
	g.enlist(r)
	return true, nil
}

// Detach takes a reader off the log: no further call of it starts, and what is
// pending for it is dropped but for a call in flight. A caller that holds a lock
// must call what is returned, if anything, when it has released that.
func (r *Reader) Detach() (tell Tell) {
	g := r.g
	g.mu.Lock()
	defer func() { tell = g.unlockUntold() }()
	if !r.attached {
		return nil
	}
	r.attached = false
	begun := r.state.Or(gone) >> begunShift
	if r.turn != nil {
		r.turn.Broadcast()
	}
	g.unlist(r)
	g.answered(r)
	cutOut(&g.readers, r.index, func(o *Reader) *int { return &o.index })
	if r.maxLag > 0 {
		cutOut(&g.bounded, r.bound, func(o *Reader) *int { return &o.bound })
	}
	if r.conc == 1 && len(r.claims) == 1 { // see the package comment
		cl := &r.claims[0]
		if begun < cl.to {
			g.drop(r, cl.c, begun, cl.to)
			cl.to = begun
		}
	}
	if len(r.claims) > 0 { // before anything is cleared: the call in flight needs its slot
		r.index = len(g.leaving)
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
	g.ending(r)
	if r.pull != nil {
		r.pull.wake()
	}
	g.reclaim()
	g.admit()
	g.rest()
	return nil
}

// forget lets go of a removed reader whose last claim has ended.
func (g *Engine) forget(r *Reader) {
	cutOut(&g.leaving, r.index, func(o *Reader) *int { return &o.index })
	r.h = nil
}

// cutOut removes the reader at i from a list without order, where each knows
// its place.
func cutOut(list *[]*Reader, i int, place func(*Reader) *int) {
	l := *list
	end := len(l) - 1
	l[i] = l[end]
	*place(l[i]) = i
	l[end] = nil
	*list = l[:end]
}

// under returns the position from which r has finished none: a claim that its
// cursor follows on counts, to the call under way.
func (r *Reader) under() uint64 {
	if r.follows() && len(r.claims) == 1 {
		return r.underway(&r.claims[0])
	}
	return r.next
}

// follows reports whether the cursor is always at the end of the claim, if
// there is one: nothing is dropped and no other claim made in between.
func (r *Reader) follows() bool { return r.conc == 1 && r.maxLag == 0 }

// unfinished counts the pending emissions: the union over the readers of what
// each has not finished. It must be called with g.mu held.
func (g *Engine) unfinished() int {
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
	for _, rs := range [2][]*Reader{g.readers, g.leaving} {
		for _, r := range rs {
			for i := range r.claims {
				p, to := r.underway(&r.claims[i]), uint64(0)
				if r.batch != nil {
					to = r.claims[i].to
				}
				for to = max(to, p+1); p < min(to, low); p++ {
					below[p] = struct{}{}
				}
			}
		}
	}
	return int(g.end-low) + len(below)
}

// ReaderStats is what is known of a reader.
type ReaderStats struct {
	Deliveries uint64
	Drops      uint64
	Lag        int
	InFlight   int
	Running    time.Duration
}

// Stats returns what is known of the reader.
func (r *Reader) Stats() (s ReaderStats) {
	g := r.g
	g.mu.Lock()
	defer g.unlock()
	if r.maxLag > 0 && r.attached {
		g.trim(r)
	}
	s.Deliveries = r.run + r.progress()
	s.Drops = r.dropped
	s.InFlight = len(r.claims)
	s.Running = r.running()
	s.Lag = r.lag()
	return s
}

// lag is the number of emissions pending for the reader. A reader with MaxLag
// must have been trimmed.
func (r *Reader) lag() int {
	switch {
	case !r.attached:
		return 0
	case r.follows():
		return int(r.g.end - r.under())
	}
	n := int(r.g.end-r.next) + len(r.claims)
	if r.batch != nil && len(r.claims) == 1 {
		n += int(r.claims[0].to-r.claims[0].from) - 1
	}
	return n
}

// running returns how long the oldest call under way has run, as far as is
// known: since its claim began if it is the first one of that and the time was
// noted, else since Stats first saw it.
func (r *Reader) running() time.Duration {
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
	now := tally.Clock()
	if r.seenAt == 0 || r.seen != at {
		r.seen, r.seenAt = at, now
	}
	if at == cl.from && cl.begun != 0 {
		return now - cl.begun
	}
	return now - r.seenAt
}

// progress is the number of calls that came to an end in a batch under way.
func (r *Reader) progress() uint64 {
	if !r.hidden && r.conc == 1 && len(r.claims) == 1 && r.h != nil && !r.h.Special() {
		return r.underway(&r.claims[0]) - r.claims[0].from
	}
	return 0
}

// Quiet waits until no call of the reader is in flight.
func (r *Reader) Quiet(ctx context.Context) error {
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
		return r.g.opError("wait for a listener of", fmt.Errorf("%w%s", ctx.Err(), r.busyFor()))
	}
}

// AfterEnd calls f once the reader is over: when it has been detached, or the
// engine has been closed and it has nothing left, and no call is in flight. That
// may be at once.
func (r *Reader) AfterEnd(f func()) {
	g := r.g
	g.mu.Lock()
	defer g.unlock()
	r.ended = append(r.ended, f)
	g.ending(r)
}

// ending tells those who want to know if the reader is over.
func (g *Engine) ending(r *Reader) {
	if r.ended != nil && len(r.claims) == 0 && (!r.attached || g.closed && r.next == g.end) {
		g.notes.then = append(g.notes.then, r.ended...)
		r.ended = nil
	}
}

// busyFor says how long a call of the reader has been in flight, as the end of an
// error's text.
func (r *Reader) busyFor() string {
	r.g.mu.Lock()
	ran := r.running()
	r.g.mu.Unlock()
	return fmt.Sprintf("; in the way: %s, in a call for %v", r.l.Who(), ran.Round(time.Millisecond))
}

// Inside calls fn as from a worker: also on a goroutine that is none, what waits in it
// knows that it is inside a listener.
func (r *Reader) Inside(fn func()) { inside.Mark(r.g.id, fn) }

// Gone reports whether the reader has been detached.
func (r *Reader) Gone() bool { return r.gone() }

// Busy reports whether a call of the reader is in flight.
func (r *Reader) Busy() bool {
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	return len(r.claims) > 0
}

package signals

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// The broadcast log. An async signal (each shard of a sharded one) appends
// every accepted emission once, whatever the number of listeners, to a list of
// chunks. Positions count emissions from 0. Each listener has a reader with a
// cursor, the next position that nobody has claimed for it. A worker claims
// the positions from the cursor to the end of the chunk, or as many as there
// are, under the mutex, runs the listener over them without it, and finishes
// the claim under it.
//
//	          head                                  tail
//	           |                                      |
//	chunks   [ 0 ............ 63 ] -> [ 64 ....... 127 ] -> [ 128 .. 140 |     ]
//	               ^     ^                                               ^
//	       reader A: claimed 17..63, is at 40        readers B, C: next = end
//
// A chunk counts the cursors and the claims in it. The head leaves the log when
// no cursor is left in it, and goes back to the pool when no claim is: a call
// that is stuck holds its own payload, and not what came after it. So the log
// holds what is unfinished and at most one chunk of what is finished; when all
// readers are idle, the finished payloads of the tail are cleared too.
//
// All of it is under engine.mu but for one word of a reader, state: twice the
// number of positions that have been begun, plus one if the listener has been
// removed. A worker adds two before each call, and whoever removes the listener
// sets the lowest bit. Both are one atomic operation on one word, so they come
// one after the other: either the worker sees the bit and does not make the
// call, or the remover sees the call in the number, drops what is behind it,
// and leaves that one to the worker.

// A chunk takes about chunkBytes, or four times as much while the log is longer
// than that: workers that have a lot to catch up with then claim more at a time,
// and meet less often at the mutex. Where emissions are large, it makes no
// difference to them.
const (
	chunkBytes = 4 << 10
	minSlots   = 8
	manySlots  = 32
	maxSlots   = 256
)

// slots returns how many emissions go into a chunk.
func (g *engine[T]) slots(big bool) int {
	n := min(max(chunkBytes/int(unsafe.Sizeof(slot[T]{})), minSlots), maxSlots)
	if big && n >= manySlots {
		n = min(4*n, maxSlots)
	}
	return n
}

// slot is one emission in the log: written under engine.mu before the end
// passes it, then read by workers with a claim on it.
type slot[T any] struct {
	ctx     context.Context
	payload T
	wait    *waiter // EmitWait, or nil
	left    int     // with Capacity: listeners that have not finished it; under engine.mu
}

// chunk is a piece of the log.
type chunk[T any] struct {
	base    uint64    // position of slots[0]
	next    *chunk[T] // under engine.mu, as are the next three
	cursors int       // in it
	claims  int       // in it
	off     bool      // it has left the log, with claims in it
	slots   []slot[T]
}

// reader is one listener on one log. What each claim needs comes first.
type reader[T any] struct {
	state atomic.Uint64 // see above; with Concurrency only the lowest bit counts

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

// claim is a run of positions that one worker works off.
type claim[T any] struct {
	c        *chunk[T]
	from, to uint64
	begun    time.Duration // SlowAfter, or an observer that is told: when it began
	said     bool          // SlowAfter: it has been warned of
}

// barrier is a Drain that waits until every reader has passed pos.
type barrier struct {
	pos  uint64
	left int // readers that have not; under engine.mu
	done chan struct{}
}

// waiter is an EmitWait.
type waiter struct {
	left int     // listeners that have not finished; under engine.mu
	errs []error // under engine.mu until done is closed
	done chan struct{}
}

// finish notes that one listener is through. It must be called with engine.mu
// held.
func (w *waiter) finish(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// accept is append with all that comes before and after, for an emission that
// needs nothing else: no observer, no bound, no waiter, no new chunk, a context
// that cannot end. It reports whether it was one. This is all that Emit costs,
// whatever the number of listeners.
func (g *engine[T]) accept(ctx context.Context, payload T) bool {
	if g.st.watches() || ctx.Done() != nil {
		return false
	}
	g.lock()
	c := g.tail
	if g.gated || g.waits > 0 || c == nil || g.end-c.base == uint64(len(c.slots)) || len(g.readers) == 0 {
		g.mu.Unlock()
		return false
	}
	sl := &c.slots[g.end-c.base]
	sl.ctx, sl.payload = ctx, payload
	g.end++
	if g.idle > 0 {
		g.wakeAll()
	}
	start := g.ready > 0 && g.spare == 0 && g.another()
	g.mu.Unlock()
	if start {
		go g.start()
	}
	return true
}

// append adds an emission to the log. It must be called with g.mu held.
func (g *engine[T]) append(ctx context.Context, payload T, w *waiter) {
	if len(g.readers) == 0 { // accepted, not stored
		g.end++
		if w != nil {
			close(w.done)
		}
		return
	}
	c := g.tail
	if c == nil || g.end-c.base == uint64(len(c.slots)) {
		c = g.extend()
	}
	sl := &c.slots[g.end-c.base]
	sl.ctx, sl.payload = ctx, payload
	g.end++
	if g.capacity > 0 || w != nil || g.waits > 0 {
		g.account(sl, w)
	}
	if g.idle > 0 {
		g.wakeAll()
	}
}

// account does for one emission what only Capacity and EmitWait need.
func (g *engine[T]) account(sl *slot[T], w *waiter) {
	sl.left = len(g.readers)
	g.pending++
	if w != nil {
		sl.wait, w.left = w, len(g.readers)
		g.waits++
	}
	for _, r := range g.bounded { // what MaxLag drops must not be waited for
		g.trim(r)
	}
}

// extend puts a chunk behind the tail.
func (g *engine[T]) extend() *chunk[T] {
	n := g.slots(false)
	if g.head != nil && g.end-g.head.base > uint64(4*n) {
		n = g.slots(true)
	}
	c, _ := g.poolOf(n).Get().(*chunk[T])
	if c == nil {
		c = &chunk[T]{slots: make([]slot[T], n)}
	}
	c.base = g.end
	if g.tail == nil {
		g.head = c
		g.clean = g.end
		for _, r := range g.readers { // they wait for the first chunk
			r.at = c
			c.cursors++
		}
	} else {
		g.tail.next = c
	}
	g.tail = c
	for _, r := range g.bounded { // so that a stuck one holds no more than its lag and a chunk
		g.trim(r)
	}
	g.reclaim()
	if len(g.bounded) > 0 && g.head != c {
		low := g.end
		for _, r := range g.readers {
			low = min(low, r.next)
		}
		g.strip(g.head, low)
	}
	return c
}

// follow moves the cursor's chunk to where the cursor is, as far as there are
// chunks.
func (g *engine[T]) follow(r *reader[T]) {
	if r.at == nil {
		return
	}
	left := false
	for r.next-r.at.base >= uint64(len(r.at.slots)) && r.at.next != nil {
		r.at.cursors--
		r.at = r.at.next
		r.at.cursors++
		left = true
	}
	if left { // now, since the call that is to come may not end
		g.reclaim()
	}
}

// reclaim takes the chunks off the head that no cursor is in.
func (g *engine[T]) reclaim() {
	for g.head != nil && g.head.cursors == 0 && (g.head != g.tail || len(g.readers) == 0) {
		c := g.head
		g.head = c.next
		c.next = nil
		if g.head == nil {
			g.tail = nil
		} else {
			g.clean = max(g.clean, g.head.base)
		}
		if c.claims == 0 {
			g.recycle(c)
		} else {
			c.off = true
			g.strip(c, c.base+uint64(len(c.slots)))
		}
	}
}

// recycle puts a chunk that nobody needs into the pool.
func (g *engine[T]) recycle(c *chunk[T]) {
	clear(c.slots)
	c.off = false
	g.poolOf(len(c.slots)).Put(c)
}

// poolOf returns the pool of the chunks with n slots.
func (g *engine[T]) poolOf(n int) *sync.Pool {
	if n == g.slots(false) {
		return &g.pool
	}
	return &g.bigPool
}

// strip clears what no cursor will come to in a chunk, the positions before
// low, but for what is claimed.
func (g *engine[T]) strip(c *chunk[T], low uint64) {
	var claimed [maxSlots]bool
	for _, rs := range [2][]*reader[T]{g.readers, g.leaving} {
		for _, r := range rs {
			for i := range r.claims {
				if cl := &r.claims[i]; cl.c == c {
					for p := cl.from; p < cl.to; p++ {
						claimed[p-c.base] = true
					}
				}
			}
		}
	}
	for i := range c.slots {
		if c.base+uint64(i) < low && !claimed[i] {
			c.slots[i] = slot[T]{}
		}
	}
}

// rest clears the finished payloads when nothing is unfinished.
func (g *engine[T]) rest() {
	if g.ready > 0 || g.called > 0 || g.claims > 0 {
		return
	}
	if c := g.tail; c != nil && g.clean < g.end {
		clear(c.slots[g.clean-c.base : g.end-c.base])
		g.clean = g.end
	}
	if g.timer != nil {
		g.timer.Stop()
		g.armed = false
	}
}

// claim puts the next positions of r, which has some, into cl. Those whose end must be
// known exactly take one at a time; a batch ends before every barrier, so that
// Drain never waits for what came after it, and an emission of EmitWait is a
// claim of its own.
func (g *engine[T]) claim(r *reader[T], cl *claim[T]) {
	if r.maxLag > 0 {
		g.trim(r)
	}
	g.follow(r)
	*cl = claim[T]{c: r.at, from: r.next, to: r.next + 1}
	if r.batches {
		cl.to = min(g.end, r.at.base+uint64(len(r.at.slots)))
		for _, b := range g.barriers {
			if b.pos > cl.from {
				cl.to = min(cl.to, b.pos)
				break
			}
		}
		for p := cl.from; g.waits > 0 && p < cl.to; p++ {
			if r.at.slots[p-r.at.base].wait != nil {
				cl.to = max(p, cl.from+1)
			}
		}
	}
	if g.slowAfter > 0 || len(g.st.hooks(telling)) > 0 {
		cl.begun = monotonic()
	}
	if g.slowAfter > 0 {
		g.arm()
	}
	r.next = cl.to
	cl.c.claims++
	g.claims++
	r.claims = append(r.claims, *cl)
	r.state.Store(cl.from << 1)
}

// finish ends a claim. Positions before at have been run, with that many
// calls; those from at on have not, because the listener was removed. outcome
// is for an EmitWait, whose emission is always a claim of its own: it is told
// here, so that when it returns nothing of the emission is left to be done.
func (g *engine[T]) finish(r *reader[T], from, at, calls uint64, outcome error) {
	i := r.claimed(from)
	cl := r.claims[i]
	r.claims[i] = r.claims[len(r.claims)-1]
	r.claims[len(r.claims)-1] = claim[T]{}
	r.claims = r.claims[:len(r.claims)-1]
	g.claims--
	r.run += calls
	if !r.hidden {
		g.run += calls
	}
	if at > from && g.waits > 0 {
		if sl := &cl.c.slots[from-cl.c.base]; sl.wait != nil {
			g.answer(sl, outcome)
		}
	}
	if g.capacity > 0 {
		for p := cl.from; p < min(at, cl.to); p++ {
			g.release(&cl.c.slots[p-cl.c.base])
		}
	}
	if at < cl.to {
		g.drop(r, cl.c, at, cl.to)
	}
	if cl.c.claims--; cl.c.claims == 0 && cl.c.off {
		g.recycle(cl.c)
	}
	g.advance(r)
	if r.gone() {
		if len(r.claims) == 0 {
			g.forget(r)
		}
	} else if r.pull != nil {
		g.call(r) // its loop comes by itself, no worker has to wake it
	} else {
		g.enlist(r)
	}
	if len(r.claims) == 0 {
		for _, q := range r.quieted {
			close(q)
		}
		r.quieted = nil
	}
	g.reclaim()
	g.admit()
	g.rest()
}

// claimed returns the index of the claim that begins at from.
func (r *reader[T]) claimed(from uint64) int {
	for i := range r.claims {
		if r.claims[i].from == from {
			return i
		}
	}
	panic("signals: a claim is finished twice") // never: each worker finishes its own, once
}

// advance moves r.done up and tells the barriers that it passes.
func (g *engine[T]) advance(r *reader[T]) {
	done := r.next
	if r.gone() {
		done = ^uint64(0)
	}
	for i := range r.claims {
		done = min(done, r.claims[i].from)
	}
	old := r.done
	r.done = done
	for i := 0; i < len(g.barriers); i++ {
		b := g.barriers[i]
		if old < b.pos && b.pos <= done {
			if b.left--; b.left == 0 {
				close(b.done)
				g.barriers = append(g.barriers[:i], g.barriers[i+1:]...)
				i--
			}
		}
	}
}

// drop gives up positions [from, to) of r, which lie in c and the chunks that
// follow: they will not be delivered to it.
func (g *engine[T]) drop(r *reader[T], c *chunk[T], from, to uint64) {
	if from >= to {
		return
	}
	if g.capacity > 0 || g.waits > 0 {
		for p := from; p < to; p++ {
			for p-c.base >= uint64(len(c.slots)) {
				c = c.next
			}
			sl := &c.slots[p-c.base]
			if sl.wait != nil {
				g.answer(sl, r.e.dropError())
			}
			if g.capacity > 0 {
				g.release(sl)
			}
		}
	}
	n := to - from
	if r.hidden {
		return
	}
	r.dropped += n
	g.dropped += n
	if len(g.st.hooks(telling)) > 0 {
		g.notes = append(g.notes, dropNote{r.e.info(), int(n)})
	}
}

// answer tells an EmitWait that one listener is through.
func (g *engine[T]) answer(sl *slot[T], err error) {
	sl.wait.finish(err)
	if sl.wait.left == 0 {
		g.waits--
	}
}

// discard drops what r has not claimed before position to.
func (g *engine[T]) discard(r *reader[T], to uint64) {
	if r.next < to {
		g.drop(r, r.at, r.next, to)
		r.next = to
		g.follow(r)
		g.advance(r)
	}
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
	r.claims = r.first[:0]
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
	if r.conc == 1 && len(r.claims) == 1 { // see the top of this file
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

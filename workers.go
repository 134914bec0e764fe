package signals

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// engine is one log with the workers that run listeners over it: the whole of
// an AsyncSignal, or one shard of a ShardedSignal.
//
// A reader that has caught up is idle, one that has something to claim is
// ready. All idle readers have their cursor at the end of the log, so an
// append makes them all ready by moving one linked list behind another, at the
// same cost for one and for a thousand. A worker takes the first ready reader,
// claims, runs, finishes, and takes the next; without a ready reader it ends.
// There are no idle goroutines.
//
// No timer watches for listeners that block. Instead, a worker that is about
// to enter a listener while others are ready first makes sure that a spare
// worker has been started and not yet begun: if the call blocks, the spare
// takes the next reader at once, and starts another spare. While calls are
// short the spare waits for a processor, and there are few more workers than
// processors.
type engine[T any] struct {
	sig       *baseSignal[T] // read only, as are all fields to the blank line
	st        *settings
	capacity  int
	slowAfter time.Duration
	budget    *budget[T] // MaxWorkers, or nil
	procs     int        // processors

	news atomic.Bool // tells the worker that lingers of work

	mu       sync.Mutex // over everything below; never held while user code runs
	gated    bool       // an emission must look at closed, guarded and capacity
	closed   bool
	guarded  bool         // the bus is closing: only its own listeners may emit
	end      uint64       // position of the next emission
	head     *chunk[T]    // oldest chunk that is needed
	tail     *chunk[T]    // chunk that is written
	clean    uint64       // positions before hold no payload
	pool     sync.Pool    // chunks
	bigPool  sync.Pool    // big ones
	readers  []*reader[T] // of the listeners
	leaving  []*reader[T] // of removed listeners with a call in flight
	bounded  []*reader[T] // those of readers with MaxLag
	barriers []*barrier   // Drain, by position
	waits    int          // EmitWaits under way
	lanes    []*lane[T]   // by priority, highest first
	loops    lane[T]      // of the Events loops
	idle     int          // readers in idle lists
	ready    int          // readers in ready lists
	called   int          // Events loops that are to come and look
	claims   int          // under way
	resting  *worker[T]   // without a goroutine, at most procs, for when one is needed
	rested   int          // how many
	workers  int          // goroutines
	spare    int          // of those, the ones that have not begun, or linger
	lingers  bool         // one does, and looks at news
	queue    queue[T]     // emissions that wait for room
	pending  int          // with Capacity: emissions accepted and not finished
	notes    []dropNote   // for observers, told after unlocking
	timer    *time.Timer  // SlowAfter
	armed    bool         // timer runs
	run      uint64       // calls that have come to an end
	dropped  uint64       // deliveries
	refused  uint64       // emissions
	over     uint64       // emissions admitted above Capacity
}

// dropNote is what an Observer's Drop will be told.
type dropNote struct {
	l *ListenerInfo
	n int
}

// unlock releases g.mu, and then does what must not be done under it: start a
// worker if there is work that none will look for, and tell observers of drops.
func (g *engine[T]) unlock() {
	if notes := g.unlockUntold(); notes != nil {
		g.st.tell(notes)
	}
}

// unlockUntold is unlock for a caller that holds another mutex too: it must
// tell the observers what is returned when it has released that.
func (g *engine[T]) unlockUntold() []dropNote {
	w := g.needed()
	notes := g.notes
	g.notes = nil
	g.mu.Unlock()
	if w != nil {
		go w.start()
	}
	return notes
}

// tell tells the observers of drops.
func (st *settings) tell(notes []dropNote) {
	hk := st.hooks(telling)
	for _, n := range notes {
		hk.drop(st, n.l, n.n)
	}
}

// needed returns one more worker, which must be started, if there is work that
// none will look for and MaxWorkers lets it.
func (g *engine[T]) needed() *worker[T] {
	if g.ready == 0 || g.spare > 0 {
		return nil
	}
	if g.budget != nil && !g.budget.take(g) {
		g.callLoops()
		return nil
	}
	return g.hire()
}

// hire returns a worker that rested, or a new one.
func (g *engine[T]) hire() *worker[T] {
	g.workers++
	g.spare++
	w := g.resting
	if w == nil {
		w = new(worker[T])
		work, id := w.work, g.st.id
		w.start = func() { markTop(id, work) }
	} else {
		g.resting, w.behind = w.behind, nil
		g.rested--
	}
	w.g = g
	return w
}

// dismiss keeps a worker whose goroutine ends for the next one.
func (g *engine[T]) dismiss(w *worker[T]) {
	if g.rested < g.procs {
		*w = worker[T]{start: w.start, behind: g.resting} // it keeps nothing alive
		g.resting = w
		g.rested++
	}
}

// worker is a goroutine's work on one engine at a time. It is not on the stack
// of that goroutine, which so is small enough not to grow, and it outlives it.
type worker[T any] struct {
	start  func()     // the goroutine's body, made once so that starting it allocates nothing
	behind *worker[T] // in engine.resting

	g     *engine[T] // the rest belongs to the goroutine
	r     *reader[T] // whose claim is run, or nil
	cl    claim[T]
	at    uint64 // position under way
	calls uint64 // of this claim that have come to an end
	err   error  // a failure, while its handler runs, and then for the EmitWait

	running bool  // in run
	gone    bool  // the listener has been removed before position at
	failure error // of position at
}

// work is the life of a worker.
func (w *worker[T]) work() {
	defer func() {
		if v := recover(); v != nil {
			panic(v) // a defect of this package, not a listener's panic: do not hide it
		}
		if w != nil {
			w.rescue()
		}
	}()
	w.g.mu.Lock()
	w.g.spare--
	for w.serve() {
	}
	w = nil // it has been dismissed
}

// serve runs what is ready on w.g, whose mutex is held, until nothing is or
// another shard is owed the worker. It reports whether the worker goes on
// there; else it has been dismissed.
func (w *worker[T]) serve() bool {
	g := w.g
	for r := g.next(); r != nil; r = g.next() {
		g.claim(r, &w.cl)
		w.r, w.at, w.calls, w.err = r, w.cl.from, 0, nil
		if r.conc > 1 {
			g.enlist(r) // for other workers
		}
		g.unlock()
		w.drain()
		g.lock()
		g.finish(r, w.cl.from, w.at, w.calls, w.err)
		w.r = nil
		if g.budget != nil && g.budget.owed(g) {
			break
		}
	}
	g.workers--
	var next *engine[T]
	if g.budget != nil {
		next = g.budget.pass(g)
	}
	if next == nil {
		g.dismiss(w)
		g.unlock()
		return false
	}
	w.g = next
	g.unlock()
	next.mu.Lock()
	next.workers++
	return true
}

// next returns the first ready reader. Without one it lingers, as a spare
// worker, for about as long as it takes to start a goroutine: if emissions
// come thick and fast, it is cheaper to find the next one than to be started
// for it. It is called with g.mu held and holds it when it returns.
func (g *engine[T]) next() *reader[T] {
	r := g.take()
	if r != nil || g.spare > 0 || g.procs == 1 {
		return r
	}
	g.spare++
	g.lingers = true
	g.news.Store(false)
	g.unlock()
	for range lingering {
		pause()
		if g.news.Load() {
			break
		}
	}
	g.lock()
	g.lingers = false
	g.spare--
	return g.take()
}

// lingering is how often a worker without work looks for some.
const lingering = 32

// pause lets some nanoseconds pass, so that whoever is looked at is not
// disturbed.
func pause() {
	for range 32 {
	}
}

// lock locks g.mu for a worker, which can wait, and disturbs those least that
// hold it if it does so for long.
func (g *engine[T]) lock() {
	if !g.mu.TryLock() {
		g.lockAfter(16, 5)
	}
}

// lockAfter locks g.mu. It is held for some tens of nanoseconds, so a few short
// looks are better than to sleep for it, which is what Mutex does all too soon.
// The time between them doubles, at most that often.
func (g *engine[T]) lockAfter(looks, doublings int) {
	if g.procs > 1 {
		for i := range looks {
			for range 1 << min(i, doublings) {
				pause()
			}
			if g.mu.TryLock() {
				return
			}
		}
	}
	g.mu.Lock()
}

// drain works off a claim: the run of calls, and after each call that failed
// the failure handler.
func (w *worker[T]) drain() {
	g, r, c, timing := w.g, w.r, w.cl.c, w.r.timing
	hk := g.st.hooks(delivering)
	bare := len(hk) == 0 && r.bare
	for w.at < w.cl.to {
		w.gone, w.failure = false, nil
		timed := timing != nil && w.at%sampleEvery == 0
		switch {
		case !bare || timed:
			w.runObserved(c, hk, timed)
		case timing == nil:
			w.run(c, r.h, w.cl.to)
		default: // to the next that is timed
			w.run(c, r.h, min(w.cl.to, (w.at/sampleEvery+1)*sampleEvery))
		}
		if w.gone {
			return
		}
		if w.failure != nil {
			w.failed(&c.slots[w.at-c.base], w.failure)
			w.at++
		}
	}
}

// run calls the listener for one position after the other, from w.at to
// position to, until a failure or until it has been removed. This is the hot
// loop.
func (w *worker[T]) run(c *chunk[T], h *handler[T], to uint64) {
	w.running = true
	defer w.ran()
	r, slots := w.r, c.slots[w.at-c.base:to-c.base]
	n := len(slots)
	if plain := h.plain; plain != nil {
		for i := range slots {
			if !r.begin() {
				n, w.gone = i, true
				break
			}
			plain(slots[i].ctx, slots[i].payload)
		}
	} else {
		for i := range slots {
			if !r.begin() {
				n, w.gone = i, true
				break
			}
			if w.failure = h.fails(slots[i].ctx, slots[i].payload); w.failure != nil {
				n = i
				w.calls++
				break
			}
		}
	}
	w.running = false
	w.at += uint64(n)
	w.calls += uint64(n)
}

// ran ends a run that a panic has ended, or a Goexit, which goes on.
func (w *worker[T]) ran() {
	if !w.running {
		return
	}
	w.running = false
	at := w.r.underway(&w.cl)
	w.calls += at - w.at + 1
	w.at = at
	if v := recover(); v != nil {
		w.failure = newPanicError(v)
	}
}

// runObserved is run for one position, with options and observers, or timed. A
// Once listener whose call another emission has got counts as removed.
func (w *worker[T]) runObserved(c *chunk[T], hk hooks, timed bool) {
	e := w.r.e
	if !w.r.begin() {
		w.gone = true
		return
	}
	sl := &c.slots[w.at-c.base]
	w.calls++
	_, called, err := e.invoke(sl.ctx, w.r.h, sl.payload, hk, timed)
	if !called {
		w.calls--
		w.gone = err == nil && (e.removed() || e.used.Load())
	}
	w.failure = err
	if err == nil && !w.gone {
		w.at++
	}
}

// failed reports a failure, and keeps it for the EmitWait.
func (w *worker[T]) failed(sl *slot[T], err error) {
	w.err = err
	w.r.e.report(sl.ctx, sl.payload, err)
	w.err = nil
	if w.cl.wait != nil {
		w.err = w.r.e.named(err)
	}
}

// rescue ends a worker. If a listener ended the goroutine with runtime.Goexit,
// that is a failure; if the handler of a failure did, that failure stands. A
// new worker takes this one's place and goes on behind the emission that was
// under way.
func (w *worker[T]) rescue() {
	if w.r == nil {
		return
	}
	g, r := w.g, w.r
	sl := &w.cl.c.slots[w.at-w.cl.c.base]
	err := w.err
	if err == nil {
		err = ErrGoexit
	}
	defer func() { // also if the failure handler calls Goexit again
		var outcome error
		if w.cl.wait != nil {
			outcome = r.e.named(err)
		}
		g.mu.Lock()
		g.giveBack(r, w.cl.from, w.at+1)
		g.finish(r, w.cl.from, w.at+1, w.calls, outcome)
		g.workers--
		next := g.hire()
		g.mu.Unlock()
		go next.start()
	}()
	if w.err == nil {
		r.e.report(sl.ctx, sl.payload, err)
	}
}

// giveBack ends a claim at position to: the rest of a batch is for the worker
// that comes next. Only plain readers have batches, and their cursor stays in
// the chunk of their claim until it is finished.
func (g *engine[T]) giveBack(r *reader[T], from, to uint64) {
	if cl := &r.claims[r.claimed(from)]; to < cl.to {
		cl.to, r.next = to, to
	}
}

// newEngine makes the engine of a signal or shard.
func newEngine[T any](sig *baseSignal[T], st *settings, b *budget[T]) *engine[T] {
	g := &engine[T]{
		procs: runtime.GOMAXPROCS(0),
		sig:   sig, st: st, capacity: st.capacity, slowAfter: st.slowAfter,
		gated: st.capacity > 0, budget: b,
	}
	g.loops.init()
	return g
}

// detached returns ctx without its cancellation and deadline. One that cannot
// end is returned as it is, which costs nothing.
func detached(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

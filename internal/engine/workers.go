package engine

import (
	"context"
	"slices"
	"unsafe"

	"example.com/signals/internal/inside"
	"example.com/signals/internal/listen"
	"example.com/signals/internal/tally"
)

// needed returns one more worker, which must be started, if there is work that
// none will look for and MaxWorkers lets it.
func (g *Engine) needed() *Worker {
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
func (g *Engine) hire() *Worker {
	g.workers++
	g.spare++
	w := g.resting
	if w == nil {
		w = new(Worker)
		work, id := w.work, g.id
		w.start = func() { inside.Mark(id, work) }
	} else {
		g.resting, w.behind = w.behind, nil
		g.rested--
	}
	w.g = g
	return w
}

// dismiss keeps a worker whose goroutine ends for the next one.
func (g *Engine) dismiss(w *Worker) {
	if g.rested < g.procs {
		*w = Worker{start: w.start, behind: g.resting} // it keeps nothing alive
		g.resting = w
		g.rested++
	}
}

// Worker is a goroutine's work on one engine at a time. It is not on the stack
// of that goroutine, which so is small enough not to grow, and it outlives it.
type Worker struct {
	start  func()  // the goroutine's body, made once so that starting it allocates nothing
	behind *Worker // in Engine.resting

	g     *Engine // the rest belongs to the goroutine
	r     *Reader // whose claim is run, or nil
	cl    claim
	at    uint64 // position under way
	calls uint64 // of this claim that have come to an end
	bare  bool   // its calls need no more than the loop of Payload.Run
	err   error  // a failure, while its handler runs, and then for the EmitWait

	running bool  // in Payload.Run
	begun   bool  // the call of position at has been begun, and not been made
	gone    bool  // the listener has been removed before position at
	failure error // of position at
}

// work is the life of a worker.
func (w *Worker) work() {
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
func (w *Worker) serve() bool {
	g := w.g
	for r := g.next(); r != nil; r = g.next() {
		g.claim(r, &w.cl)
		w.r, w.at, w.calls, w.err = r, w.cl.from, 0, nil
		w.bare, w.begun = r.bare && !g.observed && w.cl.from >= r.since, false
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
	var next *Engine
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
func (g *Engine) next() *Reader {
	for {
		r := g.take()
		if r != nil || g.spare > 0 || g.procs == 1 {
			return r
		}
		if !g.notes.any() {
			break
		}
		g.unlock() // who is told may take its time, and no spare worker's
		g.lock()
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

// lock locks g.mu for a worker, which can wait, and disturbs those least that
// hold it if it does so for long.
func (g *Engine) lock() {
	if !g.mu.TryLock() {
		g.lockAfter(16, 5)
	}
}

// drain works off a claim: the run of calls, and after each call that failed
// the failure handler.
func (w *Worker) drain() {
	if w.r.batch != nil {
		w.runBatch()
		return
	}
	g, c, timing := w.g, w.cl.c, w.r.timing
	for w.at < w.cl.to {
		w.gone, w.failure = false, nil
		timed := timing != nil && tally.Sampled(w.at)
		switch {
		case !w.bare || w.begun || timed:
			w.runObserved(g.slot(c, w.at), timed)
		case timing == nil:
			g.ops.Run(w, g.slot(c, w.at), int(w.cl.to-w.at))
		default: // to the next that is timed
			g.ops.Run(w, g.slot(c, w.at), int(min(w.cl.to, tally.NextSample(w.at))-w.at))
		}
		if w.gone {
			return
		}
		if w.failure != nil {
			w.failed(g.slot(c, w.at), w.failure)
			w.at++
		}
	}
}

// look is called by Run when it may not go on. The call of the next position
// has been begun: it will be made by runObserved, if it is made.
func (w *Worker) look() {
	w.begun = true
	if w.r.gone() {
		w.gone = true
	}
}

// ran ends a run that a panic has ended, or a Goexit, which goes on.
func (w *Worker) ran() {
	if !w.running {
		return
	}
	w.running = false
	at := w.r.underway(&w.cl)
	w.calls += at - w.at + 1
	w.at = at
	if v := recover(); v != nil {
		w.failure = w.r.l.Panicked(v)
	}
}

// runObserved makes the call of one position, with options and observers, or
// timed. A Once listener whose call another emission has got counts as removed.
func (w *Worker) runObserved(slot unsafe.Pointer, timed bool) {
	g, r := w.g, w.r
	if !w.begun {
		r.begin()
	}
	w.begun = false
	if r.gone() {
		w.gone = true
		return
	}
	if r.state.Load()&look != 0 { // from here on the observers are asked
		w.bare = false
		if r.conc == 1 { // else other workers must see it too
			r.state.And(^uint64(look))
		}
	}
	call := listen.Call{Member: r.m, Handler: r.h, Timed: timed}
	defer func() {
		if call.Called {
			w.calls++
		}
	}()
	_, err := call.Make(r.contextOf(slot, w.at), func(ctx context.Context, h *listen.Handler, filter bool) (listen.Undo, bool, error) {
		if r.turn != nil && !filter {
			g.started(r, w.cl.from)
		}
		undo, ok, err := g.ops.run(ctx, h, filter, slot)
		if r.turn != nil && filter && ok {
			g.inTurn(r, w.cl.from)
		}
		return undo, ok, err
	}, func() listen.Runner { // the call begins with what wraps it
		if r.turn != nil {
			g.started(r, w.cl.from)
		}
		return g.ops.runner(slot)
	}, r.gone)
	if !call.Called {
		w.gone = err == nil && (r.gone() || r.h.Once && r.l.Claimed())
	}
	w.failure = err
	if err == nil && !w.gone {
		w.at++
	}
}

// inTurn makes calls start in the order of acceptance although several filters
// of a reader run at the same time: behind its filter, each claim waits until
// the calls of all earlier ones have started, or will not, or the listener has
// been removed.
func (g *Engine) inTurn(r *Reader, from uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for r.attached && slices.ContainsFunc(r.claims, func(c claim) bool { return c.from < from && !c.started }) {
		r.turn.Wait()
	}
}

// started notes that the call of a claim starts.
func (g *Engine) started(r *Reader, from uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.claims[r.claimed(from)].started = true
	r.turn.Broadcast()
}

// failed reports a failure, and keeps it for the EmitWait.
func (w *Worker) failed(slot unsafe.Pointer, err error) {
	if w.r.l.Skips(err) {
		return
	}
	w.err = err
	w.r.l.Failed(w.r.contextOf(slot, w.at), w.g.ops.Box(slot), err)
	w.err = nil
	if w.cl.wait != nil {
		w.err = w.r.l.Named(err)
	}
}

// rescue ends a worker. If a listener ended the goroutine with runtime.Goexit,
// that is a failure; if the handler of a failure did, that failure stands. A
// new worker takes this one's place and goes on behind the emission that was
// under way.
func (w *Worker) rescue() {
	if w.r == nil {
		return
	}
	if w.r.batch != nil {
		w.rescueBatch()
		return
	}
	g, r := w.g, w.r
	slot := g.slot(w.cl.c, w.at)
	err := w.err
	if err == nil {
		err = listen.ErrGoexit
	}
	defer func() { // also if the failure handler calls Goexit again
		var outcome error
		if w.cl.wait != nil {
			outcome = r.l.Named(err)
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
		r.l.Failed(r.contextOf(slot, w.at), g.ops.Box(slot), err)
	}
}

// giveBack ends a claim at position to: the rest of a long claim is for the worker
// that comes next. Only plain readers come here with one, and their cursor stays in
// the chunk of their claim until it is finished.
func (g *Engine) giveBack(r *Reader, from, to uint64) {
	if cl := &r.claims[r.claimed(from)]; to < cl.to {
		cl.to, r.next = to, to
	}
}

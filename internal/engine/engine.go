package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals/internal/inside"
	"example.com/signals/internal/listen"
)

// Config is what an engine is made with.
type Config struct {
	Signal    listen.Signal
	Payload   Payload
	ID        uint64        // of the signal: marks the goroutines that run its listeners
	Capacity  int           // or 0
	Block     bool          // at capacity, emissions wait
	Retain    int           // or 0
	SlowAfter time.Duration // or 0
	Watched   *atomic.Bool  // somebody observes or taps emissions
}

// Engine is one log with the workers that run listeners over it. All its
// methods may be called from any goroutine, also inside a listener.
type Engine struct {
	watched   *atomic.Bool // read only, as are all fields to the blank line
	sig       listen.Signal
	ops       payloadType
	id        uint64
	size      uintptr // bytes of a slot
	capacity  int
	block     bool
	slowAfter time.Duration
	budget    *budget // MaxWorkers, or nil
	procs     int     // processors

	news atomic.Bool // tells the worker that lingers of work

	_ [64]byte // what emitters write does not share a cache line with what they only read

	mu       sync.Mutex // over everything below; never held while user code runs
	gated    bool       // an emission must look at closed, guarded and capacity
	closed   bool
	guarded  bool      // the bus is closing: only its own listeners may emit
	observed bool      // somebody observes deliveries
	told     bool      // somebody is told of drops or failures
	lingers  bool      // a worker lingers, and looks at news
	end      uint64    // position of the next emission; the fields to the blank line are those of Accept
	tail     *chunk    // chunk that is written
	waits    int       // EmitWaits under way
	idle     int       // readers in idle lists
	ready    int       // readers in ready lists
	spare    int       // workers that have not begun, or linger
	readers  []*Reader // of the listeners

	head     *chunk    // oldest chunk that is needed
	clean    uint64    // positions before hold no payload but that of claims
	retain   uint64    // Retain: so many of the last emissions stay in the log; 0 once closed
	pool     sync.Pool // chunks
	bigPool  sync.Pool // big ones
	leaving  []*Reader // of removed listeners with a call in flight
	bounded  []*Reader // those of readers with MaxLag
	barriers []*barrier
	lanes    lanes   // listed readers, by priority
	loops    lane    // of those that pull
	called   int     // those of them that are to come and look
	claims   int     // under way
	telling  int     // goroutines that tell what happened, perhaps in a worker
	resting  *Worker // without a goroutine, at most procs, for when one is needed
	rested   int     // how many
	workers  int     // goroutines, the spare ones too
	queue    queue   // emissions that wait for room
	pending  int     // with Capacity: emissions accepted and not finished
	notes    notes   // told after unlocking
	alarm    alarm   // SlowAfter
	run      uint64  // calls that have come to an end
	dropped  uint64  // deliveries
	refused  uint64  // emissions
	over     uint64  // emissions admitted above Capacity
}

// New makes the engines of a signal, one for each shard, of which at most
// maxWorkers workers run at the same time, or as many as there is work for if
// that is 0.
func New(shards, maxWorkers int, c Config) []*Engine {
	var b *budget
	if maxWorkers > 0 {
		b = &budget{max: maxWorkers}
	}
	ops := newPayloadType(c.Payload)
	gs := make([]*Engine, shards)
	for i := range gs {
		g := &Engine{
			watched: c.Watched, sig: c.Signal, ops: ops, id: c.ID, size: ops.slot.Size(),
			capacity: c.Capacity, block: c.Block, slowAfter: c.SlowAfter,
			budget: b, procs: runtime.GOMAXPROCS(0), gated: c.Capacity > 0, retain: uint64(c.Retain),
		}
		g.loops.init()
		gs[i] = g
	}
	return gs
}

// notes are what must be done once the mutex is free.
type notes struct {
	drops []drop
	then  []func() // of barriers that were reached
}

// drop is what observers will be told of a drop.
type drop struct {
	l listen.Listener
	n int
}

func (n *notes) any() bool { return n.drops != nil || n.then != nil }

// Tell tells what happened to those who want to know, when no lock is held.
type Tell func()

// Unlock releases g.mu, and then does what must not be done under it: start a
// worker if there is work that none will look for, and tell of drops.
func (g *Engine) unlock() {
	if tell := g.unlockUntold(); tell != nil {
		tell()
	}
}

// unlockUntold is unlock for a caller that holds another mutex too: it must
// call what is returned, if anything, when it has released that.
func (g *Engine) unlockUntold() Tell {
	w := g.needed()
	var tell Tell
	if g.notes.any() {
		tell = g.teller(g.notes)
		g.notes = notes{}
	}
	g.mu.Unlock()
	if w != nil {
		go w.start()
	}
	return tell
}

// teller returns what tells of notes. It must be called with g.mu held.
func (g *Engine) teller(n notes) Tell {
	g.telling++
	return func() {
		defer func() {
			g.mu.Lock()
			g.telling--
			g.mu.Unlock()
		}()
		for _, d := range n.drops {
			d.l.Dropped(d.n)
		}
		for _, f := range n.then {
			f()
		}
	}
}

// rouse makes the idle readers ready, and unlocks.
func (g *Engine) rouse() {
	if g.idle > 0 {
		g.wakeAll()
	}
	w := g.needed()
	g.mu.Unlock()
	if w != nil {
		go w.start()
	}
}

// lockAfter locks g.mu. It is held for some tens of nanoseconds, so a few short
// looks are better than to sleep for it, which is what Mutex does all too soon.
// The time between them doubles, at most that often.
func (g *Engine) lockAfter(looks, doublings int) {
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

// pause lets some nanoseconds pass, so that whoever is looked at is not
// disturbed.
func pause() {
	for range 32 {
	}
}

// begin tells the observers that an emission begins.
func (g *Engine) begin(ctx context.Context) (context.Context, any) {
	if g.sig.Observed() {
		return g.sig.Began(ctx)
	}
	return ctx, nil
}

// Watch notes whether deliveries are observed, and whether anybody is told of
// failures and drops. Calls that begin after it has returned go by it.
func (g *Engine) Watch(observed, told bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.observed == observed && !observed {
		g.told = told
		return
	}
	g.observed, g.told = observed, told
	for _, rs := range [2][]*Reader{g.readers, g.leaving} {
		for _, r := range rs {
			if len(r.claims) > 0 {
				r.state.Or(look)
			}
		}
	}
}

// Inside reports whether the calling goroutine is running a listener of the
// signal of these engines. As long as none of their listeners runs nobody is
// inside, and the stack need not be looked at.
func Inside(gs []*Engine) bool {
	for _, g := range gs {
		g.mu.Lock()
		quiet := g.claims == 0 && g.telling == 0
		g.mu.Unlock()
		if !quiet {
			return inside.Of(g.id)
		}
	}
	return false
}

// Close makes the engine refuse from now on, emissions that wait for room too.
func (g *Engine) Close() {
	g.mu.Lock()
	defer g.unlock()
	g.closed, g.gated = true, true
	g.turnAway()
	for _, r := range g.readers {
		if r.pull != nil {
			r.pull.wake() // it ends when it has seen all
		}
		g.ending(r)
	}
	g.retain = 0 // nobody will come
	g.reclaim()
	g.rest()
}

// Closed reports whether it refuses for good.
func (g *Engine) Closed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// Guard makes the engine refuse emissions from outside its bus, or ends that.
func (g *Engine) Guard(on bool) {
	g.mu.Lock()
	defer g.unlock()
	g.guarded = on
	g.gated = on || g.closed || g.capacity > 0
	if on {
		g.turnAway()
	}
}

// OpError is an error of an operation on a signal: which one, on which, why.
type OpError struct {
	Op, Signal string
	Err        error
}

func (e *OpError) Error() string { return fmt.Sprintf("signals: %s %q: %v", e.Op, e.Signal, e.Err) }

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

func (g *Engine) opError(op string, err error) error { return &OpError{op, g.sig.Name(), err} }

func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

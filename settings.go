package signals

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals/internal/chain"
	"example.com/signals/internal/engine"
	"example.com/signals/internal/source"
	"example.com/signals/internal/tally"
)

// settings are what a signal is made with, and what it counts. They are
// shared by the shards of a sharded signal. To the machinery they are the
// signal: see listen.Signal.
type settings struct {
	config                         // read only
	kind    Kind                   // read only
	ops     any                    // an engine.Payload or a *T: engine.TypeOf knows its type; read only
	payload string                 // read only: the payload type's name
	of      reflect.Type           // read only: the payload type
	id      uint64                 // read only: marks the goroutines that run its listeners
	own     *staged                // read only: the signal's observers
	origin  source.Callers         // read only: where the signal was made, if by a constructor
	onBus   atomic.Bool            // false once the signal has left its bus
	watched atomic.Bool            // emissions must be looked at; written by watch
	all     atomic.Pointer[staged] // the signal's observers and those of its bus; written by watch

	engines atomic.Pointer[[]*engine.Engine] // async signals: set once, at first use
	chain   *chain.Signal                    // sync signals; read only

	first   atomic.Pointer[source.Callers] // where the first listener was registered
	infoPtr atomic.Pointer[SignalInfo]     // made when first asked for after first is known
	failed  atomic.Uint64                  // failures, panics among them
	panics  atomic.Uint64                  //
	gaveUp  atomic.Bool                    // a Close has, or may: Cancellable
	vetoed  atomic.Uint64                  // vetoes, which are no failures
	refused atomic.Uint64                  // emissions that a wrapper turned away: Refuse
	quiet   refusals                       // what the default handler has not logged

	failing atomic.Pointer[[]*failureObserver] // of ObserveFailures; replaced under base.mu
}

var lastID atomic.Uint64

// newSettings makes the settings of a signal.
func newSettings(kind Kind, ops any, opts []Option) *settings {
	of := engine.TypeOf(ops)
	payload := of.String()
	c := configure(kind, payload, opts)
	st := &settings{config: c, kind: kind, ops: ops, payload: payload, of: of, id: lastID.Add(1), own: newStaged(c.observers)}
	st.onBus.Store(c.bus != nil)
	if kind == KindSync {
		st.chain = &chain.Signal{Signal: st, SlowAfter: c.slowAfter}
		if st.counts() {
			st.chain.Emitted, st.chain.Delivered = tally.NewCounter(), tally.NewCounter()
		}
	}
	st.watch(nil, false)
	return st
}

// made notes the caller as the place where the signal was made.
func (st *settings) made() *settings {
	st.origin.Here(2)
	return st
}

// equip makes the engines of an async signal, unless somebody has done so. ops is an
// engine.Payload; for a façade an any is quicker to make, and to compile.
func (st *settings) equip(ops any, shards int) []*engine.Engine {
	gs := engine.New(shards, st.maxWorkers, engine.Config{
		Signal: st, Payload: ops.(engine.Payload), ID: st.id, Capacity: st.capacity, Block: st.overflow == Block,
		Retain: st.retain, SlowAfter: st.slowAfter, Watched: &st.watched,
	})
	if st.engines.CompareAndSwap(nil, &gs) {
		st.tellEngines(st.all.Load())
	}
	return *st.engines.Load()
}

// counts reports whether the signal counts emissions and deliveries.
func (st *settings) counts() bool {
	return st.counted || st.bus != nil || slices.ContainsFunc(st.observers, func(o Observer) bool { return o.counts() })
}

// slow reports whether emissions of a sync signal must always go the slow way.
func (st *settings) slow() bool {
	return st.slowAfter > 0 || len(st.own.at[emitting]) > 0 || len(st.own.at[delivering]) > 0
}

// watch notes who observes the signal, besides its own observers, and whether
// its emissions are tapped. It must be called with bus.mu held, or before
// anybody else knows the signal.
func (st *settings) watch(shared *staged, tapped bool) {
	all := st.own.with(shared)
	st.all.Store(all)
	watched := len(all.at[emitting]) > 0
	if st.kind == KindSync {
		watched = watched || tapped || len(all.at[delivering]) > 0
	}
	st.watched.Store(watched)
	if st.chain != nil {
		st.chain.Watched.Store(watched)
		st.chain.ObservedCalls.Store(len(all.at[delivering]) > 0)
	}
	st.tellEngines(all)
}

func (st *settings) tellEngines(all *staged) {
	if gs := st.engines.Load(); gs != nil {
		for _, g := range *gs {
			g.Watch(len(all.at[delivering]) > 0, len(all.at[telling]) > 0)
		}
	}
}

// info describes the signal. Until the first registration the description of
// an unnamed one is provisional.
func (st *settings) info() *SignalInfo {
	if i := st.infoPtr.Load(); i != nil {
		return i
	}
	pcs := st.first.Load()
	if st.origin[0] != 0 {
		pcs = &st.origin
	}
	i := &SignalInfo{Name: st.name, Kind: st.kind, Payload: st.payload}
	if pcs != nil {
		i.Site = pcs.Site(0)
	}
	if i.Name == "" {
		i.Name = st.payload
		if f := st.first.Load(); f != nil {
			i.Name += "@" + f.Site(0)
		}
	}
	if st.name != "" || st.first.Load() != nil {
		st.infoPtr.CompareAndSwap(nil, i)
		return st.infoPtr.Load()
	}
	return i
}

// sited notes where the first listener was registered.
func (st *settings) sited(pcs *source.Callers) {
	if st.first.Load() == nil {
		pcs := *pcs // not the entry's, which would be kept
		st.first.CompareAndSwap(nil, &pcs)
	}
}

// Name is what errors call the signal. It and the methods below are of
// listen.Signal.
func (st *settings) Name() string { return st.info().Name }

// Observed reports whether there are observers of emissions.
func (st *settings) Observed() bool { return len(st.all.Load().at[emitting]) > 0 }

// Began tells them that an emission begins.
func (st *settings) Began(ctx context.Context) (context.Context, any) {
	all := st.all.Load()
	return all.emitBegin(ctx, st), all
}

// Ended tells them that it ends.
func (st *settings) Ended(ctx context.Context, began any, err error) {
	began.(*staged).emitEnd(ctx, st, err)
}

// Stopped is the error of a sync emission whose ctx has ended.
func (st *settings) Stopped(ctx context.Context, ran, of int) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && !isError(err, cause) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return fmt.Errorf("signals: %q stopped after %d of %d %s: %w", st.Name(), ran, of, plural(of, "listener"), err)
}

// Unheard hands an error to the failure handler that nobody else will get.
func (st *settings) Unheard(ctx context.Context, payload any, err error) {
	st.hand(ctx, Failure{Signal: st.Name(), Payload: payload, Err: err})
}

// Owned reports whether the calling goroutine runs a listener of an async
// signal of the same bus.
func (st *settings) Owned() bool { return st.bus.runs() }

// primes is the default growth of the listener slice, from the document that
// the project comes from. Primes have no magic: each about doubles the last,
// which is what makes appending cheap.
var primes = [...]int{7, 17, 37, 79, 163, 331, 673, 1361, 2729, 5471, 10949, 21911, 43853, 87719}

// grow returns the next capacity of the listener slice.
func (st *settings) grow(n int) int {
	switch {
	case n == 0 && st.initialCap > 0:
		return st.initialCap
	case n == 0: // nothing has been there that a policy could make more of
		return primes[0]
	case st.growth != nil:
		next := st.growth(n)
		if next <= n {
			panic(fmt.Sprintf("signals: the Growth policy of %q returned %d for %d; it must return more", st.Name(), next, n))
		}
		return next
	}
	for _, p := range primes {
		if p > n {
			return p
		}
	}
	return 2 * n
}

// refusals are emissions that were refused and not logged yet.
type refusals struct {
	mu    sync.Mutex
	since time.Time // when the last line was logged
	n     int       // refused since
	last  error     // the reason for the last of them
	timed bool      // a timer will log them
}

func plural(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}

// isError is errors.Is for errors whose methods may panic.
func isError(err, target error) (is bool) {
	defer func() { _ = recover() }()
	return errors.Is(err, target)
}

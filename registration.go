package signals

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
	"weak"

	"example.com/signals/internal/engine"
	"example.com/signals/internal/listen"
	"example.com/signals/internal/source"
	"example.com/signals/internal/tally"
)

// entry is one registration. It does not hold the listener's function, so
// that a Subscription which outlives the registration keeps nothing alive. To
// the machinery it is the listener: see listen.Listener.
type entry struct {
	listen.Member // read only, as are all fields to the blank line
	b             *base
	st            *settings
	fn            uintptr        // the function's entry pc, for its name
	pcs           source.Callers // who registered it
	scope         *Scope
	sub           Subscription
	readers       []*engine.Reader // async signals: one a shard; written before the entry is shared

	infoPtr  atomic.Pointer[ListenerInfo] // made when first asked for
	used     atomic.Bool                  // Once: somebody has claimed the one call
	failures atomic.Uint64
	panics   atomic.Uint64

	ended   bool // unsubscribed, perhaps by its scope before it was in the list: under base.mu
	untilMu sync.Mutex
	stops   []func() bool // undo the context.AfterFunc of Until; under untilMu
	gone    bool          // removed: under untilMu
}

func entryOf(m *listen.Member) *entry { return m.Of.(*entry) }

// registration is one that is being made.
type registration struct {
	b       *base
	st      *settings
	call    string // the method, for texts of panics
	h       *listen.Handler
	fn      unsafe.Pointer                                         // the listener, if it is another function than that of h
	bare    func(*listen.Handler) (forEmit, forTry unsafe.Pointer) // sync signals
	engines []*engine.Engine                                       // async signals
	pull    chan struct{}                                          // of Events
}

// entry prepares the entry.
func (r *registration) entry(opts []ListenerOption) (*entry, *listenerConfig) {
	h, st := r.h, r.st
	fn := r.fn
	switch {
	case fn != nil:
	case h.Plain != nil:
		fn = h.Plain
	case h.Fails != nil:
		fn = h.Fails
	default:
		panic(fmt.Sprintf("signals: %s on %q: the listener is nil", r.call, st.Name()))
	}
	c := configureListener(opts)
	for _, f := range c.filters {
		pass, ok := st.ops.Filter(f)
		if !ok {
			c.wrong("the Filter is a %T, the payload %s %s; want a func(%[3]s) bool", f, article(st.payload), st.payload)
		}
		h.Filters = append(h.Filters, pass)
	}
	c.check(r.call, st)
	h.Until, h.Once = c.until, c.once
	e := &entry{b: r.b, st: st, fn: *(*uintptr)(fn), scope: c.scope}
	e.Member = listen.Member{Of: e, Key: c.key, Priority: c.priority}
	h.Of = e
	e.sub = Subscription{reg: e, key: c.key}
	e.pcs.Here(2)
	if st.counts() {
		e.Timing = new(tally.Histogram)
		if st.kind == KindSync {
			e.Delivered = tally.NewCounter()
		}
	}
	for _, g := range r.engines {
		e.readers = append(e.readers, g.NewReader(engine.ReaderConfig{
			Member: &e.Member, Handler: h, Concurrency: c.concurrency,
			MaxLag: c.maxLag, KeepLatest: c.lagPolicy == KeepLatest, Pull: r.pull,
		}))
	}
	return e, c
}

func configureListener(opts []ListenerOption) *listenerConfig {
	c := new(listenerConfig)
	for _, o := range opts {
		if o == nil {
			c.wrong("a ListenerOption is nil; leave it out")
			continue
		}
		o(c)
	}
	return c
}

// check panics on what makes no sense for a listener of that signal.
func (c *listenerConfig) check(call string, st *settings) {
	if st.kind == KindSync && c.asyncOnly != "" {
		c.wrong("%s is an option of async signals", c.asyncOnly)
	}
	if c.fault != "" {
		panic(fmt.Sprintf("signals: %s on %q: %s", call, st.Name(), c.fault))
	}
}

// enlist puts an entry into the list, its scope and the care of its contexts.
// With ErrClosed there is a subscription all the same, which is never called.
func (r *registration) enlist(e *entry, c *listenerConfig) (int, *Subscription, error) {
	// The scope comes first: a listener must never be called in a closed one,
	// and Close must know of each that may be.
	if e.scope != nil && !e.scope.adopt(&e.sub) {
		return e.b.Len(), &e.sub, e.scopeClosed()
	}
	added := false
	defer func() {
		if !added && e.scope != nil { // also if the Growth policy panics
			e.scope.forget(&e.sub)
		}
	}()
	inList, attach := r.h, (func())(nil)
	var plain, fails unsafe.Pointer
	if r.bare != nil {
		plain, fails = r.bare(r.h)
	} else {
		inList = nil // the readers hold it
		attach = func() {
			for _, rd := range e.readers {
				rd.Attach(e.Priority)
			}
		}
	}
	n, err := e.b.add(e, inList, plain, fails, attach)
	if err != nil {
		if errors.Is(err, ErrClosed) {
			return n, &e.sub, err
		}
		return n, nil, err
	}
	added = true
	e.watch(c.until)
	return n, &e.sub, nil
}

func (r *registration) register(opts []ListenerOption) (int, *Subscription, error) {
	return r.enlist(r.entry(opts))
}

func (e *entry) scopeClosed() error {
	return &engine.OpError{Op: "a scope is closed; listener of", Signal: e.st.Name(), Err: ErrClosed}
}

// keyed is the end of the short form of registration.
func (r *registration) keyed(key []string) int {
	var opts []ListenerOption
	switch {
	case len(key) > 1:
		panic(fmt.Sprintf("signals: %s on %q: %d keys %q; want one at most", r.call, r.st.Name(), len(key), key))
	case len(key) == 1 && key[0] != "":
		opts = []ListenerOption{Key(key[0])}
	}
	n, _, _ := r.register(opts)
	return n
}

// orPanic is the end of Subscribe: registering where nothing will ever be
// called is allowed, anything else is the caller's mistake.
func (r *registration) orPanic(opts []ListenerOption) *Subscription {
	_, sub, err := r.register(opts)
	if sub == nil {
		panic(err.Error())
	}
	return sub
}

// orError is the end of TrySubscribe: with an error there is no subscription.
func (r *registration) orError(opts []ListenerOption) (*Subscription, error) {
	e, c := r.entry(opts)
	if e.scope.isClosed() { // rather than what the signal says
		return nil, e.scopeClosed()
	}
	for _, g := range r.engines {
		if g.Closed() {
			return nil, &engine.OpError{Op: "subscribe to", Signal: r.st.Name(), Err: ErrClosed}
		}
	}
	_, sub, err := r.enlist(e, c)
	if err != nil {
		sub.Unsubscribe()
		return nil, err
	}
	return sub, nil
}

// watch arms Until, once the entry is in the list. A context that lives long
// must not keep the signal alive: what it holds of the entry is weak.
func (e *entry) watch(until []context.Context) {
	for _, ctx := range until {
		weakly := weak.Make(e)
		stop := context.AfterFunc(ctx, func() {
			if e := weakly.Value(); e != nil {
				e.unsubscribe()
			}
		})
		e.untilMu.Lock()
		gone := e.gone
		if !gone {
			e.stops = append(e.stops, stop)
			runtime.AddCleanup(e, func(stop func() bool) { stop() }, stop)
		}
		e.untilMu.Unlock()
		if gone {
			stop()
		}
	}
}

// unwatch disarms Until.
func (e *entry) unwatch() {
	e.untilMu.Lock()
	e.gone = true
	stops := e.stops
	e.stops = nil
	e.untilMu.Unlock()
	for _, stop := range stops {
		stop()
	}
}

// Claim takes the one call of a Once listener, and removes it if this caller
// was the first. It and the methods below are of listen.Listener.
func (e *entry) Claim() bool { return e.used.CompareAndSwap(false, true) && e.unsubscribe() }

// Claimed reports whether somebody has taken it.
func (e *entry) Claimed() bool { return e.used.Load() }

// Observed reports which observers of deliveries there are.
func (e *entry) Observed() (begin, end bool) {
	all := e.st.all.Load()
	return len(all.at[delivering]) > 0, all.ends
}

// Began tells them that a call begins.
func (e *entry) Began(ctx context.Context) (context.Context, any) {
	all := e.st.all.Load()
	return all.listenerBegin(ctx, e.st, e.info()), all
}

// Ended tells them that it has ended.
func (e *entry) Ended(ctx context.Context, began any, took time.Duration, err error) {
	began.(*staged).listenerEnd(ctx, e.st, e.info(), took, err)
}

// Dropped tells the observers of drops.
func (e *entry) Dropped(n int) { e.st.all.Load().drop(e.st, e.info(), n) }

// Slow warns of a call that has been running for long.
func (e *entry) Slow(ran time.Duration, lag int) {
	i := e.info()
	e.st.say(context.Background(), slog.LevelWarn, "signals: slow listener",
		"signal", i.Signal.Name, "listener", i.Listener, "key", i.Key, "site", i.Site,
		"running", ran.Round(time.Millisecond), "lag", lag)
}

var (
	_ listen.Listener = (*entry)(nil)
	_ listen.Signal   = (*settings)(nil)
)

// info describes the listener.
func (e *entry) info() *ListenerInfo {
	if i := e.infoPtr.Load(); i != nil {
		return i
	}
	e.infoPtr.CompareAndSwap(nil, &ListenerInfo{
		Signal: e.st.info(), Key: e.Key, Listener: source.FuncName(e.fn), Site: e.pcs.Site(e.fn), Priority: e.Priority,
	})
	return e.infoPtr.Load()
}

package signals

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

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
	life          *life // Cancellable, or nil
	sub           Subscription
	readers       []*engine.Reader // async signals: one a shard; written before the entry is shared

	infoPtr  atomic.Pointer[ListenerInfo] // made when first asked for
	used     atomic.Bool                  // Once: somebody has claimed the one call
	outcomes atomic.Pointer[outcomes]     // made when first one is not plain

	ended     bool // unsubscribed, perhaps by its scope before it was in the list: under base.mu
	untilMu   sync.Mutex
	stops     []func() bool // undo the context.AfterFunc of Until; under untilMu
	gone      bool          // removed: under untilMu
	announced bool          // the observers have been told that it was added: under untilMu
	over      *finale       // Done, when somebody has asked: under untilMu
	began     bool          // it has been in the list: under base.mu
}

func entryOf(m *listen.Member) *entry { return m.Of.(*entry) }

// registration is one that is being made.
type registration struct {
	b       *base
	st      *settings
	call    string // the method, for texts of panics
	h       *listen.Handler
	bare    func(*listen.Handler) (forEmit, forTry unsafe.Pointer) // sync signals
	engines []*engine.Engine                                       // async signals
	pull    engine.Puller                                          // of Events and Chan
}

// enroll begins a registration. plain or fails is the address of the function.
//
//go:noinline
func (b *base) enroll(st *settings, call string, plain, fails unsafe.Pointer, bare func(*listen.Handler) (unsafe.Pointer, unsafe.Pointer)) *registration {
	r := &registration{b: b, st: st, call: call, h: new(listen.Handler), bare: bare}
	if plain != nil {
		r.h.Plain = *(*unsafe.Pointer)(plain)
	}
	if fails != nil {
		r.h.Fails = *(*unsafe.Pointer)(fails)
	}
	return r
}

// enrollAsync is enroll on an async signal.
//
//go:noinline
func (b *base) enrollAsync(ops any, call string, plain, fails unsafe.Pointer) *registration {
	gs := b.engines(ops)
	r := b.enroll(b.conf.Load(), call, plain, fails, nil)
	r.engines = gs
	return r
}

// entry prepares the entry.
func (r *registration) entry(opts []ListenerOption) (*entry, *listenerConfig) {
	h, st := r.h, r.st
	fn := h.Plain
	switch {
	case fn != nil:
	case h.Fails != nil:
		fn = h.Fails
	case h.Step != nil:
		fn = h.Step
	case h.Batch != nil:
		fn = h.Batch
	default:
		panic(fmt.Sprintf("signals: %s on %q: the listener is nil", r.call, st.Name()))
	}
	c := configureListener(opts)
	for _, f := range c.filters {
		pass, ok := engine.Filter(st.ops, f)
		if !ok {
			c.wrong("the Filter is a %T, the payload %s %s; want a func(%[3]s) bool", f, article(st.payload), st.payload)
		}
		h.Filters = append(h.Filters, pass)
	}
	c.checkBatch(h)
	c.check(r.call, st)
	h.Until, h.Once = c.until, c.once
	e := &entry{b: r.b, st: st, fn: entryPC(fn), scope: c.scope}
	e.Member = listen.Member{Of: e, Key: c.key, Priority: c.priority}
	h.Of = e
	h.Around = e.around()
	if c.cancellable {
		h.Lifetime = e.cancellable()
	}
	h.Sealed()
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
			MaxLag: c.maxLag, KeepLatest: c.lagPolicy == KeepLatest, FromNow: c.fromNow, Pull: r.pull, MaxBatch: c.maxBatch,
		}))
	}
	if len(e.readers) > 0 {
		h.Inside = e.readers[0].Inside
	}
	return e, c
}

// around returns what wraps the listener's calls: see listen.Handler.
func (e *entry) around() (all []func(context.Context, func(context.Context) error) error) {
	for _, wrap := range e.st.around {
		all = append(all, func(ctx context.Context, next func(context.Context) error) error {
			return wrap(ctx, e.info(), next)
		})
	}
	return all
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
		return e.b.current().Len(), &e.sub, e.scopeClosed()
	}
	added := false
	defer func() {
		if !added && e.scope != nil { // also if the Growth policy panics
			e.scope.forget(&e.sub)
		}
	}()
	inList, attach, attached := r.h, (func())(nil), true
	var tell []engine.Tell
	var plain, fails unsafe.Pointer
	if r.bare != nil {
		plain, fails = r.bare(r.h)
	} else {
		inList = nil // the readers hold it
		attach = func() {
			for _, rd := range e.readers {
				var t engine.Tell
				if attached, t = rd.Attach(e.Priority); t != nil {
					tell = append(tell, t)
				}
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
	if attached {
		e.announce()
	}
	for _, t := range tell { // MaxLag has dropped of what is retained
		t()
	}
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

// Claim takes the one call of a Once listener, and removes it if this caller
// was the first. It and the methods below are of listen.Listener.
func (e *entry) Claim() bool {
	if !e.used.CompareAndSwap(false, true) {
		return false
	}
	if e.st.kind != KindSync {
		return e.unsubscribe()
	}
	if !e.b.spend(e) {
		return false
	}
	leave([]*entry{e}, nil)
	return true
}

// Settle ends what Claim began.
func (e *entry) Settle() { e.b.current() }

// Claimed reports whether somebody has taken it.
func (e *entry) Claimed() bool { return e.used.Load() }

// Began tells the observers of deliveries that one begins.
func (e *entry) Began(ctx context.Context) (_ context.Context, ended any, observed bool) {
	all := e.st.all.Load()
	if len(all.at[delivering]) == 0 {
		return ctx, nil, false
	}
	ctx = all.listenerBegin(ctx, e.st, e.info(), 0)
	if !all.ends {
		return ctx, nil, true
	}
	return ctx, all, true
}

// Ended tells them that it has ended.
func (e *entry) Ended(ctx context.Context, ended any, took time.Duration, err error) {
	ended.(*staged).listenerEnd(ctx, e.st, e.info(), took, err)
}

// Dropped tells the observers of drops.
func (e *entry) Dropped(n int) { e.st.all.Load().drop(e.st, e.info(), n) }

// Who names the listener and where it was registered.
func (e *entry) Who() string {
	i := e.info()
	who := i.Listener
	if e.Key != "" {
		who = strconv.Quote(e.Key)
	}
	return who + " (" + i.Site + ")"
}

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

// outcomes count calls that did not come to a plain end. They are apart from the
// entry, which final tells from them.
type outcomes struct {
	failures atomic.Uint64 // panics among them
	panics   atomic.Uint64
	vetoes   atomic.Uint64
}

func (e *entry) outcome() *outcomes {
	if o := e.outcomes.Load(); o != nil {
		return o
	}
	e.outcomes.CompareAndSwap(nil, new(outcomes))
	return e.outcomes.Load()
}

// info describes the listener.
func (e *entry) info() *ListenerInfo {
	if i := e.infoPtr.Load(); i != nil {
		return i
	}
	e.infoPtr.CompareAndSwap(nil, &ListenerInfo{
		Signal: e.st.info(), Key: e.Key, Listener: source.FuncName(e.fn), Site: e.pcs.Site(e.fn), Priority: e.Priority,
		of: e,
	})
	return e.infoPtr.Load()
}

package signals

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
)

// Subscription is the handle of one registration. Its methods may be called
// from any goroutine, and on a nil *Subscription they do nothing.
type Subscription struct {
	reg registration
	key string
}

// registration is what a Subscription stands for: an entry, whatever its
// payload type, or a tap.
type registration interface {
	unsubscribe() bool
	wait(ctx context.Context) error
	busy() bool // a call is in flight, of an async listener
	stats() ListenerStats
}

// Unsubscribe removes exactly this registration; later calls do nothing. On
// an async signal no further call starts once it has returned, and what was
// pending for the listener is dropped and counted; a call in flight completes,
// and Wait waits for it. On a sync signal an emission under way may still call
// the listener.
func (s *Subscription) Unsubscribe() {
	if s != nil {
		s.reg.unsubscribe()
	}
}

// Wait returns when no call of an async listener is in flight, or ctx ends:
// after Unsubscribe, when what the listener uses may be torn down. Called from
// inside a listener of the same signal it returns ErrWouldDeadlock; on a sync
// signal errors.ErrUnsupported.
func (s *Subscription) Wait(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.reg.wait(orBackground(ctx))
}

// Key returns the listener's key, or "".
func (s *Subscription) Key() string {
	if s == nil {
		return ""
	}
	return s.key
}

// Stats returns what is known of this listener. It goes on working after
// Unsubscribe.
func (s *Subscription) Stats() ListenerStats {
	if s == nil {
		return ListenerStats{}
	}
	return s.reg.stats()
}

// entry is one registration. It does not hold the listener's function, so
// that a Subscription which outlives the registration keeps nothing alive.
type entry[T any] struct {
	sig      *baseSignal[T] // read only, as are all fields to the blank line
	st       *settings
	key      string
	priority int
	fn       uintptr    // the function's entry pc, for its name
	pcs      [6]uintptr // who registered it
	scope    *Scope
	sub      Subscription

	infoPtr   atomic.Pointer[ListenerInfo] // made when first asked for
	used      atomic.Bool                  // Once: somebody has claimed the one call
	failures  atomic.Uint64
	panics    atomic.Uint64
	delivered *counter     // sync signals, if they count
	timing    *histogram   // if the signal counts
	readers   []*reader[T] // async signals: one a shard; written before the entry is shared

	ended   bool // unsubscribed, perhaps by its scope before it was in the list: under baseSignal.mu
	untilMu sync.Mutex
	stops   []func() bool // undo the context.AfterFunc of Until; under untilMu
	gone    bool          // removed: under untilMu
}

// newEntry checks a registration and prepares it; call names the method for
// texts of panics.
func newEntry[T any](b *baseSignal[T], st *settings, call string, h *handler[T], fn any, opts []ListenerOption) (*entry[T], *listenerConfig) {
	v := reflect.ValueOf(fn)
	if v.IsNil() {
		panic(fmt.Sprintf("signals: %s on %q: the listener is nil", call, st.info().Name))
	}
	c := configureListener(opts)
	for _, f := range c.filters {
		pass, ok := f.(func(T) bool)
		if !ok {
			c.wrong("the Filter is a %T, the payload a %s; want a func(%[2]s) bool", f, st.payload)
		}
		h.filters = append(h.filters, pass)
	}
	c.check(call, st)
	h.until, h.once = c.until, c.once
	e := &entry[T]{sig: b, st: st, key: c.key, priority: c.priority, fn: v.Pointer(), scope: c.scope}
	e.sub = Subscription{reg: e, key: c.key}
	runtime.Callers(3, e.pcs[:])
	if st.counts() {
		e.timing = new(histogram)
		if st.kind == KindSync {
			e.delivered = newCounter()
		}
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
		panic(fmt.Sprintf("signals: %s on %q: %s", call, st.info().Name, c.fault))
	}
}

// keyOption is the optional key of the short form of registration.
func (st *settings) keyOption(call string, key []string) []ListenerOption {
	switch {
	case len(key) > 1:
		panic(fmt.Sprintf("signals: %s on %q: %d keys %q; want one at most", call, st.info().Name, len(key), key))
	case len(key) == 0 || key[0] == "":
		return nil
	}
	return []ListenerOption{Key(key[0])}
}

// enlist puts the entry into the list, its scope and the care of its contexts.
// With ErrClosed there is a subscription all the same, which is never called.
func (e *entry[T]) enlist(h *handler[T], attach func()) (int, *Subscription, error) {
	inList := h
	if e.st.kind != KindSync {
		inList = nil // the readers hold it
	}
	// The scope comes first: a listener must never be called in a closed one,
	// and Close must know of each that may be.
	if e.scope != nil && !e.scope.adopt(&e.sub) {
		return e.sig.Len(), &e.sub, e.scopeClosed()
	}
	added := false
	defer func() {
		if !added && e.scope != nil { // also if the Growth policy panics
			e.scope.forget(&e.sub)
		}
	}()
	n, err := e.sig.add(e, inList, attach)
	if err != nil {
		if errors.Is(err, ErrClosed) {
			return n, &e.sub, err
		}
		return n, nil, err
	}
	added = true
	e.watch(h)
	return n, &e.sub, nil
}

func (e *entry[T]) scopeClosed() error {
	return &opError{"a scope is closed; listener of", e.st.info().Name, ErrClosed}
}

// orPanic is the end of Subscribe: registering where nothing will ever be
// called is allowed, anything else is the caller's mistake.
func orPanic(sub *Subscription, err error) *Subscription {
	if sub == nil {
		panic(err.Error())
	}
	return sub
}

// orError is the end of TrySubscribe: with an error there is no subscription.
func orError(sub *Subscription, err error) (*Subscription, error) {
	if err != nil {
		sub.Unsubscribe()
		return nil, err
	}
	return sub, nil
}

// watch arms Until, once the entry is in the list.
func (e *entry[T]) watch(h *handler[T]) {
	for _, ctx := range h.until {
		stop := context.AfterFunc(ctx, func() { e.unsubscribe() })
		e.untilMu.Lock()
		gone := e.gone
		if !gone {
			e.stops = append(e.stops, stop)
		}
		e.untilMu.Unlock()
		if gone {
			stop()
		}
	}
}

// claimOnce takes the one call of a Once listener, and removes it if this
// caller was the first.
func (e *entry[T]) claimOnce() bool {
	if !e.used.CompareAndSwap(false, true) {
		return false
	}
	return e.unsubscribe()
}

func (e *entry[T]) unsubscribe() bool {
	var untold []dropNote
	if !e.sig.remove(e, func() { untold = e.detach() }) {
		return false
	}
	e.left(untold)
	return true
}

// detach takes the readers off their logs.
func (e *entry[T]) detach() (untold []dropNote) {
	for _, r := range e.readers {
		untold = append(untold, r.detach()...)
	}
	return untold
}

// left does what is left to do when the entry has been removed.
func (e *entry[T]) left(untold []dropNote) {
	e.st.tell(untold)
	e.untilMu.Lock()
	e.gone = true
	stops := e.stops
	e.stops = nil
	e.untilMu.Unlock()
	for _, stop := range stops {
		stop()
	}
	if e.scope != nil {
		e.scope.forget(&e.sub)
	}
}

// removed reports whether an async listener has been removed: perhaps while
// its filter ran.
func (e *entry[T]) removed() bool { return len(e.readers) > 0 && e.readers[0].gone() }

func (e *entry[T]) busy() bool {
	for _, r := range e.readers {
		if r.busy() {
			return true
		}
	}
	return false
}

func (e *entry[T]) wait(ctx context.Context) error {
	if e.st.kind == KindSync {
		return &opError{"wait for a listener of", e.st.info().Name, errors.ErrUnsupported}
	}
	if insideOf(e.st.id) {
		return &opError{"wait for a listener of", e.st.info().Name, ErrWouldDeadlock}
	}
	for _, r := range e.readers {
		if err := r.quiet(ctx); err != nil {
			return err
		}
	}
	return nil
}

// info describes the listener.
func (e *entry[T]) info() *ListenerInfo {
	if i := e.infoPtr.Load(); i != nil {
		return i
	}
	e.infoPtr.CompareAndSwap(nil, &ListenerInfo{
		Signal: e.st.info(), Key: e.key, Listener: funcName(e.fn), Site: site(e.pcs[:]), Priority: e.priority,
	})
	return e.infoPtr.Load()
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

package signals

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync/atomic"
)

// Tap calls fn for every emission on every signal of the bus, or on those with
// the given names, those that join later too, until the subscription ends: for
// tracing and debugging, not for work. On a sync signal fn runs in the emitter before the listeners. On an
// async signal it is one more listener, which counts for Drain and Capacity
// but not in Len or Keys. It may be called from several goroutines at once. A
// panic in it is logged.
func (b *Bus) Tap(fn func(ctx context.Context, signal string, payload any), names ...string) *Subscription {
	if fn == nil {
		panic("signals: Tap: the function is nil")
	}
	t := &tap{bus: b, names: slices.Clone(names), entry: reflect.ValueOf(fn).Pointer(), ends: make(map[member]tapEnd)}
	t.fn = func(ctx context.Context, st *settings, payload any) {
		st.guard(ctx, "Tap", func() { fn(ctx, st.info().Name, payload) })
		t.calls.Add(1)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tapping = append(b.tapping, t)
	b.watchLocked()
	for _, m := range b.members {
		t.on(m)
	}
	return &Subscription{reg: t}
}

type tapFunc = func(ctx context.Context, st *settings, payload any)

// tapEnd ends a tap on one signal. sub, if not nil, is what may still have a
// call in flight; tell must be called when no mutex is held.
type tapEnd = func() (sub *Subscription, tell func())

// tap is a Tap on a bus: a registration on each of its signals.
type tap struct {
	bus     *Bus
	fn      tapFunc
	names   []string // read only: of the signals; none: all
	entry   uintptr
	calls   atomic.Uint64
	ends    map[member]tapEnd // end the tap on one signal; under bus.mu
	leaving []*Subscription   // ended, perhaps with a call in flight; under bus.mu
}

// on and off must be called with bus.mu held, what off returns without it.
func (t *tap) on(m member) {
	if len(t.names) == 0 || slices.Contains(t.names, m.settings().name) {
		t.ends[m] = m.tap(t)
	}
}

func (t *tap) off(m member) (tell func()) {
	end := t.ends[m]
	if end == nil {
		return func() {}
	}
	delete(t.ends, m)
	sub, tell := end()
	if sub != nil {
		t.leaving = append(slices.DeleteFunc(t.leaving, func(s *Subscription) bool { return !s.reg.busy() }), sub)
	}
	return tell
}

func (t *tap) unsubscribe() bool {
	b := t.bus
	var untold []func()
	defer tellAll(&untold)
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.tapping, t)
	if i < 0 {
		return false
	}
	b.tapping = slices.Delete(b.tapping, i, i+1)
	b.watchLocked()
	for m := range t.ends {
		untold = append(untold, t.off(m))
	}
	return true
}

func (t *tap) wait(ctx context.Context) error {
	t.bus.mu.Lock()
	subs := slices.Clone(t.leaving)
	t.bus.mu.Unlock()
	var errs []error
	for _, s := range subs {
		errs = append(errs, s.Wait(ctx))
	}
	return errors.Join(errs...)
}

func (t *tap) busy() bool { return false }

func (t *tap) stats() ListenerStats {
	return ListenerStats{Listener: funcName(t.entry), Deliveries: t.calls.Load()}
}

// tap on an async signal: one more reader on each log.
func (s *asyncBase[T]) tap(t *tap) tapEnd {
	st := s.conf.Load()
	e := &entry[T]{sig: &s.baseSignal, st: st, fn: t.entry}
	e.sub.reg = e
	h := &handler[T]{plain: func(ctx context.Context, payload T) { t.fn(ctx, st, payload) }}
	attach := attacher(s.all(), e, h, &listenerConfig{}, nil)
	for _, r := range e.readers {
		r.hidden = true
	}
	attach()
	return func() (*Subscription, func()) {
		untold := e.detach()
		return &e.sub, func() { st.tell(untold) }
	}
}

// tap on a sync signal: one more function that its slow path calls first.
func (b *baseSignal[T]) tap(t *tap) tapEnd {
	fn := t.fn
	p := &fn
	st := b.conf.Load()
	edit := func(change func([]*tapFunc) []*tapFunc) {
		b.mu.Lock()
		defer b.mu.Unlock()
		var old []*tapFunc
		if l := st.taps.Load(); l != nil {
			old = *l
		}
		next := change(slices.Clone(old))
		st.taps.Store(&next)
	}
	edit(func(l []*tapFunc) []*tapFunc { return append(l, p) })
	return func() (*Subscription, func()) {
		edit(func(l []*tapFunc) []*tapFunc { return slices.DeleteFunc(l, func(q *tapFunc) bool { return q == p }) })
		return nil, func() {}
	}
}

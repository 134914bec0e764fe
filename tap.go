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
	t := &tap{bus: b, names: slices.Clone(names), entry: reflect.ValueOf(fn).Pointer(), on: make(map[member]tapped)}
	t.fn = func(ctx context.Context, st *settings, payload any) {
		st.guard(ctx, "Tap", func() { fn(ctx, st.info().Name, payload) })
		t.calls.Add(1)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tapping = append(b.tapping, t)
	b.watchLocked()
	for _, m := range b.members {
		t.join(m)
	}
	return &Subscription{reg: t}
}

type tapFunc = func(ctx context.Context, st *settings, payload any)

// tapped is a tap on one signal.
type tapped struct {
	sub *Subscription        // whose calls can be waited for, or nil
	end func() (tell func()) // tell must be called when no mutex is held
}

// tap is a Tap on a bus: a registration on each of its signals.
type tap struct {
	bus     *Bus
	fn      tapFunc
	names   []string // read only: of the signals; none: all
	entry   uintptr
	calls   atomic.Uint64
	on      map[member]tapped // the signals; under bus.mu
	leaving []*Subscription   // ended, perhaps with a call in flight; under bus.mu
}

// join and off must be called with bus.mu held, what off returns without it.
func (t *tap) join(m member) {
	if len(t.names) == 0 || slices.Contains(t.names, m.settings().name) {
		t.on[m] = m.tap(t)
	}
}

func (t *tap) off(m member) (tell func()) {
	on, ok := t.on[m]
	if !ok {
		return func() {}
	}
	delete(t.on, m)
	tell = on.end()
	if on.sub != nil {
		t.leaving = append(slices.DeleteFunc(t.leaving, func(s *Subscription) bool { return !s.reg.busy() }), on.sub)
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
	for m := range t.on {
		untold = append(untold, t.off(m))
	}
	return true
}

func (t *tap) wait(ctx context.Context) error {
	t.bus.mu.Lock()
	subs := slices.Clone(t.leaving)
	for _, on := range t.on {
		if on.sub != nil {
			subs = append(subs, on.sub)
		}
	}
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
func (s *asyncBase[T]) tap(t *tap) tapped {
	st := s.conf.Load()
	e := &entry[T]{sig: &s.baseSignal, st: st, fn: t.entry}
	e.sub.reg = e
	h := &handler[T]{plain: func(ctx context.Context, payload T) { t.fn(ctx, st, payload) }}
	attach := attacher(s.all(), e, h, &listenerConfig{}, nil)
	for _, r := range e.readers {
		r.hidden = true
	}
	attach()
	return tapped{&e.sub, func() func() {
		untold := e.detach()
		return func() { st.tell(untold) }
	}}
}

// tap on a sync signal: one more function that its slow path calls first.
func (b *baseSignal[T]) tap(t *tap) tapped {
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
	return tapped{end: func() func() {
		edit(func(l []*tapFunc) []*tapFunc { return slices.DeleteFunc(l, func(q *tapFunc) bool { return q == p }) })
		return func() {}
	}}
}

package signals

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync/atomic"

	"example.com/signals/internal/chain"
	"example.com/signals/internal/engine"
	"example.com/signals/internal/listen"
	"example.com/signals/internal/source"
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
	for at := b.members.Front(); at != nil; at = at.Next() {
		t.join(at.Value.(member))
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
	return ListenerStats{Listener: source.FuncName(t.entry), Deliveries: t.calls.Load()}
}

// tap on an async signal: one more reader on each log.
func (s *asyncBase) tap(t *tap) tapped {
	st := s.conf.Load()
	e := &entry{b: &s.base, st: st, fn: t.entry}
	e.Member = listen.Member{Of: e}
	e.sub.reg = e
	h := &listen.Handler{Of: e, Plain: st.ops.Tap(func(ctx context.Context, payload any) { t.fn(ctx, st, payload) })}
	for _, g := range s.all() {
		r := g.NewReader(engine.ReaderConfig{Member: &e.Member, Handler: h, Hidden: true})
		e.readers = append(e.readers, r)
		r.Attach(0)
	}
	return tapped{&e.sub, func() func() {
		tell := e.detach()
		return func() {
			for _, f := range tell {
				f()
			}
		}
	}}
}

// tap on a sync signal: one more function that its slow path calls first.
func (b *base) tap(t *tap) tapped {
	st := b.conf.Load()
	fn := func(ctx context.Context, payload any) { t.fn(ctx, st, payload) }
	p := &fn
	edit := func(change func([]*chain.Tap) []*chain.Tap) {
		b.mu.Lock()
		defer b.mu.Unlock()
		var old []*chain.Tap
		if l := st.chain.Taps.Load(); l != nil {
			old = *l
		}
		next := change(slices.Clone(old))
		st.chain.Taps.Store(&next)
	}
	edit(func(l []*chain.Tap) []*chain.Tap { return append(l, p) })
	return tapped{end: func() func() {
		edit(func(l []*chain.Tap) []*chain.Tap {
			return slices.DeleteFunc(l, func(q *chain.Tap) bool { return q == p })
		})
		return func() {}
	}}
}

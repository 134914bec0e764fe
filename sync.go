package signals

import (
	"context"
	"errors"
	"fmt"
)

// SyncSignal calls its listeners in the goroutine that emits: by priority,
// then in registration order. The zero value is ready; it must not be copied.
type SyncSignal[T any] struct {
	baseSignal[T]
}

// Undo takes back what a Step did. Its context has the values of the one that
// the emission had, but is never cancelled.
type Undo func(context.Context) error

// NewSync makes a sync signal. An option that only async signals have panics.
func NewSync[T any](opts ...Option) *SyncSignal[T] {
	s := new(SyncSignal[T])
	st := newSettings(KindSync, payloadOf[T](), opts).made()
	s.init(st)
	if st.bus != nil {
		st.bus.join(s)
	}
	return s
}

// Init gives options to a signal that is held by value, and returns it. It
// panics after the signal's first use.
func (s *SyncSignal[T]) Init(opts ...Option) *SyncSignal[T] {
	st := newSettings(KindSync, payloadOf[T](), opts).made()
	s.init(st)
	if st.bus != nil {
		st.bus.join(s)
	}
	return s
}

// Emit calls every listener that was registered when it began, and returns
// when all have run. It never looks at ctx. A failure or panic of a listener
// goes to the failure handler, and the next listener is called. It takes no
// lock and allocates nothing.
func (s *SyncSignal[T]) Emit(ctx context.Context, payload T) {
	l := s.list.Load()
	switch {
	case l == nil || ctx == nil:
		s.emitOther(ctx, payload, l)
		return
	case l.only == nil:
		if l.fast {
			l.emitAll(ctx, payload)
		} else {
			s.emitOther(ctx, payload, l)
		}
		return
	}
	defer func() {
		if ctx != nil {
			l.goOn(ctx, payload, 0, recover())
		}
	}()
	l.only(ctx, payload)
	ctx = nil // it has come back
}

// emitAll is Emit for several listeners.
func (l *snapshot[T]) emitAll(ctx context.Context, payload T) {
	at := 0
	defer func() {
		if at >= 0 {
			l.goOn(ctx, payload, at, recover())
		}
	}()
	for plain := l.plain; at < len(plain); at++ { // the hot loop
		plain[at](ctx, payload)
	}
	at = -1
}

// goOn reports that the listener at that index panicked, and calls those
// behind it. A Goexit, which is no panic, passes through.
func (l *snapshot[T]) goOn(ctx context.Context, payload T, at int, panicked any) {
	if panicked == nil {
		return
	}
	l.rows[at].report(ctx, payload, newPanicError(panicked))
	for _, r := range l.rows[at+1:] {
		if _, err := r.h.call(ctx, payload); err != nil {
			r.report(ctx, payload, err)
		}
		if l.counts {
			r.delivered.add(1)
			r.st.delivered.add(1)
		}
	}
}

// emitOther is Emit for what is not so fast; without options and observers it
// counts. One emission of 64 is then timed, and goes the slow way.
func (s *SyncSignal[T]) emitOther(ctx context.Context, payload T, l *snapshot[T]) {
	switch {
	case l == nil:
		s.touch()
		return
	case ctx == nil:
		s.Emit(context.Background(), payload)
		return
	case !l.counts:
		s.emitSlow(ctx, payload, l, 0)
		return
	}
	st, k := s.conf.Load(), stripeHere()
	emitted := st.emitted.at(k)
	if l.slow || st.watched.Load() || emitted.Load()%sampleEvery == 0 {
		s.emitSlow(ctx, payload, l, k)
		return
	}
	emitted.Add(1)
	if len(l.plain) != 1 {
		l.emitAllCounted(ctx, payload, st, k)
		return
	}
	defer func() {
		if ctx != nil {
			l.goOnCounted(ctx, payload, 0, recover(), k)
		}
	}()
	l.plain[0](ctx, payload)
	l.rows[0].delivered.at(k).Add(1)
	st.delivered.at(k).Add(1)
	ctx = nil
}

// emitAllCounted is emitAll with counters.
func (l *snapshot[T]) emitAllCounted(ctx context.Context, payload T, st *settings, k uint64) {
	at, n := 0, len(l.plain)
	defer func() {
		if at >= 0 {
			l.goOnCounted(ctx, payload, at, recover(), k)
		}
	}()
	for ; at < n; at++ {
		l.plain[at](ctx, payload)
		l.rows[at].delivered.at(k).Add(1)
	}
	at = -1
	st.delivered.at(k).Add(uint64(n))
}

// goOnCounted counts what ran, a call that panicked as well, and goes on.
func (l *snapshot[T]) goOnCounted(ctx context.Context, payload T, at int, panicked any, k uint64) {
	r, ran := l.rows[at], at
	if panicked != nil {
		r.delivered.at(k).Add(1)
		ran++
	}
	r.st.delivered.at(k).Add(uint64(ran))
	l.goOn(ctx, payload, at, panicked)
}

// TryEmit calls the listeners in order and stops at the first failure, which
// it returns as a *ListenerError, or when ctx has ended before a listener. It
// then runs the Undo of every Step completed in this call, in reverse order,
// and joins their errors. It is nil if all listeners ran without a failure. A
// failure that is returned goes to no failure handler.
func (s *SyncSignal[T]) TryEmit(ctx context.Context, payload T) error {
	l := s.list.Load()
	if l == nil {
		s.touch()
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if !l.fast {
		return s.trySlow(ctx, payload, l)
	}
	at, err, ended := l.try(ctx, payload)
	switch {
	case err == nil:
		return nil
	case ended:
		return s.stopped(ctx, at, len(l.rows))
	}
	return l.rows[at].failed(ctx, payload, err)
}

// try is run for TryEmit: it looks at ctx before each listener.
func (l *snapshot[T]) try(ctx context.Context, payload T) (at int, err error, ended bool) {
	defer recoverTo(&err)
	canEnd := ctx.Done() != nil
	for fails := l.fails; at < len(fails); at++ {
		if canEnd {
			if ended := ctx.Err(); ended != nil {
				return at, ended, true
			}
		}
		if failure := fails[at](ctx, payload); failure != nil {
			return at, failure, false
		}
	}
	return at, nil, false
}

// stopped is the error of an emission whose ctx ended.
func (s *SyncSignal[T]) stopped(ctx context.Context, ran, of int) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return fmt.Errorf("signals: %q stopped after %d of %d listeners: %w", s.conf.Load().info().Name, ran, of, err)
}

// TryEmitAll calls every listener, also after a failure, and joins the
// failures, each a *ListenerError. It stops only when ctx has ended before a
// listener. It never undoes. It is nil if all listeners ran without a failure.
func (s *SyncSignal[T]) TryEmitAll(ctx context.Context, payload T) error {
	l := s.list.Load()
	if l == nil {
		s.touch()
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	x := s.emission(l, stripeHere())
	var errs []error
	x.begin(ctx, payload)
	returned := false
	defer func() {
		if !returned { // a listener called runtime.Goexit
			errs = append(errs, ErrGoexit)
		}
		x.end(errors.Join(errs...))
	}()
	for i := range l.rows {
		if ctx.Err() != nil {
			errs = append(errs, s.stopped(ctx, i, len(l.rows)))
			break
		}
		if _, err := x.call(i, payload); err != nil {
			errs = append(errs, l.rows[i].failed(x.ctx, payload, err))
		}
	}
	returned = true
	return errors.Join(errs...)
}

// emitSlow is Emit with options, counting and observers.
func (s *SyncSignal[T]) emitSlow(ctx context.Context, payload T, l *snapshot[T], k uint64) {
	x := s.emission(l, k)
	var errs []error
	x.begin(ctx, payload)
	returned := false
	defer func() {
		if !returned { // a listener called runtime.Goexit
			errs = append(errs, ErrGoexit)
		}
		x.end(errors.Join(errs...))
	}()
	for i := range l.rows {
		if _, err := x.call(i, payload); err != nil {
			if len(x.emit) > 0 {
				errs = append(errs, l.rows[i].named(err))
			}
			l.rows[i].report(x.ctx, payload, err)
		}
	}
	returned = true
}

// trySlow is TryEmit with steps, options, counting and observers.
func (s *SyncSignal[T]) trySlow(ctx context.Context, payload T, l *snapshot[T]) (err error) {
	x := s.emission(l, stripeHere())
	var done []completed[T]
	returned := false
	x.begin(ctx, payload)
	defer func() {
		if !returned { // a listener called runtime.Goexit: undo while unwinding
			err = ErrGoexit
		}
		defer func() { x.end(err) }()
		if err != nil {
			err = s.undo(ctx, payload, done, err, returned)
		}
	}()
	for i := range l.rows {
		if ctx.Err() != nil {
			returned = true
			return s.stopped(ctx, i, len(l.rows))
		}
		undo, err := x.call(i, payload)
		if err != nil {
			returned = true
			return l.rows[i].failed(x.ctx, payload, err)
		}
		if undo != nil {
			done = append(done, completed[T]{l.rows[i].entry, i, undo})
		}
	}
	returned = true
	return nil
}

// completed is a Step whose do has succeeded in the TryEmit under way.
type completed[T any] struct {
	e     *entry[T]
	index int
	undo  Undo
}

// undo runs the Undo of the completed steps in reverse order, the rest of them
// also if one panics or calls runtime.Goexit. It returns the failure joined
// with theirs; when nobody is there to get it, they go to the handler.
func (s *SyncSignal[T]) undo(ctx context.Context, payload T, done []completed[T], failure error, returned bool) (err error) {
	ctx = context.WithoutCancel(ctx)
	errs := []error{failure}
	for _, step := range done {
		defer func() {
			info := step.e.info()
			uerr := step.run(ctx)
			if uerr == nil {
				return
			}
			uerr = fmt.Errorf("undo: %w", uerr)
			errs = append(errs, &ListenerError{Signal: info.Signal.Name, Key: step.e.key, Index: step.index, Listener: info.Listener, Err: uerr})
			err = errors.Join(errs...)
			if !returned {
				step.e.report(ctx, payload, uerr)
			}
		}()
	}
	return failure
}

func (c *completed[T]) run(ctx context.Context) (err error) {
	defer recoverTo(&err)
	return c.undo(ctx)
}

// emission is one emission on the slow path.
type emission[T any] struct {
	s     *SyncSignal[T]
	l     *snapshot[T]
	k     uint64          // the stripe to count in
	emit  hooks           // the observers of the emission
	hk    hooks           // those of the deliveries
	ctx   context.Context // for the listeners: what the observers made of it
	slow  *stopwatch      // SlowAfter
	timed bool            // this emission is one of the sample
	calls uint64          // that have come to an end
}

func (s *SyncSignal[T]) emission(l *snapshot[T], k uint64) emission[T] {
	x := emission[T]{s: s, l: l, k: k}
	if st := s.conf.Load(); st != nil {
		x.emit, x.hk = st.hooks(emitting), st.hooks(delivering)
	}
	return x
}

func (x *emission[T]) begin(ctx context.Context, payload T) {
	x.ctx = ctx
	st := x.s.conf.Load()
	if st == nil {
		return // no listener yet, no options
	}
	if st.emitted != nil {
		x.timed = (st.emitted.at(x.k).Add(1)-1)%sampleEvery == 0
	}
	if len(x.emit) > 0 {
		x.ctx = x.emit.emitBegin(ctx, st)
	}
	if taps := st.taps.Load(); taps != nil {
		for _, tap := range *taps {
			(*tap)(x.ctx, st, payload)
		}
	}
	if st.slowAfter > 0 && len(x.l.rows) > 0 {
		l := x.l
		x.slow = startStopwatch(st, func(i int) *ListenerInfo { return l.rows[i].info() })
	}
}

func (x *emission[T]) end(err error) {
	if x.slow != nil {
		x.slow.stop()
	}
	if x.calls > 0 {
		x.s.conf.Load().delivered.at(x.k).Add(x.calls)
	}
	if len(x.emit) > 0 {
		x.emit.emitEnd(x.ctx, x.s.conf.Load(), err)
	}
}

// call runs listener i, unless its options turn the payload away.
func (x *emission[T]) call(i int, payload T) (undo Undo, err error) {
	r := x.l.rows[i]
	if x.slow != nil {
		x.slow.enter(i)
	}
	undo, called, err := r.invoke(x.ctx, r.h, payload, x.hk, x.timed)
	if called && r.delivered != nil {
		r.delivered.at(x.k).Add(1)
		x.calls++
	}
	return undo, err
}

// invoke runs the listener e for one emission, unless its options turn the
// payload away, between the observers' calls, and times it if it is to be.
func (e *entry[T]) invoke(ctx context.Context, h *handler[T], payload T, hk hooks, timed bool) (undo Undo, called bool, err error) {
	if h.special() {
		ok, err := h.wants(payload)
		if !ok || err != nil {
			return nil, false, err
		}
		if e.removed() || h.once && !e.claimOnce() {
			return nil, false, nil
		}
	}
	if len(hk) == 0 && !timed {
		undo, err = h.call(ctx, payload)
		return undo, true, err
	}
	if len(hk) > 0 {
		ctx = hk.listenerBegin(ctx, e.st, e.info())
	}
	begun := monotonic()
	err = ErrGoexit // unless the call comes back
	defer func() {
		took := monotonic() - begun
		if timed {
			e.timing.add(took)
		}
		if len(hk) > 0 {
			hk.listenerEnd(ctx, e.st, e.info(), took, err)
		}
	}()
	undo, err = h.call(ctx, payload)
	return undo, true, err
}

// AddListener registers fn, under a key if one is given. It returns the number
// of listeners, or -1 if the key is taken. A nil fn, or a second key, panics.
func (s *SyncSignal[T]) AddListener(fn func(context.Context, T), key ...string) int {
	n, _, _ := s.register("AddListener", &handler[T]{plain: fn}, fn, s.keyed("AddListener", key))
	return n
}

// AddListenerWithErr is AddListener for a listener that can fail.
func (s *SyncSignal[T]) AddListenerWithErr(fn func(context.Context, T) error, key ...string) int {
	n, _, _ := s.register("AddListenerWithErr", &handler[T]{fails: fn}, fn, s.keyed("AddListenerWithErr", key))
	return n
}

// Subscribe registers fn and returns the handle of this registration. It
// panics on a nil fn, a taken key, and options that make no sense.
func (s *SyncSignal[T]) Subscribe(fn func(context.Context, T) error, opts ...ListenerOption) *Subscription {
	_, sub, err := s.register("Subscribe", &handler[T]{fails: fn}, fn, opts)
	return orPanic(sub, err)
}

// TrySubscribe is Subscribe, but returns ErrKeyTaken for a taken key and
// ErrClosed for a closed scope.
func (s *SyncSignal[T]) TrySubscribe(fn func(context.Context, T) error, opts ...ListenerOption) (*Subscription, error) {
	_, sub, err := s.register("TrySubscribe", &handler[T]{fails: fn}, fn, opts)
	return orError(sub, err)
}

// Step registers a listener that returns how to take back what it did, or nil
// if there is nothing to take back. When TryEmit fails at a later listener, it
// runs the Undo of each completed step, in reverse order; a step that returns
// an error has not completed. Emit and TryEmitAll never undo. Step panics as
// Subscribe does.
func (s *SyncSignal[T]) Step(do func(context.Context, T) (Undo, error), opts ...ListenerOption) *Subscription {
	_, sub, err := s.register("Step", &handler[T]{step: do}, do, opts)
	return orPanic(sub, err)
}

func (s *SyncSignal[T]) keyed(call string, key []string) []ListenerOption {
	return s.settle(KindSync).keyOption(call, key)
}

func (s *SyncSignal[T]) register(call string, h *handler[T], fn any, opts []ListenerOption) (int, *Subscription, error) {
	st := s.settle(KindSync)
	e, _ := newEntry(&s.baseSignal, st, call, h, fn, opts)
	return e.enlist(h, nil)
}

// Stats returns what the signal has counted.
func (s *SyncSignal[T]) Stats() SignalStats { return s.statsCommon(s.settle(KindSync)) }

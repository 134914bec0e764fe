package signals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// AsyncSignal accepts emissions and calls its listeners on goroutines of its
// own, which it starts when there is work and ends when there is none. The
// zero value is ready; it must not be copied.
type AsyncSignal[T any] struct {
	asyncBase[T]
}

// asyncBase is what AsyncSignal and ShardedSignal share.
type asyncBase[T any] struct {
	baseSignal[T]
	engines atomic.Pointer[[]*engine[T]] // one a shard; set once, at first use
	first   atomic.Pointer[engine[T]]    // of those, for Emit; set after that
}

// New makes an async signal.
func New[T any](opts ...Option) *AsyncSignal[T] {
	s := newAsync[T](opts)
	if b := s.conf.Load().bus; b != nil {
		b.join(s)
	}
	return s
}

// newAsync makes an async signal that has not joined its bus.
func newAsync[T any](opts []Option) *AsyncSignal[T] {
	s := new(AsyncSignal[T])
	s.open(newSettings(KindAsync, payloadOf[T](), opts).made(), 1)
	return s
}

// Init gives options to a signal that is held by value, and returns it. It
// panics after the signal's first use.
func (s *AsyncSignal[T]) Init(opts ...Option) *AsyncSignal[T] {
	s.open(newSettings(KindAsync, payloadOf[T](), opts).made(), 1)
	if b := s.conf.Load().bus; b != nil {
		b.join(s)
	}
	return s
}

// open gives a signal its settings and engines before its first use.
func (s *asyncBase[T]) open(st *settings, shards int) {
	s.init(st)
	s.equip(st, shards)
}

// equip makes the engines.
func (s *asyncBase[T]) equip(st *settings, shards int) []*engine[T] {
	var b *budget[T]
	if st.maxWorkers > 0 {
		b = &budget[T]{max: st.maxWorkers}
	}
	gs := make([]*engine[T], shards)
	for i := range gs {
		gs[i] = newEngine(&s.baseSignal, st, b)
	}
	s.engines.CompareAndSwap(nil, &gs)
	all := *s.engines.Load()
	s.first.Store(all[0])
	return all
}

// all returns the engines; it makes those of a zero signal.
func (s *asyncBase[T]) all() []*engine[T] {
	if gs := s.engines.Load(); gs != nil {
		return *gs
	}
	s.touch()
	return s.equip(s.settle(KindAsync), 1)
}

// Emit hands payload to every listener that is registered when it is accepted,
// and returns then: it waits for nobody, unless Capacity with Block bounds the
// signal. It costs the same for one listener and for a thousand. Listeners get
// ctx without its cancellation and deadline. An emission that is refused is
// reported to the failure handler; use Offer to know.
func (s *AsyncSignal[T]) Emit(ctx context.Context, payload T) {
	s.accept(s.first.Load(), ctx, payload)
}

// Offer is Emit that says whether the emission was accepted: nil, or an error
// that is ErrOverflow, ErrClosed, or what ctx.Err returned when it ended while
// waiting for room.
func (s *AsyncSignal[T]) Offer(ctx context.Context, payload T) error {
	return s.offer(s.all()[0], orBackground(ctx), payload)
}

// EmitWait emits, waits until every listener has run, and joins their
// failures, each a *ListenerError; one that was dropped is ErrDropped.
// Listeners get ctx as it is. If the emission is refused the error is as of
// Offer. If ctx ends after it was accepted, EmitWait returns ctx.Err and
// delivery goes on. Inside a listener of the same signal it returns
// ErrWouldDeadlock and nothing is emitted.
func (s *AsyncSignal[T]) EmitWait(ctx context.Context, payload T) error {
	return s.emitWait(s.all()[0], orBackground(ctx), payload)
}

func (s *asyncBase[T]) emit(g *engine[T], ctx context.Context, payload T) { //nolint:revive // ctx follows the receiver's part
	if g == nil {
		g = s.all()[0]
	}
	ctx = orBackground(ctx)
	if err := s.offer(g, ctx, payload); err != nil {
		s.refuse(ctx, payload, err)
	}
}

func (s *asyncBase[T]) offer(g *engine[T], ctx context.Context, payload T) error { //nolint:revive // as emit
	hk := g.st.hooks(emitting)
	if len(hk) == 0 {
		return g.offer(ctx, detached(ctx), payload, nil)
	}
	seen := hk.emitBegin(ctx, g.st)
	err := g.offer(ctx, detached(seen), payload, nil)
	hk.emitEnd(seen, g.st, err)
	return err
}

func (s *asyncBase[T]) emitWait(g *engine[T], ctx context.Context, payload T) error { //nolint:revive // as emit
	if insideOf(g.st.id) {
		return &opError{"EmitWait on", g.st.info().Name, ErrWouldDeadlock}
	}
	hk := g.st.hooks(emitting)
	seen := ctx
	if len(hk) > 0 {
		seen = hk.emitBegin(ctx, g.st)
	}
	w := &waiter{done: make(chan struct{})}
	err := g.offer(ctx, seen, payload, w)
	if len(hk) > 0 {
		hk.emitEnd(seen, g.st, err)
	}
	if err != nil {
		return err
	}
	select {
	case <-w.done:
		return joined(w.errs)
	case <-ctx.Done():
	}
	select {
	case <-w.done: // both at once: what happened says more
		return joined(w.errs)
	default:
		return &opError{"EmitWait on", g.st.info().Name, ctx.Err()}
	}
}

func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// Drain returns when every emission accepted before it was called is finished:
// nil, or an error that wraps ctx.Err and says how many are left. Inside a
// listener of the same signal it returns ErrWouldDeadlock.
func (s *asyncBase[T]) Drain(ctx context.Context) error {
	return s.drain(orBackground(ctx), "drain of")
}

func (s *asyncBase[T]) drain(ctx context.Context, op string) error {
	gs := s.all()
	st := s.conf.Load()
	if insideOf(st.id) {
		return &opError{op, st.info().Name, ErrWouldDeadlock}
	}
	barriers := make([]*barrier, len(gs))
	for i, g := range gs {
		barriers[i] = g.barrier()
	}
	for _, b := range barriers {
		select {
		case <-b.done:
			continue
		default:
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			for i, g := range gs {
				g.abandon(barriers[i])
			}
			return &opError{op, st.info().Name, fmt.Errorf("%w with %d emissions left", ctx.Err(), s.Pending())}
		}
	}
	return nil
}

// barrier makes a barrier at the end of the log; it is done at once if nothing
// before it is unfinished.
func (g *engine[T]) barrier() *barrier {
	g.mu.Lock()
	defer g.unlock()
	b := &barrier{pos: g.end, done: make(chan struct{})}
	for _, rs := range [2][]*reader[T]{g.readers, g.leaving} {
		for _, r := range rs {
			if r.done < b.pos {
				b.left++
			}
		}
	}
	if b.left == 0 {
		close(b.done)
	} else {
		g.barriers = append(g.barriers, b)
	}
	return b
}

// abandon takes back a barrier that nobody waits for any more.
func (g *engine[T]) abandon(b *barrier) {
	g.mu.Lock()
	defer g.unlock()
	if i := slices.Index(g.barriers, b); i >= 0 {
		g.barriers = slices.Delete(g.barriers, i, i+1)
	}
}

// Close refuses emissions from now on, those that wait for room too, and
// returns when every accepted one is finished: nil, or an error that wraps
// ctx.Err and says how many are left; call it again to wait on. It may be
// called from several goroutines and more than once. The signal leaves its
// bus. Inside a listener of the same signal it returns ErrWouldDeadlock and
// closes nothing.
func (s *asyncBase[T]) Close(ctx context.Context) error {
	gs := s.all()
	st := s.conf.Load()
	if insideOf(st.id) {
		return &opError{"close of", st.info().Name, ErrWouldDeadlock}
	}
	for _, g := range gs {
		g.shut()
	}
	if err := s.drain(orBackground(ctx), "close of"); err != nil {
		return err
	}
	if st.bus != nil {
		st.bus.left(st)
	}
	return nil
}

// shut makes the engine refuse.
func (g *engine[T]) shut() {
	g.mu.Lock()
	defer g.unlock()
	g.closed, g.gated = true, true
	g.turnAway()
	for _, r := range g.readers {
		if r.pull != nil {
			wake(r.pull) // its loop ends when it has seen all
		}
	}
}

// guard makes the engine refuse emissions from outside its bus.
func (g *engine[T]) guard() {
	g.mu.Lock()
	defer g.unlock()
	g.guarded, g.gated = true, true
	g.turnAway()
}

// unguard ends that.
func (g *engine[T]) unguard() {
	g.mu.Lock()
	defer g.unlock()
	g.guarded, g.gated = false, g.closed || g.capacity > 0
}

// Pending returns the number of emissions that were accepted and are not yet
// finished by every listener that should get them.
func (s *asyncBase[T]) Pending() int {
	n := 0
	for _, g := range s.all() {
		g.mu.Lock()
		n += g.unfinished()
		g.unlock()
	}
	return n
}

// accepted returns the number of emissions accepted so far.
func (s *asyncBase[T]) accepted() (n uint64) {
	for _, g := range s.all() {
		g.mu.Lock()
		n += g.end
		g.unlock()
	}
	return n
}

// Stats returns what the signal has counted.
func (s *asyncBase[T]) Stats() SignalStats {
	gs := s.all()
	stats := s.statsCommon(s.conf.Load())
	for _, g := range gs {
		g.mu.Lock()
		stats.Pending += g.unfinished()
		stats.Emissions += g.end
		stats.Deliveries += g.run
		for _, rs := range [2][]*reader[T]{g.readers, g.leaving} {
			for _, r := range rs {
				stats.Deliveries += r.progress()
			}
		}
		stats.Drops += g.dropped
		stats.Refusals += g.refused
		stats.OverCapacity += g.over
		stats.Workers += g.workers
		stats.Closed = g.closed
		g.unlock()
	}
	return stats
}

// AddListener registers fn, under a key if one is given. It returns the number
// of listeners, or -1 if the key is taken. A nil fn, or a second key, panics.
// On a closed signal it succeeds, and fn is never called.
func (s *asyncBase[T]) AddListener(fn func(context.Context, T), key ...string) int {
	n, _, _ := s.register("AddListener", &handler[T]{plain: fn}, fn, s.keyed("AddListener", key))
	return n
}

// AddListenerWithErr is AddListener for a listener that can fail.
func (s *asyncBase[T]) AddListenerWithErr(fn func(context.Context, T) error, key ...string) int {
	n, _, _ := s.register("AddListenerWithErr", &handler[T]{fails: fn}, fn, s.keyed("AddListenerWithErr", key))
	return n
}

// Subscribe registers fn and returns the handle of this registration. It
// panics on a nil fn, a taken key, and options that make no sense. On a closed
// signal it succeeds, and fn is never called.
func (s *asyncBase[T]) Subscribe(fn func(context.Context, T) error, opts ...ListenerOption) *Subscription {
	_, sub, err := s.register("Subscribe", &handler[T]{fails: fn}, fn, opts)
	return orPanic(sub, err)
}

// TrySubscribe is Subscribe, but returns ErrKeyTaken for a taken key and
// ErrClosed for a closed signal or scope.
func (s *asyncBase[T]) TrySubscribe(fn func(context.Context, T) error, opts ...ListenerOption) (*Subscription, error) {
	for _, g := range s.all() {
		if g.isClosed() {
			return nil, &opError{"subscribe to", g.st.info().Name, ErrClosed}
		}
	}
	_, sub, err := s.register("TrySubscribe", &handler[T]{fails: fn}, fn, opts)
	return orError(sub, err)
}

func (g *engine[T]) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

func (s *asyncBase[T]) keyed(call string, key []string) []ListenerOption {
	s.all()
	return s.conf.Load().keyOption(call, key)
}

func (s *asyncBase[T]) register(call string, h *handler[T], fn any, opts []ListenerOption) (int, *Subscription, error) {
	gs := s.all()
	e, c := newEntry(&s.baseSignal, s.conf.Load(), call, h, fn, opts)
	return e.enlist(h, attacher(gs, e, h, c, nil))
}

// attacher makes the readers of an entry and returns what attaches them.
func attacher[T any](gs []*engine[T], e *entry[T], h *handler[T], c *listenerConfig, pull chan struct{}) func() {
	for _, g := range gs {
		e.readers = append(e.readers, &reader[T]{
			e: e, h: h, g: g, conc: max(c.concurrency, 1), maxLag: c.maxLag, policy: c.lagPolicy, pull: pull,
		})
	}
	return func() {
		for _, r := range e.readers {
			r.g.attach(r, e.priority)
		}
	}
}

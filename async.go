package signals

import (
	"context"
	"sync/atomic"

	"example.com/signals/internal/engine"
	"example.com/signals/internal/listen"
)

// AsyncSignal accepts emissions and calls its listeners on goroutines of its
// own, which it starts when there is work and ends when there is none. The
// zero value is ready; it must not be copied.
type AsyncSignal[T any] struct {
	asyncSignal[T]
}

// New makes an async signal.
func New[T any](opts ...Option) *AsyncSignal[T] {
	s := new(AsyncSignal[T])
	join(s, s.open(KindAsync, engine.Typed[T]{}, opts, 1))
	return s
}

// Init gives options to a signal that is held by value, and returns it. It
// panics after the signal's first use.
func (s *AsyncSignal[T]) Init(opts ...Option) *AsyncSignal[T] {
	join(s, s.open(KindAsync, engine.Typed[T]{}, opts, 1))
	return s
}

// Emit hands payload to every listener that is registered when it is accepted,
// and returns then: it waits for nobody, unless Capacity with Block bounds the
// signal. It costs the same for one listener and for a thousand. Listeners get
// ctx without its cancellation and deadline. An emission that is refused is
// reported to the failure handler; use Offer to know.
func (s *AsyncSignal[T]) Emit(ctx context.Context, payload T) {
	g := s.first.Load()
	if g == nil || ctx == nil || !engine.Accept(g, ctx, payload) {
		s.emit(s.engine(), ctx, payload)
	}
}

// Offer is Emit that says whether the emission was accepted: nil, or an error
// that is ErrOverflow, ErrClosed, or what ctx.Err returned when it ended while
// waiting for room.
func (s *AsyncSignal[T]) Offer(ctx context.Context, payload T) error {
	return engine.Offer(s.engine(), orBackground(ctx), payload, nil)
}

// EmitWait emits, waits until every listener has run, and joins their
// failures, each a *ListenerError; one that was dropped is ErrDropped.
// Listeners get ctx as it is. If the emission is refused the error is as of
// Offer. If ctx ends after it was accepted, EmitWait returns ctx.Err and
// delivery goes on. Inside a listener of the same signal it returns
// ErrWouldDeadlock and nothing is emitted.
func (s *AsyncSignal[T]) EmitWait(ctx context.Context, payload T) error {
	return s.emitWait(s.engine(), orBackground(ctx), payload)
}

func (s *AsyncSignal[T]) engine() *engine.Engine { return s.ready()[0] }

// asyncSignal is what AsyncSignal and ShardedSignal share.
type asyncSignal[T any] struct {
	asyncBase
}

// ready returns the engines; it makes those of a zero signal.
func (s *asyncSignal[T]) ready() []*engine.Engine {
	if gs := s.engines.Load(); gs != nil {
		return *gs
	}
	return s.equip(engine.Typed[T]{})
}

func (s *asyncSignal[T]) emit(g *engine.Engine, ctx context.Context, payload T) { //nolint:revive // g is the receiver's part
	ctx = orBackground(ctx)
	if err := engine.Offer(g, ctx, payload, nil); err != nil {
		s.conf.Load().hand(ctx, Failure{Signal: s.conf.Load().Name(), Payload: payload, Err: err})
	}
}

func (s *asyncSignal[T]) emitWait(g *engine.Engine, ctx context.Context, payload T) error { //nolint:revive // as emit
	if err := engine.MayWait(*s.engines.Load(), "EmitWait on"); err != nil {
		return err
	}
	w := engine.NewWaiter()
	if err := engine.Offer(g, ctx, payload, w); err != nil {
		return err
	}
	return g.Wait(ctx, w)
}

// Pending returns the number of emissions that were accepted and are not yet
// finished by every listener that should get them.
func (s *asyncSignal[T]) Pending() int { return engine.Pending(s.ready()) }

// AddListener registers fn, under a key if one is given. It returns the number
// of listeners, or -1 if the key is taken. A nil fn, or a second key, panics.
// On a closed signal it succeeds, and fn is never called.
func (s *asyncSignal[T]) AddListener(fn func(context.Context, T), key ...string) int {
	return s.enroll("AddListener", &listen.Handler{Plain: listen.Pack(fn)}).keyed(key)
}

// AddListenerWithErr is AddListener for a listener that can fail.
func (s *asyncSignal[T]) AddListenerWithErr(fn func(context.Context, T) error, key ...string) int {
	return s.enroll("AddListenerWithErr", &listen.Handler{Fails: listen.Pack(fn)}).keyed(key)
}

// Subscribe registers fn and returns the handle of this registration. It
// panics on a nil fn, a taken key, and options that make no sense. On a closed
// signal it succeeds, and fn is never called.
func (s *asyncSignal[T]) Subscribe(fn func(context.Context, T) error, opts ...ListenerOption) *Subscription {
	return s.enroll("Subscribe", &listen.Handler{Fails: listen.Pack(fn)}).orPanic(opts)
}

// TrySubscribe is Subscribe, but returns ErrKeyTaken for a taken key and
// ErrClosed for a closed signal or scope.
func (s *asyncSignal[T]) TrySubscribe(fn func(context.Context, T) error, opts ...ListenerOption) (*Subscription, error) {
	return s.enroll("TrySubscribe", &listen.Handler{Fails: listen.Pack(fn)}).orError(opts)
}

func (s *asyncSignal[T]) enroll(call string, h *listen.Handler) *registration {
	gs := s.ready()
	return &registration{b: &s.base, st: s.conf.Load(), call: call, h: h, engines: gs}
}

// Drain returns when every emission accepted before it was called is finished:
// nil, or an error that wraps ctx.Err and says how many are left. What its
// listeners emit meanwhile is not waited for: for that there are Close and
// Bus.Drain. Inside a listener of the same signal it returns ErrWouldDeadlock.
func (s *asyncSignal[T]) Drain(ctx context.Context) error { return drain(s.ready(), ctx) }

// Close refuses emissions from now on, those that wait for room too, and
// returns when every accepted one is finished: nil, or an error that wraps
// ctx.Err and says how many are left; call it again to wait on. It may be
// called from several goroutines and more than once. The signal leaves its
// bus. Inside a listener of the same signal it returns ErrWouldDeadlock and
// closes nothing.
func (s *asyncSignal[T]) Close(ctx context.Context) error {
	s.ready()
	return s.close(orBackground(ctx))
}

// Stats returns what the signal has counted.
func (s *asyncSignal[T]) Stats() SignalStats {
	s.ready()
	return s.asyncStats()
}

// Refuse reports an emission that did not reach the signal, because a wrapper
// around it, such as a rate limiter, turned it away: what happens to a refused
// Emit happens to it. It is counted, and a Failure without a listener goes to the
// failure handler with err as its reason. It is for wrappers; it emits nothing.
func (s *asyncSignal[T]) Refuse(ctx context.Context, payload T, err error) {
	s.ready()
	s.conf.Load().turnedAway(orBackground(ctx), payload, err)
}

// asyncBase is what knows no payload type.
type asyncBase struct {
	base
	engines atomic.Pointer[[]*engine.Engine] // one a shard; set once, at first use
	first   atomic.Pointer[engine.Engine]    // of those, for Emit; set after that
}

// equip makes the engine of a zero signal.
func (s *asyncBase) equip(ops engine.Payload) []*engine.Engine {
	s.touch()
	return s.keep(s.settle(KindAsync, ops).equip(1))
}

// keep notes the engines where Emit finds them.
func (s *asyncBase) keep(gs []*engine.Engine) []*engine.Engine {
	s.engines.CompareAndSwap(nil, &gs)
	s.first.Store(gs[0])
	return gs
}

// open gives a signal its settings, and an async one its engines, before its
// first use.
func (b *base) open(kind Kind, ops engine.Payload, opts []Option, shards int) *settings {
	st := newSettings(kind, ops, opts).made()
	b.init(st)
	return st
}

func (s *asyncBase) open(kind Kind, ops engine.Payload, opts []Option, shards int) *settings {
	st := newSettings(kind, ops, opts).made()
	s.init(st)
	s.keep(st.equip(shards))
	return st
}

// all returns the engines, of which a zero signal that was not used has none.
func (s *asyncBase) all() []*engine.Engine {
	if gs := s.engines.Load(); gs != nil {
		return *gs
	}
	return nil
}

func drain(gs []*engine.Engine, ctx context.Context) error { //nolint:revive // the engines are the receiver
	if err := engine.MayWait(gs, "drain of"); err != nil {
		return err
	}
	return engine.Drain(orBackground(ctx), gs, "drain of")
}

func (s *asyncBase) close(ctx context.Context) error {
	gs, st := s.all(), s.conf.Load()
	if err := engine.MayWait(gs, "close of"); err != nil {
		return err
	}
	s.shut()
	err := engine.Drain(ctx, gs, "close of")
	if st.bus == nil {
		return err
	}
	if err == nil {
		st.bus.left(st)
	} else { // it leaves when it has drained, also if nobody waits any more
		engine.AfterDrain(gs, func() { st.bus.left(st) })
	}
	return err
}

// shut makes the signal refuse.
func (s *asyncBase) shut() {
	for _, g := range s.all() {
		g.Close()
	}
}

// guard makes it refuse emissions from outside its bus, or ends that.
func (s *asyncBase) guard(on bool) {
	for _, g := range s.all() {
		g.Guard(on)
	}
}

// accepted returns the number of emissions accepted so far.
func (s *asyncBase) accepted() uint64 { return engine.Accepted(s.all()) }

package signals

import (
	"context"
	"sync/atomic"
	"unsafe"

	"example.com/signals/internal/engine"
)

// AsyncSignal accepts emissions and calls its listeners on goroutines of its
// own, which it starts when there is work and ends when there is none. The
// zero value is ready; it must not be copied. A payload of 64 KB or more by value
// does not compile, as no channel takes one: emit a pointer to it.
type AsyncSignal[T any] struct {
	signal
	first atomic.Pointer[engine.Engine] // the one engine, for Emit; set at first use
}

// New makes an async signal.
func New[T any](opts ...Option) *AsyncSignal[T] { return new(AsyncSignal[T]).Init(opts...) }

// Init gives options to a signal that is held by value, and returns it. It
// panics after the signal's first use.
func (s *AsyncSignal[T]) Init(opts ...Option) *AsyncSignal[T] {
	s.b.openAsync(KindAsync, (*engine.Slot[T])(nil), opts, 1, unsafe.Pointer(s), &s.first)
	return s
}

// Emit hands payload to every listener that is registered when it is accepted,
// and returns then: it waits for nobody, unless Capacity with Block bounds the
// signal. It costs the same for one listener and for a thousand. Listeners get
// ctx without its cancellation and deadline. An emission that is refused is
// reported to the failure handler; use Offer to know.
func (s *AsyncSignal[T]) Emit(ctx context.Context, payload T) {
	g := s.first.Load()
	if g != nil && ctx != nil && engine.Accept(g, ctx, payload) {
		return
	}
	if err := s.Offer(ctx, payload); err != nil {
		s.b.conf.Load().rejected(ctx, payload, err)
	}
}

// Offer is Emit that says whether the emission was accepted: nil, or an error
// that is ErrOverflow, ErrClosed, or what ctx.Err returned when it ended while
// waiting for room.
func (s *AsyncSignal[T]) Offer(ctx context.Context, payload T) error {
	return engine.Offer(s.b.one((*engine.Slot[T])(nil), &s.first), ctx, payload, nil)
}

// EmitWait emits, waits until every listener has run, and joins their
// failures, each a *ListenerError; one that was dropped is ErrDropped.
// Listeners get ctx as it is. If the emission is refused the error is as of
// Offer. If ctx ends after it was accepted, EmitWait returns ctx.Err and
// delivery goes on. Inside a listener of the same signal it returns
// ErrWouldDeadlock and nothing is emitted.
func (s *AsyncSignal[T]) EmitWait(ctx context.Context, payload T) error {
	g := s.b.one((*engine.Slot[T])(nil), &s.first)
	w, err := engine.NewWaiter(s.b.all(), ctx)
	if err == nil {
		err = engine.Offer(g, w.Context(), payload, w)
	}
	return g.Wait(w, err)
}

// Drain returns when every emission accepted before it was called is finished:
// nil, or an error that wraps ctx.Err and says how many are left. What its
// listeners emit meanwhile is not waited for: for that there are Close and
// Bus.Drain. Inside a listener of the same signal it returns ErrWouldDeadlock.
func (s *AsyncSignal[T]) Drain(ctx context.Context) error {
	return s.b.drain((*engine.Slot[T])(nil), ctx)
}

// Close refuses emissions from now on, those that wait for room too, and
// returns when every accepted one is finished: nil, or an error that wraps
// ctx.Err and says how many are left; call it again to wait on. It may be
// called from several goroutines and more than once. The signal leaves its
// bus. Inside a listener of the same signal it returns ErrWouldDeadlock and
// closes nothing.
func (s *AsyncSignal[T]) Close(ctx context.Context) error {
	return s.b.close((*engine.Slot[T])(nil), ctx)
}

// Pending returns the number of emissions that were accepted and are not yet
// finished by every listener that should get them.
func (s *AsyncSignal[T]) Pending() int { return s.b.pending((*engine.Slot[T])(nil)) }

// AddListener registers fn, under a key if one is given. It returns the number
// of listeners, or -1 if the key is taken. A nil fn, or a second key, panics.
// On a closed signal it succeeds, and fn is never called.
func (s *AsyncSignal[T]) AddListener(fn func(context.Context, T), key ...string) int {
	return s.b.enrollAsync((*engine.Slot[T])(nil), "AddListener", unsafe.Pointer(&fn), nil).keyed(key)
}

// AddListenerWithErr is AddListener for a listener that can fail.
func (s *AsyncSignal[T]) AddListenerWithErr(fn func(context.Context, T) error, key ...string) int {
	return s.b.enrollAsync((*engine.Slot[T])(nil), "AddListenerWithErr", nil, unsafe.Pointer(&fn)).keyed(key)
}

// Subscribe registers fn and returns the handle of this registration. It
// panics on a nil fn, a taken key, and options that make no sense. On a closed
// signal it succeeds, and fn is never called.
func (s *AsyncSignal[T]) Subscribe(fn func(context.Context, T) error, opts ...ListenerOption) *Subscription {
	return s.b.enrollAsync((*engine.Slot[T])(nil), "Subscribe", nil, unsafe.Pointer(&fn)).orPanic(opts)
}

// TrySubscribe is Subscribe, but returns ErrKeyTaken for a taken key and
// ErrClosed for a closed signal or scope.
func (s *AsyncSignal[T]) TrySubscribe(fn func(context.Context, T) error, opts ...ListenerOption) (*Subscription, error) {
	return s.b.enrollAsync((*engine.Slot[T])(nil), "TrySubscribe", nil, unsafe.Pointer(&fn)).orError(opts)
}

// SubscribeBatch is Subscribe for a listener of batches, such as a bulk insert:
// each call gets what waits, in order, at least one emission and at most MaxBatch
// or a chunk of the log. No timer is involved: a batch is what came while the last
// one was handled. The slice is valid during the call. ctx has the values of that of
// the batch's first emission. A failure counts once; its Failure.Payload is a []T of
// its own, and EmitWait of each emission in the batch returns it. Once and
// Concurrency panic.
func (s *AsyncSignal[T]) SubscribeBatch(fn func(context.Context, []T) error, opts ...ListenerOption) *Subscription {
	return s.b.enrollBatch((*engine.Slot[T])(nil), unsafe.Pointer(&fn)).orPanic(opts)
}

// Stats returns what the signal has counted.
func (s *AsyncSignal[T]) Stats() (stats SignalStats) {
	s.b.stats(s.b.ready((*engine.Slot[T])(nil)), &stats)
	return stats
}

// Refuse reports an emission that did not reach the signal, because a wrapper
// around it, such as a rate limiter, turned it away: what happens to a refused
// Emit happens to it. It is counted, and a Failure without a listener goes to the
// failure handler with err as its reason. It is for wrappers; it emits nothing.
func (s *AsyncSignal[T]) Refuse(ctx context.Context, payload T, err error) {
	s.b.ready((*engine.Slot[T])(nil)).turnedAway(ctx, payload, err)
}

// one returns the engine of a signal that has one, and notes it in first; it
// makes that of a zero signal.
//
//go:noinline
func (b *base) one(ops any, first *atomic.Pointer[engine.Engine]) *engine.Engine {
	g := b.engines(ops)[0]
	first.Store(g)
	return g
}

// all returns the engines of a signal that has some.
func (b *base) all() []*engine.Engine { return *b.conf.Load().engines.Load() }

// ready returns the settings of an async signal, which has engines then.
//
//go:noinline
func (b *base) ready(ops any) *settings {
	b.engines(ops)
	return b.conf.Load()
}

//go:noinline
func (b *base) pending(ops any) int { return engine.Pending(b.engines(ops)) }

//go:noinline
func (b *base) drain(ops any, ctx context.Context) error { //nolint:revive // the payload type is the receiver's part
	return drain(b.engines(ops), ctx)
}

func drain(gs []*engine.Engine, ctx context.Context) error { //nolint:revive // the engines are the receiver
	if err := engine.MayWait(gs, "drain of"); err != nil {
		return err
	}
	return engine.Drain(orBackground(ctx), gs, "drain of")
}

//go:noinline
func (b *base) close(ops any, ctx context.Context) error { //nolint:revive // as drain
	return b.closeAll(b.engines(ops), ctx)
}

func (b *base) closeAll(gs []*engine.Engine, ctx context.Context) error { //nolint:revive // as drain
	if err := engine.MayWait(gs, "close of"); err != nil {
		return err
	}
	for _, g := range gs {
		g.Close()
	}
	err := engine.Drain(orBackground(ctx), gs, "close of")
	st := b.conf.Load()
	if err != nil {
		b.giveUp(st)
	}
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

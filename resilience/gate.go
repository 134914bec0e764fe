package resilience

import (
	"context"
	"log/slog"
	"sync/atomic"

	"example.com/signals"
)

// gate is a signal behind a check of each emission.
type gate[T any] struct {
	signals.Signal[T]
	// admit returns the context that an emission goes on with, or why it may
	// not. settle is told when it has returned; nil: nobody wants to know.
	admit  func(ctx context.Context) (context.Context, error)
	settle func(ctx context.Context)

	refusals atomic.Uint64 // that were returned, which the signal does not hear of
}

// enter is the check. If it returns nil, leave must follow.
func (g *gate[T]) enter(ctx context.Context) (context.Context, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	return g.admit(ctx)
}

func (g *gate[T]) leave(ctx context.Context) {
	if g.settle != nil {
		g.settle(ctx)
	}
}

// returned reports a refusal that the caller gets as an error.
func (g *gate[T]) returned(ctx context.Context, payload T, err error) error {
	if s, ok := g.Signal.(interface {
		Refused(ctx context.Context, payload any, err error)
	}); ok {
		s.Refused(ctx, payload, err)
	} else {
		g.refusals.Add(1)
	}
	return err
}

// Emit emits, unless the wrapper refuses: then it reports a Failure without a
// listener, as the signal does with what it refuses itself.
func (g *gate[T]) Emit(ctx context.Context, payload T) {
	on, err := g.enter(ctx)
	if err != nil {
		g.Refuse(ctx, payload, err)
		return
	}
	defer g.leave(on)
	g.Signal.Emit(on, payload)
}

// TryEmit emits and returns the first failure, as SyncSignal.TryEmit; an async
// signal says whether it accepted, as Offer. If the wrapper refuses, the error says why, and no handler is called.
func (g *gate[T]) TryEmit(ctx context.Context, payload T) error {
	ctx, err := g.enter(ctx)
	if err != nil {
		return g.returned(ctx, payload, err)
	}
	defer g.leave(ctx)
	if s, ok := g.Signal.(interface {
		TryEmit(ctx context.Context, payload T) error
	}); ok {
		return s.TryEmit(ctx, payload)
	}
	return g.offer(ctx, payload)
}

// TryEmitAll emits and joins the failures, as SyncSignal.TryEmitAll; an async
// signal says whether it accepted, as Offer. If the wrapper refuses, the error says
// why, and no handler is called.
func (g *gate[T]) TryEmitAll(ctx context.Context, payload T) error {
	ctx, err := g.enter(ctx)
	if err != nil {
		return g.returned(ctx, payload, err)
	}
	defer g.leave(ctx)
	if s, ok := g.Signal.(interface {
		TryEmitAll(ctx context.Context, payload T) error
	}); ok {
		return s.TryEmitAll(ctx, payload)
	}
	return g.offer(ctx, payload)
}

// EmitWait emits, waits until every listener has run, and joins their
// failures, as AsyncSignal.EmitWait; on a sync signal it is TryEmitAll. If the
// wrapper refuses, the error says why, and no handler is called.
func (g *gate[T]) EmitWait(ctx context.Context, payload T) error {
	s, ok := g.Signal.(interface {
		EmitWait(ctx context.Context, payload T) error
	})
	if !ok {
		return g.TryEmitAll(ctx, payload)
	}
	ctx, err := g.enter(ctx)
	if err != nil {
		return g.returned(ctx, payload, err)
	}
	defer g.leave(ctx)
	return s.EmitWait(ctx, payload)
}

// Offer emits and says whether the emission was accepted, as AsyncSignal.Offer;
// a sync signal always accepts, and its failures go to its handler. If the wrapper refuses, the
// error says why, and no handler is called.
func (g *gate[T]) Offer(ctx context.Context, payload T) error {
	ctx, err := g.enter(ctx)
	if err != nil {
		return g.returned(ctx, payload, err)
	}
	defer g.leave(ctx)
	return g.offer(ctx, payload)
}

// offer is Offer behind the check.
func (g *gate[T]) offer(ctx context.Context, payload T) error {
	if s, ok := g.Signal.(interface {
		Offer(ctx context.Context, payload T) error
	}); ok {
		return s.Offer(ctx, payload)
	}
	g.Signal.Emit(ctx, payload)
	return nil
}

// Refuse reports an emission that a wrapper around this one turned away.
func (g *gate[T]) Refuse(ctx context.Context, payload T, err error) {
	if s, ok := g.Signal.(interface {
		Refuse(ctx context.Context, payload T, err error)
	}); ok {
		s.Refuse(ctx, payload, err)
		return
	}
	slog.ErrorContext(ctx, "resilience: emission refused", "err", text(err))
}

// Drain waits as the signal's Drain; a sync signal has nothing to wait for.
func (g *gate[T]) Drain(ctx context.Context) error {
	if s, ok := g.Signal.(interface {
		Drain(ctx context.Context) error
	}); ok {
		return s.Drain(ctx)
	}
	return nil
}

// Close closes as the signal's Close; a sync signal has nothing to close.
func (g *gate[T]) Close(ctx context.Context) error {
	if s, ok := g.Signal.(interface {
		Close(ctx context.Context) error
	}); ok {
		return s.Close(ctx)
	}
	return nil
}

// Pending returns the signal's pending emissions; a sync signal has none.
func (g *gate[T]) Pending() int {
	if s, ok := g.Signal.(interface{ Pending() int }); ok {
		return s.Pending()
	}
	return 0
}

// Stats returns what the signal has counted, if it counts. Among the refusals is
// each emission that the wrapper refused; of those, the signal on its bus
// knows the ones of Emit.
func (g *gate[T]) Stats() signals.SignalStats {
	var stats signals.SignalStats
	if s, ok := g.Signal.(interface{ Stats() signals.SignalStats }); ok {
		stats = s.Stats()
	}
	stats.Refusals += g.refusals.Load()
	return stats
}

// ObserveListeners observes those of the signal within, as its ObserveListeners
// does. It returns nil if that has none.
func (g *gate[T]) ObserveListeners(added, removed func(l *signals.ListenerInfo)) (stop func()) {
	if s, ok := g.Signal.(interface {
		ObserveListeners(added, removed func(l *signals.ListenerInfo)) (stop func())
	}); ok {
		return s.ObserveListeners(added, removed)
	}
	return nil
}

// ObserveFailures observes those of the signal within, as its ObserveFailures does.
// It returns nil if that has none.
func (g *gate[T]) ObserveFailures(told func(ctx context.Context, f signals.Failure)) (stop func()) {
	if s, ok := g.Signal.(interface {
		ObserveFailures(told func(ctx context.Context, f signals.Failure)) (stop func())
	}); ok {
		return s.ObserveFailures(told)
	}
	return nil
}

// Unwrap returns the signal within. What is emitted on it passes the wrapper by.
func (g *gate[T]) Unwrap() signals.Signal[T] { return g.Signal }

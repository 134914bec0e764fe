package resilience

import (
	"context"
	"log/slog"

	"example.com/signals"
)

// gate is a signal behind a check of each emission.
type gate[T any] struct {
	signals.Signal[T]
	admit func() error // nil: the emission may go on
}

// Emit emits, unless the wrapper refuses: then it reports a Failure without a
// listener, as the signal does with what it refuses itself.
func (g *gate[T]) Emit(ctx context.Context, payload T) {
	if err := g.admit(); err != nil {
		g.Refuse(ctx, payload, err)
		return
	}
	g.Signal.Emit(ctx, payload)
}

// TryEmit emits and returns the first failure, as SyncSignal.TryEmit; an async
// signal says whether it accepted, as Offer. If the wrapper refuses, the error says why, and no handler is called.
func (g *gate[T]) TryEmit(ctx context.Context, payload T) error {
	if err := g.admit(); err != nil {
		return err
	}
	if s, ok := g.Signal.(interface {
		TryEmit(ctx context.Context, payload T) error
	}); ok {
		return s.TryEmit(ctx, payload)
	}
	return g.offer(ctx, payload)
}

// Offer emits and says whether the emission was accepted, as AsyncSignal.Offer;
// a sync signal always accepts, and its failures go to its handler. If the wrapper refuses, the
// error says why, and no handler is called.
func (g *gate[T]) Offer(ctx context.Context, payload T) error {
	if err := g.admit(); err != nil {
		return err
	}
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
	slog.ErrorContext(ctx, "resilience: emission refused", "err", err)
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

// Stats returns what the signal has counted, if it counts. Among the refusals is
// each Emit that the wrapper refused; what TryEmit and Offer return is not counted.
func (g *gate[T]) Stats() signals.SignalStats {
	if s, ok := g.Signal.(interface{ Stats() signals.SignalStats }); ok {
		return s.Stats()
	}
	return signals.SignalStats{}
}

// Unwrap returns the signal within. What is emitted on it passes the wrapper by.
func (g *gate[T]) Unwrap() signals.Signal[T] { return g.Signal }

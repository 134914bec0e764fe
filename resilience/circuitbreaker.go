package resilience

import (
	"context"
	"errors"
	"slices"
	"time"

	"example.com/signals"
)

// CircuitBreaker is a signal that refuses emissions, with an *OpenError, while
// its circuit is open: when the listeners fail, those who emit are told at once
// and the listeners are left alone.
//
// On a sync signal each emission counts as one call, which failed if one of its
// listeners did. On an async signal each call of a listener counts, since Emit has long returned:
// with several listeners of which one fails, use FailureRate, because the
// others' successes interrupt any row of failures. What was accepted before the
// circuit opened is still delivered. Failures count as in Breaker.
type CircuitBreaker[T any] struct {
	gate[T]
	circuit *Circuit
}

var _ signals.Signal[int] = (*CircuitBreaker[int])(nil)

// NewCircuitBreaker makes a signal with newSignal, which gets opts and an
// observer that tells the circuit what comes of the emissions:
//
//	orders := resilience.NewCircuitBreaker(signals.New[Order], circuit, signals.Name("orders"))
func NewCircuitBreaker[T any, S signals.Signal[T]](newSignal func(...signals.Option) S, c *Circuit, opts ...signals.Option) *CircuitBreaker[T] {
	need(newSignal != nil, "NewCircuitBreaker: the function that makes the signal is nil")
	need(c != nil, "NewCircuitBreaker: the circuit is nil; make one with NewCircuit")
	sig := newSignal(append(slices.Clip(opts), signals.Observe(c.observer()))...)
	return &CircuitBreaker[T]{gate[T]{sig, c.admit}, c}
}

// State returns the state that the circuit is in now.
func (b *CircuitBreaker[T]) State() State { return b.circuit.State() }

// StateChanges is the signal of the circuit's changes of state.
func (b *CircuitBreaker[T]) StateChanges() signals.Source[StateChange] {
	return b.circuit.StateChanges()
}

// observer tells the circuit what comes of the emissions of a signal.
func (c *Circuit) observer() signals.Observer {
	return signals.Observer{
		EmitEnd: func(ctx context.Context, s *signals.SignalInfo, err error) {
			if s.Kind != signals.KindSync {
				return
			}
			if _, failed := errors.AsType[*signals.ListenerError](err); err == nil || failed || errors.Is(err, signals.ErrGoexit) {
				c.record(ctx, err)
			} // else its context ended between listeners
		},
		ListenerEnd: func(ctx context.Context, l *signals.ListenerInfo, _ time.Duration, err error) {
			if l.Signal.Kind != signals.KindSync {
				c.record(ctx, err)
			}
		},
	}
}

// record counts a call that did not ask first.
func (c *Circuit) record(ctx context.Context, err error) {
	if done, refused := c.breaker.Allow(); refused == nil {
		done(c.outcome(ctx, err))
	}
	c.tell()
}

// admit lets an emission through whose outcome comes through record, if at
// all: it may have no listener. So trials that tell nothing are followed by others after a
// while.
func (c *Circuit) admit() error {
	s := c.State()
	if s == Closed || s == HalfOpen && c.trial() {
		return nil
	}
	return c.refusal(s)
}

func (c *Circuit) trial() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.trials >= c.halfOpen && now.Sub(c.since) >= c.openFor {
		c.since, c.trials = now, 0
	}
	c.trials++
	return c.trials <= c.halfOpen
}

package resilience_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

func TestSkipRestIsNoFailureToWrappers(t *testing.T) {
	ctx := t.Context()
	calls := 0
	skip := func(context.Context, int) error { calls++; return signals.SkipRest }
	t.Run("retry", func(t *testing.T) {
		calls = 0
		s := signals.NewSync[int](signals.Name("s"))
		s.Subscribe(resilience.Retry(skip, resilience.Backoff(time.Millisecond, time.Millisecond)))
		behind := 0
		s.Subscribe(func(context.Context, int) error { behind++; return nil })
		err := s.TryEmit(ctx, 1)
		if calls != 1 || err != nil || behind != 0 {
			t.Errorf("calls %d, err %v, behind %d", calls, err, behind)
		}
	})
	t.Run("breaker", func(t *testing.T) {
		c := resilience.NewCircuit(resilience.FailureThreshold(1))
		_ = resilience.Breaker(skip, c)(ctx, 1)
		if c.State() != resilience.Closed {
			t.Errorf("circuit is %s", c.State())
		}
	})
	t.Run("circuitbreaker", func(t *testing.T) {
		c := resilience.NewCircuit()
		b := resilience.NewCircuitBreaker(signals.NewSync[int], c, signals.Name("cb"))
		b.Subscribe(skip)
		_ = b.TryEmit(ctx, 1)
		if c.Stats().Successes != 1 {
			t.Errorf("%+v", c.Stats())
		}
	})
	t.Run("circuitbreakerasync", func(t *testing.T) {
		c := resilience.NewCircuit()
		b := resilience.NewCircuitBreaker(signals.New[int], c, signals.Name("cba"))
		b.Subscribe(skip)
		_ = b.EmitWait(ctx, 1)
		_ = b.Drain(ctx)
		if c.Stats().Successes != 1 {
			t.Errorf("%+v", c.Stats())
		}
	})
	t.Run("batch", func(t *testing.T) {
		calls, letters := 0, 0
		d := signals.NewSync[resilience.Letter[int]](signals.Name("dead batch"))
		d.AddListener(func(context.Context, resilience.Letter[int]) { letters++ })
		f := resilience.DeadLetterBatch(resilience.RetryBatch(func(context.Context, []int) error { calls++; return signals.SkipRest },
			resilience.Backoff(time.Millisecond, time.Millisecond)), d)
		if err := f(ctx, []int{1, 2}); calls != 1 || letters != 0 || !errors.Is(err, signals.SkipRest) {
			t.Errorf("called %d times, %d letters, %v", calls, letters, err)
		}
	})
	t.Run("joined to a failure", func(t *testing.T) {
		c := resilience.NewCircuit(resilience.FailureThreshold(1))
		_ = resilience.Breaker(func(context.Context, int) error { return errors.Join(signals.SkipRest, errors.New("broken")) }, c)(ctx, 1)
		if c.State() != resilience.Open {
			t.Errorf("circuit is %s: the failure beside it counts", c.State())
		}
	})
	t.Run("dedup", func(t *testing.T) {
		calls = 0
		f := resilience.Dedup(skip, func(i int) int { return i }, 10)
		_ = f(ctx, 1)
		_ = f(ctx, 1)
		if calls != 1 {
			t.Errorf("called %d times", calls)
		}
	})
	t.Run("deadletter", func(t *testing.T) {
		n := 0
		d := signals.NewSync[resilience.Letter[int]](signals.Name("d"))
		d.AddListener(func(context.Context, resilience.Letter[int]) { n++ })
		_ = resilience.DeadLetter(skip, d)(ctx, 1)
		if n != 0 {
			t.Errorf("%d letters", n)
		}
	})
}

package resilience

import (
	"context"

	"example.com/signals"
)

// Breaker calls fn while the circuit lets it, and tells the circuit what comes
// of it. While the circuit is open it returns an *OpenError instead, which is
// ErrOpen. Listeners that share a circuit open it together.
//
// An error, a panic and runtime.Goexit are failures, but for what says nothing
// against the one that is called:
//
//   - an error that is Permanent is an answer, and counts as a success;
//     FailureIf decides instead if it is given;
//   - an error that says that the caller's context has been cancelled or has
//     reached its deadline counts neither way, nor does the refusal of a
//     wrapper within. The deadline of a Timeout does count: put one there to
//     find out what hangs.
//
// Of errors that were joined the worst counts. A batch is one call.
func Breaker[T any](fn func(context.Context, T) error, c *Circuit) func(context.Context, T) error {
	need(fn != nil, "Breaker: the listener is nil")
	need(c != nil, "Breaker: the circuit is nil; make one with NewCircuit")
	return signals.Identify(func(ctx context.Context, payload T) error {
		done, refused := c.allow()
		if refused != nil {
			return refused
		}
		came := failure // by a panic or runtime.Goexit, unless it comes back
		defer func() {
			c.tally.verdicts[came].Add(1)
			done(came.err())
			c.tell()
		}()
		err := fn(ctx, payload)
		came = c.judge(ctx, err)
		return err
	}, fn)
}

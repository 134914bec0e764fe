package resilience

import "context"

// Breaker calls fn while the circuit lets it, and tells the circuit what comes
// of it. While the circuit is open it returns an *OpenError instead, which is ErrOpen.
//
// An error, a panic and runtime.Goexit are failures; FailureIf exempts errors. An error that is
// context.Canceled after ctx was cancelled counts neither way, since the caller
// gave up. Listeners that share a circuit open it together.
func Breaker[T any](fn func(context.Context, T) error, c *Circuit) func(context.Context, T) error {
	need(fn != nil, "Breaker: the listener is nil")
	need(c != nil, "Breaker: the circuit is nil; make one with NewCircuit")
	return func(ctx context.Context, payload T) error {
		done, err := c.allow()
		if err != nil {
			return err
		}
		came := errUnwinding
		defer func() {
			done(came)
			c.tell()
		}()
		err = fn(ctx, payload)
		came = c.outcome(ctx, err)
		return err
	}
}

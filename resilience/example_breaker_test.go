package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

// Listeners that need the same service share a circuit. Once it has opened the
// service is left alone.
func ExampleBreaker() {
	ctx := context.Background()
	charge := func(context.Context, string) error { return errors.New("gateway: 503") }
	refund := func(context.Context, int) error { fmt.Println("refunded"); return nil }
	// region breaker
	gateway := resilience.NewCircuit(
		resilience.CircuitName("gateway"),
		resilience.FailureThreshold(3),
		resilience.OpenFor(30*time.Second))

	orders, returns := signals.NewSync[string](), signals.NewSync[int]()
	orders.Subscribe(resilience.Breaker(charge, gateway))
	returns.Subscribe(resilience.Breaker(refund, gateway))
	// endregion
	for range 3 {
		_ = orders.TryEmit(ctx, "A1")
	}
	err := returns.TryEmit(ctx, 7)
	fmt.Println(gateway.State(), errors.Is(err, resilience.ErrOpen))

	// Output:
	// open true
}

// Changes of state are a signal: log them, count them, page somebody.
func ExampleCircuit_StateChanges() {
	ctx := context.Background()
	fail := func(context.Context, string) error { return errors.New("down") }
	// region changes
	changes := signals.NewSync[resilience.StateChange](signals.Name("circuits"))
	changes.AddListener(func(_ context.Context, c resilience.StateChange) {
		fmt.Printf("%s: %s, was %s\n", c.Circuit, c.To, c.From)
	})
	gateway := resilience.NewCircuit(
		resilience.CircuitName("gateway"),
		resilience.FailureRate(0.5, time.Minute, 10), // half of at least 10 calls within a minute
		resilience.StateChangesTo(changes))           // or listen to gateway.StateChanges()
	// endregion
	for range 10 {
		_ = resilience.Breaker(fail, gateway)(ctx, "x")
	}

	// Output:
	// gateway: open, was closed
}

// An answer that says no is not a service that is down.
func ExampleFailureIf() {
	ctx := context.Background()
	// region failureif
	errDeclined := errors.New("card declined")
	gateway := resilience.NewCircuit(
		resilience.FailureThreshold(1),
		resilience.FailureIf(func(err error) bool { return !errors.Is(err, errDeclined) }))
	// endregion
	decline := func(context.Context, string) error { return errDeclined }
	fmt.Println(resilience.Breaker(decline, gateway)(ctx, "A1"), gateway.State())

	// Output:
	// card declined closed
}

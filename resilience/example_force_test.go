package resilience_test

import (
	"context"
	"fmt"

	"example.com/signals/resilience"
)

// A service is taken down on purpose, and comes back.
func ExampleCircuit_ForceOpen() {
	ctx := context.Background()
	charge := func(context.Context, string) error { return nil }
	// region force
	gateway := resilience.NewCircuit(resilience.CircuitName("gateway"))
	call := resilience.Breaker(charge, gateway)

	gateway.ForceOpen() // maintenance
	fmt.Println(call(ctx, "A1"))

	gateway.Reset() // back: it decides by itself again
	fmt.Println(call(ctx, "A1"))

	st := gateway.Stats()
	fmt.Println(st.State, st.Successes, "handled", st.Refusals, "refused")
	// endregion

	// Output:
	// resilience: circuit "gateway" is held open until it is reset
	// <nil>
	// closed 1 handled 1 refused
}

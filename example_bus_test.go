package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// A bus holds signals by name and drains and closes them together. A listener
// may emit on another signal of the bus while the bus is closing.
func ExampleNewBus() {
	ctx := context.Background()
	// region bus
	bus := signals.NewBus(signals.OnFailure(func(_ context.Context, f signals.Failure) {
		fmt.Println("failure:", f.Signal, f.Err)
	}))
	orders := signals.Topic[int](bus, "orders")
	invoices := signals.Topic[string](bus, "invoices")
	orders.AddListener(func(ctx context.Context, id int) {
		invoices.Emit(ctx, fmt.Sprintf("invoice for order %d", id))
	})
	invoices.AddListener(func(_ context.Context, text string) { fmt.Println(text) })

	orders.Emit(ctx, 1)
	orders.Emit(ctx, 2)
	if err := bus.Close(ctx); err != nil {
		fmt.Println(err) // names what is left
	}
	// endregion

	// Output:
	// invoice for order 1
	// invoice for order 2
}

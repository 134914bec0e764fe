package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// A tap sees every emission on every signal of a bus.
func ExampleBus_Tap() {
	ctx := context.Background()
	// region tap
	bus := signals.NewBus()
	started := signals.NewSync[string](signals.Name("started"), signals.OnBus(bus))
	stopped := signals.NewSync[int](signals.Name("stopped"), signals.OnBus(bus))

	tap := bus.Tap(func(_ context.Context, signal string, payload any) {
		fmt.Println(signal, payload)
	})
	started.Emit(ctx, "server")
	stopped.Emit(ctx, 0)
	tap.Unsubscribe()
	started.Emit(ctx, "again")
	// endregion

	// Output:
	// started server
	// stopped 0
}

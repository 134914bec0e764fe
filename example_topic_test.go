package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// Packages that know only a name and a payload type meet on a bus.
func ExampleTopic() {
	ctx := context.Background()
	// region topic
	bus := signals.NewBus()
	// Here, and anywhere else, the same signal:
	signals.Topic[string](bus, "user.registered").AddListener(func(_ context.Context, name string) {
		fmt.Println("welcome,", name)
	})
	signals.Topic[string](bus, "user.registered").Emit(ctx, "Ada")
	// endregion
	_ = bus.Close(ctx)

	// Output:
	// welcome, Ada
}

// Lookup finds a signal of any kind without making one.
func ExampleLookup() {
	// region lookup
	bus := signals.NewBus()
	signals.NewSync[int](signals.Name("payments"), signals.OnBus(bus))

	payments, ok := signals.Lookup[int](bus, "payments")
	fmt.Printf("%T %t\n", payments, ok)
	_, ok = signals.Lookup[string](bus, "payments") // another payload type
	fmt.Println(ok)
	// endregion

	// Output:
	// *signals.SyncSignal[int] true
	// false
}

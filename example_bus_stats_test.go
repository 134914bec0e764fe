package signals_test

import (
	"context"
	"fmt"
	"time"

	"example.com/signals"
)

// A bus counts what its signals do. A signal that is closed leaves its bus;
// ask the signal itself then.
func ExampleBus_Stats() {
	ctx := context.Background()
	// region stats
	bus := signals.NewBus()
	orders := signals.Topic[int](bus, "orders")
	orders.AddListener(func(context.Context, int) {})
	payments := signals.NewSync[int](signals.Name("payments"), signals.OnBus(bus))
	payments.AddListener(func(context.Context, int) {})
	for id := range 3 {
		payments.Emit(ctx, id)
		orders.Emit(ctx, id)
	}
	_ = bus.Drain(ctx)
	for _, s := range bus.Stats() {
		fmt.Println(s.Name, s.Kind, s.Emissions, s.Deliveries)
	}

	_ = orders.Close(ctx)
	fmt.Println(len(bus.Stats()), "left on the bus;", orders.Stats().Deliveries, "deliveries of the other")
	// endregion

	// Output:
	// orders async 3 3
	// payments sync 3 3
	// 1 left on the bus; 3 deliveries of the other
}

// An observer can join all signals of a bus at any time, and leave again.
func ExampleBus_Observe() {
	ctx := context.Background()
	// region observe
	bus := signals.NewBus()
	payments := signals.NewSync[int](signals.Name("payments"), signals.OnBus(bus))
	payments.Subscribe(func(context.Context, int) error { return nil }, signals.Key("ledger"))

	stop := bus.Observe(signals.Observer{
		ListenerEnd: func(_ context.Context, l *signals.ListenerInfo, _ time.Duration, err error) {
			fmt.Println(l.Signal.Name, l.Key, err)
		},
	})
	payments.Emit(ctx, 1)
	stop()
	payments.Emit(ctx, 2)
	// endregion

	// Output:
	// payments ledger <nil>
}

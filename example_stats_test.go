package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// Stats tells what a signal and each of its listeners have done.
func ExampleAsyncSignal_Stats() {
	ctx := context.Background()
	// region stats
	orders := signals.New[int](signals.Name("orders"), signals.Counted(),
		signals.OnFailure(func(context.Context, signals.Failure) {}))
	orders.Subscribe(func(context.Context, int) error { return nil }, signals.Key("ship"))
	orders.Subscribe(func(_ context.Context, id int) error {
		if id == 3 {
			return errors.New("unknown customer")
		}
		return nil
	}, signals.Key("thank"))
	for id := range 128 {
		orders.Emit(ctx, id)
	}
	_ = orders.Drain(ctx)

	s := orders.Stats()
	fmt.Println(s.Name, s.Kind, s.Emissions, "emissions", s.Deliveries, "deliveries", s.Failures, "failures")
	for _, l := range s.Listeners {
		fmt.Println(l.Key, l.Deliveries, l.Failures, "lag", l.Lag, "timed", l.Durations.Count)
	}
	// endregion

	// Output:
	// orders async 128 emissions 256 deliveries 1 failures
	// ship 128 0 lag 0 timed 2
	// thank 128 1 lag 0 timed 2
}

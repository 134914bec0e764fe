package signals_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"example.com/signals"
)

// MaxWorkers bounds the goroutines that run listeners of a signal, whatever
// the number of listeners.
func ExampleMaxWorkers() {
	ctx := context.Background()
	// region workers
	reports := signals.New[int](signals.MaxWorkers(1))
	var running, clashes atomic.Int32
	for range 20 {
		reports.AddListener(func(context.Context, int) {
			if running.Add(1) > 1 {
				clashes.Add(1)
			}
			running.Add(-1)
		})
	}
	for n := range 50 {
		reports.Emit(ctx, n)
	}
	_ = reports.Close(ctx)
	fmt.Println(reports.Stats().Deliveries, "deliveries,", clashes.Load(), "at the same time as another")
	// endregion

	// Output:
	// 1000 deliveries, 0 at the same time as another
}

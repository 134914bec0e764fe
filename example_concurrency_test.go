package signals_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"example.com/signals"
)

// A listener with Concurrency may run several times at once.
func ExampleConcurrency() {
	ctx := context.Background()
	// region concurrency
	uploads := signals.New[string]()
	var started atomic.Int32
	both := make(chan struct{})
	uploads.Subscribe(func(_ context.Context, file string) error {
		if started.Add(1) == 2 {
			close(both)
		}
		<-both // comes back only because two calls run at once
		return nil
	}, signals.Concurrency(2))
	uploads.Emit(ctx, "a.png")
	uploads.Emit(ctx, "b.png")
	fmt.Println(uploads.Close(ctx), started.Load())
	// endregion

	// Output:
	// <nil> 2
}

package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// With Reject, a signal that is full refuses an emission; Offer says so.
func ExampleCapacity_reject() {
	ctx := context.Background()
	// region reject
	jobs := signals.New[int](signals.Name("jobs"), signals.Capacity(2, signals.Reject))
	goOn := make(chan struct{})
	jobs.AddListener(func(_ context.Context, n int) { <-goOn })

	for n := range 3 {
		if err := jobs.Offer(ctx, n); errors.Is(err, signals.ErrOverflow) {
			fmt.Println(n, "refused:", err)
		}
	}
	// endregion
	close(goOn)
	_ = jobs.Close(ctx)
	fmt.Println(jobs.Stats().Emissions, "accepted,", jobs.Stats().Refusals, "refused")

	// Output:
	// 2 refused: signals: emit on "jobs": signal is at capacity
	// 2 accepted, 1 refused
}

// With Block, an emission waits for room, for its context, or for Close.
func ExampleCapacity_block() {
	ctx := context.Background()
	// region block
	lines := signals.New[int](signals.Capacity(1, signals.Block))
	sum := 0
	lines.AddListener(func(_ context.Context, n int) { sum += n })
	for n := range 1000 {
		lines.Emit(ctx, n) // never more than one ahead of the listener
	}
	_ = lines.Close(ctx)
	fmt.Println(sum)
	// endregion

	// Output:
	// 499500
}

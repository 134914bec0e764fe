package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// A sync signal runs its listeners before Emit returns.
func ExampleSyncSignal_Emit() {
	ctx := context.Background()
	// region sync
	greeted := signals.NewSync[string]()
	greeted.AddListener(func(_ context.Context, name string) {
		fmt.Println("hello,", name)
	})
	greeted.Emit(ctx, "Ada")
	fmt.Println("emitted")
	// endregion

	// Output:
	// hello, Ada
	// emitted
}

// An async signal accepts the emission; its listener runs on another goroutine,
// gets emissions in order, and Close waits until it is through.
func ExampleAsyncSignal_Emit() {
	ctx := context.Background()
	// region async
	greeted := signals.New[string]()
	greeted.AddListener(func(_ context.Context, name string) {
		fmt.Println("hello,", name)
	})
	greeted.Emit(ctx, "Ada")
	greeted.Emit(ctx, "Grace")
	if err := greeted.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// endregion

	// Output:
	// hello, Ada
	// hello, Grace
}

package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// A listener with Once is called at most once, whichever goroutines emit.
func ExampleOnce() {
	ctx := context.Background()
	// region once
	connected := signals.NewSync[string]()
	connected.Subscribe(func(_ context.Context, host string) error {
		fmt.Println("first connection:", host)
		return nil
	}, signals.Once())
	connected.Emit(ctx, "a.example")
	connected.Emit(ctx, "b.example")
	fmt.Println(connected.Len(), "listeners")
	// endregion

	// Output:
	// first connection: a.example
	// 0 listeners
}

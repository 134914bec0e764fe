package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// Reset removes all listeners. The signal stays in use.
func ExampleSyncSignal_Reset() {
	ctx := context.Background()
	// region reset
	saved := signals.NewSync[string]()
	saved.AddListener(func(_ context.Context, file string) { fmt.Println("index", file) })
	saved.AddListener(func(_ context.Context, file string) { fmt.Println("backup", file) })
	saved.Reset()
	fmt.Println(saved.IsEmpty())

	saved.AddListener(func(_ context.Context, file string) { fmt.Println("upload", file) })
	saved.Emit(ctx, "a.txt")
	// endregion

	// Output:
	// true
	// upload a.txt
}

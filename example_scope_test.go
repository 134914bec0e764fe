package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// A Scope ends a group of registrations, on whatever signals, and waits until
// none of their calls is in flight.
func ExampleScope() {
	ctx := context.Background()
	// region scope
	saved, deleted := signals.NewSync[string](), signals.New[string]()

	var plugin signals.Scope
	say := func(_ context.Context, file string) error { fmt.Println("plugin:", file); return nil }
	saved.Subscribe(say, signals.In(&plugin))
	deleted.Subscribe(say, signals.In(&plugin))
	saved.Emit(ctx, "a.txt")

	if err := plugin.Close(ctx); err != nil {
		fmt.Println(err)
	}
	saved.Emit(ctx, "b.txt")
	fmt.Println(saved.Len(), deleted.Len())
	// endregion

	// Output:
	// plugin: a.txt
	// 0 0
}

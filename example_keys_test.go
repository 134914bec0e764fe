package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// A key names a listener of a signal, so that others can find and remove it.
func ExampleKey() {
	// region keys
	saved := signals.NewSync[string](signals.Name("saved"))
	index := func(context.Context, string) error { return nil }
	saved.Subscribe(index, signals.Key("index"))
	saved.Subscribe(index, signals.Key("backup"))

	_, err := saved.TrySubscribe(index, signals.Key("index"))
	fmt.Println(errors.Is(err, signals.ErrKeyTaken))
	fmt.Println(saved.Keys(), saved.HasKey("backup"))
	fmt.Println(saved.RemoveListener("index"), "left")
	fmt.Println(saved.RemoveListener("index")) // there is none any more
	// endregion

	// Output:
	// true
	// [index backup] true
	// 1 left
	// -1
}

// The handle that Subscribe returns ends exactly this registration.
func ExampleSubscription_Unsubscribe() {
	ctx := context.Background()
	// region unsubscribe
	ticked := signals.NewSync[int]()
	show := func(_ context.Context, n int) error { fmt.Println("tick", n); return nil }
	first := ticked.Subscribe(show)
	ticked.Subscribe(show)
	ticked.Emit(ctx, 1)
	first.Unsubscribe()
	first.Unsubscribe() // does nothing
	ticked.Emit(ctx, 2)
	// endregion

	// Output:
	// tick 1
	// tick 1
	// tick 2
}

package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// EmitWait waits until every listener has run and returns their failures.
func ExampleAsyncSignal_EmitWait() {
	ctx := context.Background()
	// region emitwait
	refresh := signals.New[string](
		signals.Name("refresh"),
		signals.OnFailure(func(context.Context, signals.Failure) {}), // they come back from EmitWait
	)
	refresh.Subscribe(func(context.Context, string) error { return nil }, signals.Key("prices"))
	refresh.Subscribe(func(context.Context, string) error {
		return errors.New("no route to host")
	}, signals.Key("weather"))

	fmt.Println(refresh.EmitWait(ctx, "now"))
	// endregion

	// Output:
	// signals: listener 1 "weather" of "refresh" failed: no route to host
}

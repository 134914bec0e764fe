package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

// What a listener fails to handle goes to another signal, after the last
// attempt.
func ExampleDeadLetter() {
	ctx := context.Background()
	ship := func(_ context.Context, parcel string) error { return errors.New("no such street") }
	// region deadletter
	dead := signals.New[resilience.Letter[string]](signals.Name("parcels.dead"))
	dead.AddListener(func(_ context.Context, l resilience.Letter[string]) {
		fmt.Printf("kept %s after %d attempts\n", l.Payload, l.Attempts)
	})

	parcels := signals.New[string](signals.Name("parcels"), signals.OnFailure(
		func(_ context.Context, f signals.Failure) { fmt.Println("failed:", f.Err) }))
	parcels.Subscribe(resilience.DeadLetter(
		resilience.Retry(ship, resilience.Backoff(time.Millisecond, time.Second)),
		dead))
	// endregion
	parcels.Emit(ctx, "parcel 7")
	_ = parcels.Close(ctx)
	_ = dead.Close(ctx)

	// Unordered output:
	// kept parcel 7 after 3 attempts
	// failed: resilience: gave up after 3 attempts: no such street
}

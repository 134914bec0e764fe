package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// Failures of all kinds come to one handler. Without one they are logged.
func ExampleOnFailure() {
	ctx := context.Background()
	// region handler
	resized := signals.New[string](
		signals.Name("resized"),
		signals.OnFailure(func(_ context.Context, f signals.Failure) {
			var p *signals.PanicError
			fmt.Printf("%s: %s of %v: %v (panic: %t)\n", f.Signal, f.Key, f.Payload, f.Err, errors.As(f.Err, &p))
		}),
	)
	resized.Subscribe(func(_ context.Context, file string) error {
		if file == "" {
			panic("no file")
		}
		return errors.New("not an image")
	}, signals.Key("thumbnail"))
	resized.Emit(ctx, "a.txt")
	resized.Emit(ctx, "")
	_ = resized.Close(ctx)
	// endregion

	// Output:
	// resized: thumbnail of a.txt: not an image (panic: false)
	// resized: thumbnail of : panic: no file (panic: true)
}

// The Emit of a signal is a failure handler.
func ExampleOnFailure_signal() {
	ctx := context.Background()
	// region signal
	failures := signals.New[signals.Failure](signals.Name("failures"))
	failures.AddListener(func(_ context.Context, f signals.Failure) {
		fmt.Println("page somebody:", f.Signal, f.Err)
	})
	bus := signals.NewBus(signals.OnFailure(failures.Emit)) // for every signal on the bus
	payments := signals.Topic[int](bus, "payments")
	payments.AddListenerWithErr(func(context.Context, int) error { return errors.New("declined") })

	payments.Emit(ctx, 20)
	_ = bus.Close(ctx)
	_ = failures.Close(ctx)
	// endregion

	// Output:
	// page somebody: payments declined
}

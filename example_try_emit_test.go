package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// TryEmit stops at the first failure and returns it.
func ExampleSyncSignal_TryEmit() {
	ctx := context.Background()
	// region try
	errEmpty := errors.New("the basket is empty")
	placed := signals.NewSync[[]string](signals.Name("order.placed"))
	placed.Subscribe(func(_ context.Context, basket []string) error {
		if len(basket) == 0 {
			return errEmpty
		}
		return nil
	}, signals.Key("validate"))
	placed.Subscribe(func(_ context.Context, basket []string) error {
		fmt.Println("recorded", basket)
		return nil
	}, signals.Key("record"))

	fmt.Println(placed.TryEmit(ctx, []string{"tea"}))
	err := placed.TryEmit(ctx, nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, errEmpty))
	// endregion

	// Output:
	// recorded [tea]
	// <nil>
	// signals: listener 0 "validate" of "order.placed" failed: the basket is empty
	// true
}

// TryEmitAll runs every listener and joins the failures.
func ExampleSyncSignal_TryEmitAll() {
	closing := signals.NewSync[string](signals.Name("closing"))
	closing.Subscribe(func(context.Context, string) error { return errors.New("disk full") }, signals.Key("files"))
	closing.Subscribe(func(context.Context, string) error { return errors.New("timeout") }, signals.Key("network"))

	fmt.Println(closing.TryEmitAll(context.Background(), "now"))

	// Output:
	// signals: listener 0 "files" of "closing" failed: disk full
	// signals: listener 1 "network" of "closing" failed: timeout
}

// TryEmit looks at its context before each listener.
func ExampleSyncSignal_TryEmit_context() {
	ctx, cancel := context.WithCancel(context.Background())
	steps := signals.NewSync[int](signals.Name("steps"))
	steps.AddListener(func(context.Context, int) { cancel() })
	steps.AddListener(func(context.Context, int) { fmt.Println("never") })

	err := steps.TryEmit(ctx, 1)
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.Canceled))

	// Output:
	// signals: "steps" stopped after 1 of 2 listeners: context canceled
	// true
}

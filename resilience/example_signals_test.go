package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"example.com/signals"
	"example.com/signals/resilience"
)

// A signal that takes a burst of 2 and then one emission an hour.
func ExampleRateLimited() {
	ctx := context.Background()
	// region ratelimited
	clicks := resilience.NewRateLimited(
		signals.NewSync[string](signals.Name("clicks"), signals.OnFailure(
			func(_ context.Context, f signals.Failure) { fmt.Println("refused:", f.Payload, "of", f.Signal) })),
		rate.NewLimiter(rate.Every(time.Hour), 2))
	clicks.AddListener(func(_ context.Context, page string) { fmt.Println("click on", page) })

	clicks.Emit(ctx, "home")
	clicks.Emit(ctx, "cart")
	clicks.Emit(ctx, "home")           // a Failure
	err := clicks.TryEmit(ctx, "home") // the error
	fmt.Println("refused:", errors.Is(err, resilience.ErrRateLimited))
	// endregion

	// Output:
	// click on home
	// click on cart
	// refused: home of clicks
	// refused: true
}

// EmitWithLimit waits for its turn, or for the end of its context.
func ExampleRateLimited_EmitWithLimit() {
	ctx := context.Background()
	ticks := resilience.NewRateLimited(signals.NewSync[int](), rate.NewLimiter(rate.Every(time.Hour), 1))
	ticks.AddListener(func(_ context.Context, n int) { fmt.Println("tick", n) })
	// region wait
	if err := ticks.EmitWithLimit(ctx, 1); err != nil {
		fmt.Println(err)
	}
	hurried, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := ticks.EmitWithLimit(hurried, 2); errors.Is(err, resilience.ErrRateLimited) {
		fmt.Println("not within a second") // and known at once
	}
	// endregion

	// Output:
	// tick 1
	// not within a second
}

// When the listeners keep failing, whoever emits is told at once.
func ExampleCircuitBreaker() {
	ctx := context.Background()
	book := func(context.Context, string) error { return errors.New("ledger is down") }
	// region circuitbreaker
	ledger := resilience.NewCircuit(resilience.CircuitName("ledger"), resilience.FailureThreshold(2))
	orders := resilience.NewCircuitBreaker(signals.NewSync[string], ledger, signals.Name("orders"))
	orders.Subscribe(book, signals.Key("book"))

	for _, order := range []string{"A1", "A2", "A3"} {
		err := orders.TryEmit(ctx, order)
		if open, ok := errors.AsType[*resilience.OpenError](err); ok {
			fmt.Println(order, "refused, come back in", open.RetryAfter.Round(time.Minute))
			continue
		}
		fmt.Println(order, err)
	}
	// endregion

	// Output:
	// A1 signals: listener 0 "book" of "orders" failed: ledger is down
	// A2 signals: listener 0 "book" of "orders" failed: ledger is down
	// A3 refused, come back in 1m0s
}

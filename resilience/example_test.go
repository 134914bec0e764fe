package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

// A listener that calls a payment gateway, with everything around it: each
// attempt has a deadline and counts for the circuit, errors are retried, and
// what fails for good goes to a signal of its own.
func Example() {
	ctx := context.Background()
	charge := func(_ context.Context, order string) error {
		if order == "B2" {
			return resilience.Permanent(errors.New("card declined"))
		}
		fmt.Println("charged", order)
		return nil
	}

	// region all
	undeliverable := signals.New[resilience.Letter[string]](signals.Name("payment.dead"))
	undeliverable.AddListener(func(_ context.Context, l resilience.Letter[string]) {
		fmt.Printf("order %s needs a person: %v\n", l.Payload, l.Err)
	})

	gateway := resilience.NewCircuit(resilience.CircuitName("gateway"), resilience.OpenFor(30*time.Second))
	guarded := resilience.DeadLetter(
		resilience.Retry(
			resilience.Breaker(
				resilience.Timeout(charge, 2*time.Second),
				gateway),
			resilience.MaxAttempts(5)),
		undeliverable)

	orders := signals.NewSync[string](signals.Name("order.placed"))
	orders.Subscribe(guarded, signals.Key("payment"))
	// endregion

	for _, order := range []string{"A1", "B2"} {
		if err := orders.TryEmit(ctx, order); err != nil {
			fmt.Println(err)
		}
		_ = undeliverable.Drain(ctx)
	}

	// Unordered output:
	// charged A1
	// order B2 needs a person: resilience: gave up after 1 attempt: card declined
	// signals: listener 0 "payment" of "order.placed" failed: resilience: gave up after 1 attempt: card declined
}

package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// When a later listener fails, the steps that have completed are undone, the
// last one first.
func ExampleSyncSignal_Step() {
	ctx := context.Background()
	// region step
	stock := map[string]int{"tea": 2}
	placed := signals.NewSync[string](signals.Name("order.placed"))
	placed.Step(func(_ context.Context, item string) (signals.Undo, error) {
		if stock[item] == 0 {
			return nil, fmt.Errorf("no %s left", item)
		}
		stock[item]--
		return func(context.Context) error { stock[item]++; return nil }, nil
	}, signals.Key("stock"))
	placed.Subscribe(func(context.Context, string) error {
		return errors.New("card declined")
	}, signals.Key("payment"))

	fmt.Println(placed.TryEmit(ctx, "tea"))
	fmt.Println(stock["tea"], "in stock")
	// endregion

	// Output:
	// signals: listener 1 "payment" of "order.placed" failed: card declined
	// 2 in stock
}

// First is the first program of docs/getting_started.md.
package main

import (
	"context"
	"fmt"

	"example.com/signals"
)

type Order struct {
	ID   int
	Item string
}

func main() {
	ctx := context.Background()
	placed := signals.NewSync[Order](signals.Name("order.placed"))

	placed.Subscribe(func(_ context.Context, o Order) error {
		if o.Item == "" {
			return fmt.Errorf("order %d is for nothing", o.ID)
		}
		return nil
	}, signals.Key("validate"))

	placed.Subscribe(func(_ context.Context, o Order) error {
		fmt.Println("recorded", o.Item)
		return nil
	}, signals.Key("record"))

	fmt.Println(placed.TryEmit(ctx, Order{ID: 1, Item: "tea"}))
	fmt.Println(placed.TryEmit(ctx, Order{ID: 2}))
}

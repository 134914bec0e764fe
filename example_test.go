package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// A chain that may fail and is undone then, and what happens after it.
func Example() {
	ctx := context.Background()
	type Order struct {
		ID     int
		Amount float64
	}
	reserve := func(_ context.Context, o Order) (signals.Undo, error) {
		fmt.Println("reserved", o.ID)
		return func(context.Context) error { fmt.Println("released", o.ID); return nil }, nil
	}
	charge := func(_ context.Context, o Order) error {
		if o.Amount > 100 {
			return errors.New("card declined")
		}
		return nil
	}
	ship := func(_ context.Context, o Order) error { fmt.Println("shipped", o.ID); return nil }
	orders := []Order{{ID: 1, Amount: 250}, {ID: 2, Amount: 20}}

	// region readme
	placed := signals.NewSync[Order](signals.Name("order.placed"))
	placed.Step(reserve, signals.Key("stock")) // returns how to undo it
	placed.Subscribe(charge, signals.Key("payment"))
	accepted := signals.New[Order](signals.Name("order.accepted"))
	accepted.Subscribe(ship, signals.Key("shipping"))
	for _, order := range orders {
		if err := placed.TryEmit(ctx, order); err != nil {
			fmt.Println(err) // the stock has been released
			continue
		}
		accepted.Emit(ctx, order) // waits for nobody
	}
	_ = accepted.Close(ctx) // loses nothing that was accepted
	// endregion

	// Output:
	// reserved 1
	// released 1
	// signals: listener 1 "payment" of "order.placed" failed: card declined
	// reserved 2
	// shipped 2
}

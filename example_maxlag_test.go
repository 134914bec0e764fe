package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// MaxLag lets one listener skip what it is too slow for. The others get
// everything.
func ExampleMaxLag() {
	ctx := context.Background()
	// region maxlag
	prices := signals.New[int]()
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	screen := prices.Subscribe(func(_ context.Context, price int) error {
		select {
		case begun <- struct{}{}: // the first price is on its way to the screen
		default:
		}
		<-goOn
		fmt.Println("screen:", price)
		return nil
	}, signals.MaxLag(1, signals.DropOldest))
	sum := 0
	prices.AddListener(func(_ context.Context, price int) { sum += price })

	prices.Emit(ctx, 1)
	<-begun
	for price := 2; price <= 100; price++ {
		prices.Emit(ctx, price)
	}
	close(goOn)
	_ = prices.Close(ctx)
	fmt.Println("sum:", sum, "dropped for the screen:", screen.Stats().Drops)
	// endregion

	// Output:
	// screen: 1
	// screen: 100
	// sum: 5050 dropped for the screen: 98
}

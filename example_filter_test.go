package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// A listener with a Filter gets only what passes it.
func ExampleFilter() {
	ctx := context.Background()
	// region filter
	measured := signals.NewSync[float64]()
	measured.Subscribe(func(_ context.Context, celsius float64) error {
		fmt.Println("too hot:", celsius)
		return nil
	}, signals.Filter(func(celsius float64) bool { return celsius > 80 }))
	for _, celsius := range []float64{20, 95, 79.9} {
		measured.Emit(ctx, celsius)
	}
	// endregion

	// Output:
	// too hot: 95
}

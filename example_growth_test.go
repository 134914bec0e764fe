package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// InitialCapacity makes room for listeners that are expected, and Growth says
// how much more there is to be when that is used up.
func ExampleGrowth() {
	// region growth
	saved := signals.NewSync[string](
		signals.InitialCapacity(4),
		signals.Growth(func(currentCap int) int {
			fmt.Println("room for", currentCap, "is used up")
			return 2 * currentCap
		}),
	)
	for range 10 {
		saved.AddListener(func(context.Context, string) {})
	}
	fmt.Println(saved.Len(), "listeners")
	// endregion

	// Output:
	// room for 4 is used up
	// room for 8 is used up
	// 10 listeners
}

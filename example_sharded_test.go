package signals_test

import (
	"context"
	"fmt"
	"sync"

	"example.com/signals"
)

// Emissions with the same key stay in order; those on other shards may run at
// the same time.
func ExampleNewSharded() {
	ctx := context.Background()
	// region sharded
	type Move struct{ Account, Cents int }
	moves := signals.NewSharded(4, func(m Move) uint64 { return uint64(m.Account) })

	var mu sync.Mutex // one listener, on several shards at once
	history := map[int][]int{}
	moves.AddListener(func(_ context.Context, m Move) {
		mu.Lock()
		defer mu.Unlock()
		history[m.Account] = append(history[m.Account], m.Cents)
	})
	for cents := 1; cents <= 3; cents++ {
		moves.Emit(ctx, Move{Account: 7, Cents: cents})
		moves.Emit(ctx, Move{Account: 8, Cents: -cents})
	}
	_ = moves.Close(ctx)
	fmt.Println(history[7], history[8])
	// endregion

	// Output:
	// [1 2 3] [-1 -2 -3]
}

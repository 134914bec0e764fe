package signals_test

import (
	"context"
	"fmt"
	"runtime"

	"example.com/signals"
)

// Events is a signal as a loop. The range subscribes when it starts, and ends
// when the signal has been closed and everything is delivered.
func ExampleAsyncSignal_Events() {
	ctx := context.Background()
	readings := signals.New[int]()
	go func() {
		for readings.IsEmpty() { // until the loop below listens
			runtime.Gosched()
		}
		for n := range 3 {
			readings.Emit(ctx, n)
		}
		_ = readings.Close(ctx)
	}()

	// region events
	for reading := range readings.Events(ctx) {
		fmt.Println(reading)
	}
	// endregion

	// Output:
	// 0
	// 1
	// 2
}

package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// Wait returns when no call of the listener is in flight any more, and what it
// uses may go.
func ExampleSubscription_Wait() {
	ctx := context.Background()
	begun, goOn := make(chan struct{}), make(chan struct{})
	file := "open"
	// region wait
	lines := signals.New[string]()
	writer := lines.Subscribe(func(_ context.Context, line string) error {
		close(begun)
		<-goOn
		fmt.Println("wrote", line, "to a file that is", file)
		return nil
	})
	lines.Emit(ctx, "one")
	<-begun
	lines.Emit(ctx, "two")

	writer.Unsubscribe() // no further call starts: "two" is dropped
	close(goOn)
	if err := writer.Wait(ctx); err != nil {
		fmt.Println(err)
	}
	file = "closed"
	fmt.Println("the file is", file, "and", writer.Stats().Drops, "was dropped")
	// endregion

	// Output:
	// wrote one to a file that is open
	// the file is closed and 1 was dropped
}

package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// Listeners of a sync signal run by priority, higher first, then in
// registration order.
func ExamplePriority() {
	// region priority
	stopping := signals.NewSync[string]()
	say := func(what string) func(context.Context, string) error {
		return func(context.Context, string) error { fmt.Println(what); return nil }
	}
	stopping.Subscribe(say("close the database"), signals.Priority(-10))
	stopping.Subscribe(say("finish requests"))
	stopping.Subscribe(say("stop listening"), signals.Priority(10))
	stopping.Subscribe(say("write the log"))
	stopping.Emit(context.Background(), "now")
	// endregion

	// Output:
	// stop listening
	// finish requests
	// write the log
	// close the database
}

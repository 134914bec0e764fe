package signals_test

import (
	"context"
	"fmt"

	"example.com/signals"
)

// A listener with Until is not called once its context has ended.
func ExampleUntil() {
	ctx := context.Background()
	// region until
	session, logout := context.WithCancel(ctx)
	messages := signals.NewSync[string]()
	messages.Subscribe(func(_ context.Context, text string) error {
		fmt.Println("to the session:", text)
		return nil
	}, signals.Until(session))
	messages.Emit(ctx, "hello")
	logout()
	messages.Emit(ctx, "anybody there?")
	// endregion

	// Output:
	// to the session: hello
}

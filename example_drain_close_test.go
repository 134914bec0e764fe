package signals_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// Drain waits for what has been accepted; Close also refuses what comes later.
func ExampleAsyncSignal_Close() {
	ctx := context.Background()
	// region close
	mails := signals.New[string](signals.Name("mails"))
	sent := 0
	mails.AddListener(func(context.Context, string) { sent++ })

	for range 10 {
		mails.Emit(ctx, "hello")
	}
	if err := mails.Drain(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(sent, "sent,", mails.Pending(), "pending")

	if err := mails.Close(ctx); err != nil {
		fmt.Println(err) // ctx ended; call Close again to wait on
	}
	err := mails.Offer(ctx, "too late")
	fmt.Println(errors.Is(err, signals.ErrClosed), err)
	// endregion

	// Output:
	// 10 sent, 0 pending
	// true signals: emit on "mails": signal is closed
}

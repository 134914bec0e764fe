package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

// An error is tried again, with a wait that grows.
func ExampleRetry() {
	attempt := 0
	send := func(context.Context, string) error {
		if attempt++; attempt < 3 {
			return errors.New("mail server is busy")
		}
		fmt.Println("sent at attempt", attempt)
		return nil
	}
	// region retry
	mails := signals.NewSync[string]()
	mails.Subscribe(resilience.Retry(send,
		resilience.MaxAttempts(5),
		resilience.Backoff(time.Millisecond, time.Second),
		resilience.OnRetry(func(_ context.Context, attempt int, err error, _ time.Duration) {
			fmt.Printf("attempt %d: %v\n", attempt, err)
		}),
	))
	// endregion
	_ = mails.TryEmit(context.Background(), "welcome")

	// Output:
	// attempt 1: mail server is busy
	// attempt 2: mail server is busy
	// sent at attempt 3
}

// An error that no retry can mend is marked, and ends the attempts at once.
func ExamplePermanent() {
	// region permanent
	charge := resilience.Retry(func(_ context.Context, cents int) error {
		if cents <= 0 {
			return resilience.Permanent(errors.New("nothing to charge"))
		}
		return nil
	})
	// endregion
	fmt.Println(charge(context.Background(), 0))

	// Output:
	// resilience: gave up after 1 attempt: nothing to charge
}

// A service that says when to come back is believed.
func ExampleRetryAfter() {
	attempt := 0
	// region after
	call := resilience.Retry(func(context.Context, string) error {
		if attempt++; attempt == 1 {
			return resilience.RetryAfter(errors.New("429 Too Many Requests"), 20*time.Millisecond)
		}
		return nil
	})
	// endregion
	begun := time.Now()
	err := call(context.Background(), "x")
	fmt.Println(err, attempt, time.Since(begun) >= 20*time.Millisecond)

	// Output:
	// <nil> 2 true
}

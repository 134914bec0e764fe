package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

// Of a batch of three the second is invalid, and the third fails at first.
func ExampleRetryBatch() {
	ctx := context.Background()
	attempt := 0
	insert := func(row string) error {
		switch {
		case row == "invalid":
			return resilience.Permanent(errors.New("not a row"))
		case row == "c" && attempt == 1:
			return errors.New("deadlock detected")
		}
		return nil
	}
	// region batch
	store := func(_ context.Context, rows []string) error {
		attempt++
		fmt.Println("storing", rows)
		errs := make(map[int]error)
		for i, row := range rows {
			if err := insert(row); err != nil {
				errs[i] = err
			}
		}
		if len(errs) > 0 {
			return &resilience.BatchError{Errs: errs} // the others are stored
		}
		return nil
	}

	dead := signals.NewSync[resilience.Letter[string]](signals.Name("rows.dead"))
	dead.AddListener(func(_ context.Context, l resilience.Letter[string]) {
		fmt.Printf("kept %q: %v\n", l.Payload, l.Err)
	})
	guarded := resilience.DeadLetterBatch(
		resilience.RetryBatch(store, resilience.Backoff(time.Millisecond, time.Second)),
		dead)
	// endregion
	_ = guarded(ctx, []string{"a", "invalid", "c"})

	// Output:
	// storing [a invalid c]
	// storing [c]
	// kept "invalid": not a row
}

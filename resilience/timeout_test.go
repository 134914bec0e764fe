package resilience_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

// obeys waits for the end of its context.
func obeys(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestTimeoutEndsTheContextOfTheCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		begun := time.Now()
		err := resilience.Timeout(obeys, time.Second)(t.Context(), 1)
		var timeout *resilience.TimeoutError
		if !errors.As(err, &timeout) || timeout.After != time.Second || !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v, want a TimeoutError after 1s", err, time.Since(begun))
		}
		if !os.IsTimeout(err) {
			t.Error("it does not say that it is a timeout")
		}
	})
}

// Async listeners get contexts without a deadline; Timeout gives them one.
func TestTimeoutBoundsAnAsyncListener(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var seen failures
		orders := signals.New[int](signals.OnFailure(seen.handle))
		orders.Subscribe(resilience.Timeout(obeys, time.Second))
		orders.Emit(t.Context(), 1)
		_ = orders.Close(t.Context())
		if got := seen.got(); len(got) != 1 || !errors.Is(got[0].Err, context.DeadlineExceeded) {
			t.Errorf("reported %+v, want one timeout", got)
		}
	})
}

// A listener that ignores its context is waited for, and its answer counts.
func TestAListenerThatIgnoresItsTimeoutIsNotAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, answer := range []error{nil, errDown} {
			begun, returned := time.Now(), false
			err := resilience.Timeout(func(context.Context, int) error {
				<-time.After(time.Minute)
				returned = true
				return answer
			}, time.Second)(t.Context(), 1)
			if !returned || time.Since(begun) != time.Minute {
				t.Errorf("Timeout returned after %v, before the listener", time.Since(begun))
			}
			var timeout *resilience.TimeoutError
			if late := errors.As(err, &timeout); late != (answer != nil) || !errors.Is(err, answer) {
				t.Errorf("got %v for a late %v", err, answer)
			}
		}
	})
}

func TestAnErrorInTimeIsReturnedAsItIs(t *testing.T) {
	if err := resilience.Timeout(fails, time.Hour)(t.Context(), 1); err == nil || err.Error() != errDown.Error() {
		t.Errorf("got %v, want down", err)
	}
	if v := caught(func() { _ = resilience.Timeout(panics, time.Hour)(t.Context(), 1) }); v != "boom" {
		t.Errorf("panic %v, want boom", v)
	}
}

func TestTheTimeoutFurtherInOrOutIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, d := range [][2]time.Duration{{time.Second, time.Minute}, {time.Minute, time.Second}} {
			err := resilience.Timeout(resilience.Timeout(obeys, d[0]), d[1])(t.Context(), 1)
			var timeout *resilience.TimeoutError
			if !errors.As(err, &timeout) || timeout.After != time.Second {
				t.Errorf("inner %v, outer %v: %v", d[0], d[1], err)
			}
		}
	})
}

func TestEachAttemptHasItsOwnTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		begun := time.Now()
		err := resilience.Retry(resilience.Timeout(obeys, time.Second),
			resilience.Jitter(0), resilience.Backoff(time.Second, time.Second))(t.Context(), 1)
		if time.Since(begun) != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v after %v, want 3 timeouts and 2 waits in 5s", err, time.Since(begun))
		}
	})
}

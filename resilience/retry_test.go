package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

func TestRetryCallsAgainUntilItSucceeds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := answers(errDown, errDown)
		if err := resilience.Retry(s.listen)(t.Context(), 1); err != nil || s.n() != 3 {
			t.Errorf("got %v after %d calls, want success at the third", err, s.n())
		}
	})
}

func TestRetryDoublesItsWaitUpToTheLongest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := answers(times(5, errDown)...)
		_ = resilience.Retry(s.listen, resilience.MaxAttempts(5), resilience.Jitter(0),
			resilience.Backoff(time.Second, 3*time.Second))(t.Context(), 1)
		var waits []time.Duration
		for i := range s.calls[1:] {
			waits = append(waits, s.calls[i+1].Sub(s.calls[i]))
		}
		if got, want := fmt.Sprint(waits), "[1s 2s 3s 3s]"; got != want {
			t.Errorf("waited %s, want %s", got, want)
		}
	})
}

func TestRetryJitterStaysWithinItsPart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		varied := false
		for range 50 {
			s := answers(errDown)
			_ = resilience.Retry(s.listen, resilience.Backoff(time.Second, time.Second), resilience.Jitter(0.25))(t.Context(), 1)
			off := s.calls[1].Sub(s.calls[0]).Seconds() - 1
			if math.Abs(off) > 0.2500001 {
				t.Errorf("off by %v seconds of 1, want up to 0.25", off)
			}
			varied = varied || off != 0
		}
		if !varied {
			t.Error("50 waits were all alike")
		}
	})
}

func TestRetryGivesUpWithTheLastErrorAndTheAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		last := errors.New("last")
		s := answers(errDown, errDown, errDown, last)
		err := resilience.Retry(s.listen, resilience.MaxAttempts(4))(t.Context(), 1)
		var gaveUp *resilience.RetryError
		if !errors.As(err, &gaveUp) || gaveUp.Attempts != 4 || !errors.Is(err, last) || gaveUp.Cause != nil {
			t.Errorf("got %#v, want a RetryError of 4 attempts and the last error", err)
		}
		if got, want := err.Error(), "resilience: gave up after 4 attempts: last"; got != want {
			t.Errorf("text %q, want %q", got, want)
		}
	})
}

func TestRetryStopsWhenItsContextEnds(t *testing.T) {
	why := errors.New("shutting down")
	t.Run("while waiting", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			s := answers(times(9, errDown)...)
			result := make(chan error)
			go func() {
				result <- resilience.Retry(s.listen, resilience.Backoff(time.Hour, time.Hour))(ctx, 1)
			}()
			synctest.Wait() // in its backoff
			begun := time.Now()
			cancel(why)
			err := <-result
			if s.n() != 1 || time.Since(begun) != 0 {
				t.Errorf("%d calls, %v after the end; want 1 and none", s.n(), time.Since(begun))
			}
			for _, want := range []error{errDown, context.Canceled, why} {
				if !errors.Is(err, want) {
					t.Errorf("%v is not %v", err, want)
				}
			}
		})
	})
	t.Run("during a call", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			calls := 0
			err := resilience.Retry(func(context.Context, int) error {
				if calls++; calls == 2 {
					cancel()
				}
				return errDown
			}, resilience.MaxAttempts(9))(ctx, 1)
			if calls != 2 || !errors.Is(err, context.Canceled) || !errors.Is(err, errDown) {
				t.Errorf("%v after %d calls, want the end of the context after 2", err, calls)
			}
		})
	})
}

func TestRetryStopsAtAPermanentError(t *testing.T) {
	s := answers(fmt.Errorf("charge: %w", resilience.Permanent(errDown)))
	err := resilience.Retry(s.listen)(t.Context(), 1)
	if s.n() != 1 || !errors.Is(err, errDown) || !resilience.IsPermanent(err) {
		t.Errorf("%v after %d calls, want the error after 1", err, s.n())
	}
	if got, want := err.Error(), "resilience: gave up after 1 attempt: charge: down"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}

	// Also through another Retry.
	s = answers(resilience.Permanent(errDown))
	if err := resilience.Retry(resilience.Retry(s.listen))(t.Context(), 1); s.n() != 1 || !errors.Is(err, errDown) {
		t.Errorf("nested: %v after %d calls, want the error after 1", err, s.n())
	}
	if resilience.Permanent(nil) != nil || resilience.IsPermanent(errDown) {
		t.Error("nil or an unmarked error is permanent")
	}
}

func TestRetryIfDecides(t *testing.T) {
	bubble(t, func(t *testing.T) {
		final := errors.New("final")
		s := answers(errDown, final)
		err := resilience.Retry(s.listen, resilience.MaxAttempts(9),
			resilience.RetryIf(func(err error) bool { return !errors.Is(err, final) }))(t.Context(), 1)
		if s.n() != 2 || !errors.Is(err, final) || resilience.IsPermanent(err) {
			t.Errorf("%v after %d calls, want final after 2, unmarked", err, s.n())
		}
	})
}

func TestRetryAfterReplacesTheBackoff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := answers(resilience.RetryAfter(errDown, time.Minute))
		if err := resilience.Retry(s.listen)(t.Context(), 1); err != nil || s.calls[1].Sub(s.calls[0]) != time.Minute {
			t.Errorf("%v after %v, want success after a minute", err, s.calls[1].Sub(s.calls[0]))
		}
	})
}

// An attempt at an open circuit reaches nobody: Retry waits until the circuit
// lets trials through, and counts calls only.
func TestRetryWaitsForAnOpenCircuit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := opened(t, resilience.OpenFor(5*second))
		s := answers(nil)
		begun := time.Now()
		err := resilience.Retry(resilience.Breaker(s.listen, c), resilience.Jitter(0))(t.Context(), 1)
		if took := time.Since(begun); err != nil || s.n() != 1 || took < 5*second || took > 6*second {
			t.Errorf("%v, %d calls after %v; want success after 5s", err, s.n(), took)
		}
	})
}

func TestRetryGivesUpOnACircuitThatStaysOpenTooLong(t *testing.T) {
	for name, refuse := range map[string]func(c *resilience.Circuit){
		"open for longer than the longest wait": func(c *resilience.Circuit) { _ = resilience.Breaker(fails, c)(t.Context(), 1) },
		"forced open":                           (*resilience.Circuit).ForceOpen,
	} {
		bubble(t, func(t *testing.T) {
			c := resilience.NewCircuit(resilience.FailureThreshold(1), resilience.CircuitName("gateway"))
			s := answers(errDown)
			fn := resilience.Retry(func(ctx context.Context, n int) error {
				err := resilience.Breaker(s.listen, c)(ctx, n)
				if s.n() == 1 {
					refuse(c)
				}
				return err
			}, resilience.MaxAttempts(9))
			begun := time.Now()
			err := fn(t.Context(), 1)
			var gaveUp *resilience.RetryError
			if !errors.As(err, &gaveUp) || gaveUp.Attempts != 1 || gaveUp.Err != errDown || !errors.Is(gaveUp.Cause, resilience.ErrOpen) || time.Since(begun) > second { //nolint:errorlint // this very one
				t.Errorf("%s: %#v after %v; want 1 attempt, the listener's error, and the refusal as the cause, at once", name, gaveUp, time.Since(begun))
			}
			err = fn(t.Context(), 1)
			if !errors.As(err, &gaveUp) || gaveUp.Attempts != 0 || !errors.Is(gaveUp.Err, resilience.ErrOpen) || gaveUp.Cause != nil || s.n() != 1 {
				t.Errorf("%s: %#v; want no attempt, and the refusal", name, gaveUp)
			}
			if got, want := err.Error(), "resilience: gave up without a call: resilience: circuit "; !strings.HasPrefix(got, want) {
				t.Errorf("text %q, want %q...", got, want)
			}
		})
	}
}

func TestMaxElapsedTimeBeginsNoWaitThatEndsTooLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		begun := time.Now()
		s := answers(times(9, errDown)...)
		err := resilience.Retry(s.listen, resilience.MaxAttempts(9), resilience.Jitter(0),
			resilience.Backoff(time.Second, time.Second), resilience.MaxElapsedTime(2500*time.Millisecond))(t.Context(), 1)
		if !errors.Is(err, errDown) || s.n() != 3 || time.Since(begun) != 2*time.Second {
			t.Errorf("%v, %d calls in %v; want 3 in 2s", err, s.n(), time.Since(begun))
		}
	})
}

func TestOnRetrySeesEachWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var got string
		s := answers(times(3, errDown)...)
		_ = resilience.Retry(s.listen, resilience.Jitter(0), resilience.OnRetry(
			func(_ context.Context, attempt int, err error, wait time.Duration) {
				got += fmt.Sprintln(attempt, err, wait)
			}))(t.Context(), 1)
		if want := "1 down 100ms\n2 down 200ms\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestRetryLetsAPanicPass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		calls := 0
		v := caught(func() {
			_ = resilience.Retry(func(context.Context, int) error {
				if calls++; calls == 2 {
					panic("boom")
				}
				return errDown
			})(t.Context(), 1)
		})
		if v != "boom" || calls != 2 {
			t.Errorf("panic %v after %d calls, want boom after 2", v, calls)
		}
	})
}

// A retrying listener of an async signal holds up nobody but itself, and keeps
// its order.
func TestRetryKeepsTheOrderOfAnAsyncListener(t *testing.T) {
	bubble(t, func(t *testing.T) {
		orders := signals.New[int]()
		var got []int
		failed := map[int]bool{}
		orders.Subscribe(resilience.Retry(func(_ context.Context, n int) error {
			if !failed[n] {
				failed[n] = true
				return errDown
			}
			got = append(got, n)
			return nil
		}))
		others := answers()
		orders.Subscribe(others.listen)
		begun := time.Now()
		for n := range 3 {
			orders.Emit(t.Context(), n)
		}
		synctest.Wait()
		if others.n() != 3 || time.Since(begun) != 0 {
			t.Errorf("the other listener got %d of 3 at once", others.n())
		}
		if err := orders.Close(t.Context()); err != nil || fmt.Sprint(got) != "[0 1 2]" {
			t.Errorf("%v, got %v, want [0 1 2]", err, got)
		}
	})
}

package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"example.com/signals"
	"example.com/signals/resilience"
	"example.com/signals/signalstest"
)

// hostile is an error whose methods all panic on a nil pointer, which is in an
// error more often than anybody means it.
type hostile struct{ text string }

func (h *hostile) Error() string        { return h.text }
func (h *hostile) Unwrap() error        { return errors.New(h.text) }
func (h *hostile) Is(target error) bool { return target.Error() == h.text }
func (h *hostile) As(any) bool          { return h.text == "" }

// hostileErrors are errors that a listener may return, the methods of which
// panic somewhere.
func hostileErrors() map[string]error {
	var nilPointer *hostile
	return map[string]error{
		"nil":       nilPointer,
		"wrapped":   fmt.Errorf("charge: %w", error(nilPointer)),
		"joined":    errors.Join(nilPointer, errDown),
		"permanent": resilience.Permanent(nilPointer),
		"later":     resilience.RetryAfter(nilPointer, time.Millisecond),
	}
}

// Whatever an error's methods do, it is a failure like any other: retried,
// counted by the circuit, put into a letter, returned.
func TestAnErrorWhoseMethodsPanicIsAFailureLikeAnyOther(t *testing.T) {
	for name, hostile := range hostileErrors() {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				dead := signals.NewSync[resilience.Letter[int]]()
				letters := signalstest.Record(t, dead)
				calls, breaking := 0, resilience.NewCircuit(resilience.FailureIf(func(error) bool { return true }))
				fn := resilience.DeadLetter(resilience.Retry(resilience.Breaker(resilience.Timeout(resilience.Dedup(
					func(context.Context, int) error { calls++; return hostile }, itself, 10), time.Second), breaking)), dead)
				err := fn(t.Context(), 1)
				want := 3
				if name == "permanent" {
					want = 1
				}
				var gaveUp *resilience.RetryError
				if !errors.As(err, &gaveUp) || gaveUp.Attempts != want || calls != want || gaveUp.Err != hostile { //nolint:errorlint // this very one
					t.Errorf("%d calls, %+v; want %d and the listener's error", calls, gaveUp, want)
				}
				if text := err.Error(); !strings.Contains(text, "resilience_test.hostile, whose Error method panics") && !strings.Contains(text, "down") && !strings.Contains(text, "<nil>") {
					t.Errorf("text %q, want the type of the error", text)
				}
				if l := letters.Got(); len(l) != 1 || l[0].Attempts != want {
					t.Errorf("letters %d, want one of %d attempts", len(l), want)
				}
				if st := breaking.Stats(); st.Failures != uint64(want) {
					t.Errorf("the circuit counted %d failures, want %d", st.Failures, want)
				}
			})
		})
	}
}

func TestAnErrorWhoseMethodsPanicOpensACircuitBreaker(t *testing.T) {
	for kind, newSignal := range kinds {
		for name, hostile := range hostileErrors() {
			if name == "permanent" {
				continue // an answer
			}
			bubble(t, func(t *testing.T) {
				c := resilience.NewCircuit(resilience.FailureThreshold(2), resilience.OpenFor(time.Hour))
				g := resilience.NewCircuitBreaker[int](newSignal, c, silent)
				g.Subscribe(func(context.Context, int) error { return hostile })
				for range 3 {
					g.Emit(t.Context(), 1)
					_ = g.Drain(t.Context())
				}
				if st := c.Stats(); st.State != resilience.Open || st.Failures != 2 {
					t.Errorf("%s %s: %+v, want open after 2", kind, name, st)
				}
			})
		}
	}
}

// What panics in one error of a tree hides nothing else in it.
func TestAMethodThatPanicsHidesNoOtherError(t *testing.T) {
	var nilPointer *hostile
	s := answers(errors.Join(nilPointer, resilience.Permanent(errDown)))
	err := resilience.Retry(s.listen)(t.Context(), 1)
	if s.n() != 1 || !resilience.IsPermanent(err) {
		t.Errorf("%d calls, want 1: it is permanent", s.n())
	}
	if got, want := resilience.Retry(answers(resilience.Permanent(nilPointer)).listen)(t.Context(), 1).Error(),
		"resilience: gave up after 1 attempt: *resilience_test.hostile, whose Error method panics"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

// No text has more digits of a duration than anybody wants to read.
func TestDurationsInTextsAreRounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := opened(t, resilience.OpenFor(time.Minute))
		<-time.After(1234567 * time.Microsecond)
		refused := resilience.Breaker(succeeds, c)(t.Context(), 1)
		limiter := rate.NewLimiter(rate.Every(3*time.Second+123456789), 1)
		limited := resilience.Limit(succeeds, limiter, resilience.MaxWait(0))
		_ = limited(t.Context(), 1)
		for err, want := range map[error]string{
			refused:                 "resilience: circuit is open for another 58.8s",
			limited(t.Context(), 1): "resilience: rate limit reached for another 3.12s",
		} {
			if err.Error() != want {
				t.Errorf("text %q, want %q", err, want)
			}
		}
	})
}

package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"example.com/signals/resilience"
)

func perSecond() *rate.Limiter { return rate.NewLimiter(1, 1) }

func TestLimitSpacesCallsOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := answers()
		begun := time.Now()
		limited := resilience.Limit(s.listen, perSecond())
		for range 4 {
			if err := limited(t.Context(), 1); err != nil {
				t.Error(err)
			}
		}
		if got := time.Since(begun); got != 3*time.Second {
			t.Errorf("4 calls at 1 a second took %v, want 3s", got)
		}
	})
}

func TestListenersShareALimiter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		shared := perSecond()
		begun := time.Now()
		_ = resilience.Limit(succeeds, shared)(t.Context(), 1)
		_ = resilience.Limit(func(context.Context, string) error { return nil }, shared)(t.Context(), "x")
		if got := time.Since(begun); got != time.Second {
			t.Errorf("2 calls took %v, want 1s", got)
		}
	})
}

// What cannot begin in time is refused at once, and takes nobody's turn.
func TestLimitRefusesWhatWouldComeTooLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		begun := time.Now()
		limiter := perSecond()
		deadline, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		s := answers()
		_ = resilience.Limit(s.listen, limiter)(t.Context(), 1)
		for name, call := range map[string]func() error{
			"no wait": func() error { return resilience.Limit(s.listen, limiter, resilience.MaxWait(0))(t.Context(), 1) },
			"max wait": func() error {
				return resilience.Limit(s.listen, limiter, resilience.MaxWait(time.Millisecond))(t.Context(), 1)
			},
			"deadline": func() error { return resilience.Limit(s.listen, limiter)(deadline, 1) },
		} {
			err := call()
			if !errors.Is(err, resilience.ErrRateLimited) || err.Error() != "resilience: rate limit reached for another 1s" || time.Since(begun) != 0 || s.n() != 1 {
				t.Errorf("%s: %v after %v", name, err, time.Since(begun))
			}
		}
		if err := resilience.Limit(s.listen, limiter)(t.Context(), 1); err != nil || time.Since(begun) != time.Second {
			t.Errorf("%v after %v, want the turn after 1s", err, time.Since(begun))
		}
		if err := resilience.Limit(s.listen, rate.NewLimiter(1, 0))(t.Context(), 1); !errors.Is(err, resilience.ErrRateLimited) {
			t.Errorf("a burst of 0 gives %v", err)
		}
	})
}

func TestLimitStopsWaitingWhenItsContextEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limiter := perSecond()
		limiter.Allow()
		s := answers()
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() { result <- resilience.Limit(s.listen, limiter)(ctx, 1) }()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) || !errors.Is(err, resilience.ErrRateLimited) || s.n() != 0 {
			t.Errorf("%v, %d calls", err, s.n())
		}
		if err := resilience.Limit(s.listen, perSecond())(ctx, 1); !errors.Is(err, context.Canceled) || s.n() != 0 {
			t.Errorf("with an ended context: %v, %d calls", err, s.n())
		}
		if got := fmt.Sprint(limiter.TokensAt(time.Now())); got != "0" {
			t.Errorf("%s turns are left, want 0: the one that was given up is given back", got)
		}
	})
}

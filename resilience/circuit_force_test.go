package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
	"example.com/signals/signalstest"
)

func TestForceOpenHoldsUntilReset(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := resilience.NewCircuit(resilience.CircuitName("gateway"), resilience.OpenFor(second))
		changes := signalstest.Record(t, c.StateChanges())
		s := answers()
		call := resilience.Breaker(s.listen, c)
		c.ForceOpen()
		<-time.After(time.Hour)
		err := call(t.Context(), 1)
		var open *resilience.OpenError
		if !errors.As(err, &open) || !open.Forced || open.RetryAfter != 0 || s.n() != 0 || c.State() != resilience.Open {
			t.Errorf("%#v, %d calls, %s; want a forced refusal", err, s.n(), c.State())
		}
		if got, want := err.Error(), `resilience: circuit "gateway" is held open until it is reset`; got != want {
			t.Errorf("text %q, want %q", got, want)
		}
		c.Reset()
		if err := call(t.Context(), 1); err != nil || s.n() != 1 || c.State() != resilience.Closed {
			t.Errorf("after Reset: %v, %s", err, c.State())
		}
		synctest.Wait()
		got := ""
		for _, change := range changes.Got() {
			got += fmt.Sprintf("%s-%s ", change.From, change.To)
		}
		if got != "closed-open open-closed " {
			t.Errorf("changes %s", got)
		}
	})
}

func TestForceClosedHoldsWhateverFails(t *testing.T) {
	c := opened(t)
	c.ForceClosed()
	s := answers(times(20, errDown)...)
	for range 20 {
		_ = resilience.Breaker(s.listen, c)(t.Context(), 1)
	}
	if s.n() != 20 || c.State() != resilience.Closed {
		t.Errorf("%d of 20 calls, %s", s.n(), c.State())
	}
	c.Reset()
	_ = resilience.Breaker(fails, c)(t.Context(), 1)
	if c.State() != resilience.Open {
		t.Error("after Reset it does not decide again")
	}
}

// What a call that began before comes to changes nothing any more.
func TestAForcedCircuitHearsNothingFromBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := resilience.NewCircuit(resilience.FailureThreshold(1))
		changes := signalstest.Record(t, c.StateChanges())
		release := make(chan struct{})
		go func() {
			_ = resilience.Breaker(func(context.Context, int) error { <-release; return errDown }, c)(t.Context(), 1)
		}()
		synctest.Wait()
		c.ForceClosed()
		close(release)
		synctest.Wait()
		if got := changes.Got(); len(got) != 0 || c.Stats().Opened != 0 {
			t.Errorf("changes %v", got)
		}
	})
}

// Reset begins anew: what is under way, and what came before, no longer counts.
func TestResetForgetsWhatCameBefore(t *testing.T) {
	for kind, newSignal := range kinds {
		bubble(t, func(t *testing.T) {
			c := resilience.NewCircuit(resilience.FailureThreshold(2))
			_ = resilience.Breaker(fails, c)(t.Context(), 1)
			g := resilience.NewCircuitBreaker[int](newSignal, c, silent)
			release := make(chan struct{})
			g.Subscribe(func(context.Context, int) error { <-release; return errDown })
			go g.Emit(t.Context(), 1)
			synctest.Wait()
			c.Reset()
			_ = resilience.Breaker(fails, c)(t.Context(), 1)
			close(release)
			synctest.Wait()
			if st := c.Stats(); st.State != resilience.Closed || st.FailuresInARow != 1 {
				t.Errorf("%s: %+v; want closed, 1 failure since", kind, st)
			}
		})
	}
}

func TestStatsOfACircuit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := resilience.NewCircuit(resilience.CircuitName("gateway"), resilience.FailureRate(0.5, time.Minute, 4), resilience.OpenFor(second))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = resilience.Breaker(obeys, c)(ctx, 1) // ignored
		s := answers(nil, errDown, nil)
		for range 3 {
			_ = resilience.Breaker(s.listen, c)(t.Context(), 1)
		}
		if st := c.Stats(); st != (resilience.CircuitStats{
			Circuit: "gateway", State: resilience.Closed, Since: st.Since,
			Successes: 2, Failures: 1, Ignored: 1, RecentCalls: 3, RecentFailures: 1,
		}) {
			t.Errorf("closed: %+v", st)
		}
		_ = resilience.Breaker(fails, c)(t.Context(), 1)
		begun := time.Now()
		_ = resilience.Breaker(fails, c)(t.Context(), 1)
		_ = resilience.NewCircuitBreaker(signals.New[int], c).Offer(t.Context(), 1)
		if st := c.Stats(); st != (resilience.CircuitStats{
			Circuit: "gateway", State: resilience.Open, Since: begun,
			Successes: 2, Failures: 2, Ignored: 1, Refusals: 2, Opened: 1,
		}) {
			t.Errorf("open: %+v", st)
		}
		c.ForceClosed()
		if st := c.Stats(); st.State != resilience.Closed || !st.Forced {
			t.Errorf("forced: %+v", st)
		}
	})
}

package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"example.com/signals"
	"example.com/signals/resilience"
	"example.com/signals/signalstest"
)

const second = time.Second

// opened returns a circuit that one failure has opened.
func opened(t *testing.T, opts ...resilience.CircuitOption) *resilience.Circuit {
	t.Helper()
	c := resilience.NewCircuit(append([]resilience.CircuitOption{resilience.FailureThreshold(1), resilience.OpenFor(second)}, opts...)...)
	_ = resilience.Breaker(fails, c)(t.Context(), 1)
	if c.State() != resilience.Open {
		t.Fatalf("the circuit is %s after a failure", c.State())
	}
	return c
}

// pass lets time go by until an open circuit is half-open.
func pass(t *testing.T, c *resilience.Circuit) {
	t.Helper()
	<-time.After(second + 1)
	if c.State() != resilience.HalfOpen {
		t.Fatalf("the circuit is %s after its time", c.State())
	}
}

func TestBreakerOpensAfterFailuresInARow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := resilience.NewCircuit(resilience.CircuitName("gateway"))
		s := answers(errDown, errDown, errDown, errDown, nil, errDown, errDown, errDown, errDown, errDown)
		call := resilience.Breaker(s.listen, c)
		for range 10 {
			if c.State() != resilience.Closed {
				t.Errorf("open after %d calls", s.n())
			}
			_ = call(t.Context(), 1)
		}
		<-time.After(20 * second)
		err := call(t.Context(), 1)
		var open *resilience.OpenError
		if !errors.As(err, &open) || !errors.Is(err, resilience.ErrOpen) || s.n() != 10 ||
			*open != (resilience.OpenError{Circuit: "gateway", State: resilience.Open, RetryAfter: 40 * second}) {
			t.Errorf("%#v after %d calls, want a refusal for another 40s after 10", err, s.n())
		}
		if got, want := err.Error(), `resilience: circuit "gateway" is open for another 40s`; got != want {
			t.Errorf("text %q, want %q", got, want)
		}
	})
}

func TestBreakerCountsEveryWayToFail(t *testing.T) {
	ways := map[string]func(context.Context, int) error{
		"error":   fails,
		"panic":   panics,
		"timeout": func(context.Context, int) error { return context.DeadlineExceeded },
		"goexit":  func(context.Context, int) error { runtime.Goexit(); return nil },
	}
	for name, fn := range ways {
		c := resilience.NewCircuit(resilience.FailureThreshold(2), resilience.FailureIf(func(error) bool { return true }))
		for want := range 2 {
			if c.State() != resilience.Closed {
				t.Errorf("%s: open after %d", name, want)
			}
			exited(func() {
				if v := caught(func() { _ = resilience.Breaker(fn, c)(t.Context(), 1) }); (v == "boom") != (name == "panic") {
					t.Errorf("%s: panic %v", name, v)
				}
			})
		}
		if c.State() != resilience.Open {
			t.Errorf("%s: %s after 2, want open", name, c.State())
		}
	}
}

func TestAPanicPassesABreakerWithItsStack(t *testing.T) {
	var seen failures
	orders := signals.NewSync[int](signals.OnFailure(seen.handle))
	orders.Subscribe(resilience.Breaker(panics, resilience.NewCircuit()))
	orders.Emit(t.Context(), 1)
	var p *signals.PanicError
	if !errors.As(seen.got()[0].Err, &p) || !strings.Contains(string(p.Stack), "resilience_test.panics") {
		t.Errorf("got %v, want the panic with the stack that raised it", seen.got()[0].Err)
	}
}

func TestFailureIfExemptsErrorsButNoPanic(t *testing.T) {
	c := resilience.NewCircuit(resilience.FailureThreshold(1), resilience.FailureIf(func(err error) bool { return !errors.Is(err, errDown) }))
	_ = resilience.Breaker(fails, c)(t.Context(), 1)
	if c.State() != resilience.Closed {
		t.Error("an exempt error opened it")
	}
	_ = caught(func() { _ = resilience.Breaker(panics, c)(t.Context(), 1) })
	if c.State() != resilience.Open {
		t.Error("a panic did not open it")
	}
}

func TestACallerThatGivesUpIsNoFailure(t *testing.T) {
	c := resilience.NewCircuit(resilience.FailureThreshold(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = resilience.Breaker(obeys, c)(ctx, 1)
	if c.State() != resilience.Closed {
		t.Error("the caller's cancellation opened it")
	}
	_ = resilience.Breaker(func(context.Context, int) error { return context.Canceled }, c)(t.Context(), 1)
	if c.State() != resilience.Open {
		t.Error("a cancellation by somebody else did not open it")
	}
}

// The caller's own deadline says how long the caller can wait, not how long a
// call may take: that a Timeout says, wherever it stands.
func TestACallersDeadlineIsNoFailureButATimeoutIs(t *testing.T) {
	for name, test := range map[string]struct {
		fn   func(c *resilience.Circuit) func(context.Context, int) error
		want resilience.State
	}{
		"the caller's": {func(c *resilience.Circuit) func(context.Context, int) error {
			return resilience.Breaker(obeys, c)
		}, resilience.Closed},
		"a Timeout within": {func(c *resilience.Circuit) func(context.Context, int) error {
			return resilience.Breaker(resilience.Timeout(obeys, time.Millisecond), c)
		}, resilience.Open},
		"a Timeout within, whose call outlasts the caller": {func(c *resilience.Circuit) func(context.Context, int) error {
			return resilience.Breaker(resilience.Timeout(func(ctx context.Context, _ int) error {
				<-time.After(2 * second)
				return ctx.Err()
			}, time.Millisecond), c)
		}, resilience.Open},
		"a Timeout around": {func(c *resilience.Circuit) func(context.Context, int) error {
			return resilience.Timeout(resilience.Breaker(obeys, c), time.Millisecond)
		}, resilience.Open},
		"down while it ended": {func(c *resilience.Circuit) func(context.Context, int) error {
			return resilience.Breaker(func(ctx context.Context, _ int) error { <-ctx.Done(); return errDown }, c)
		}, resilience.Open},
	} {
		bubble(t, func(t *testing.T) {
			c := resilience.NewCircuit(resilience.FailureThreshold(1))
			ctx, cancel := context.WithTimeout(t.Context(), second)
			defer cancel()
			if err := test.fn(c)(ctx, 1); err == nil || c.State() != test.want {
				t.Errorf("%s: %v, %s; want %s", name, err, c.State(), test.want)
			}
		})
	}
}

func TestAPermanentErrorIsAnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := opened(t)
		pass(t, c)
		invalid := resilience.Breaker(answers(times(3, resilience.Permanent(errDown))...).listen, c)
		_ = invalid(t.Context(), 1)
		if c.State() != resilience.Closed {
			t.Errorf("%s after a trial that was answered", c.State())
		}
		_ = invalid(t.Context(), 1)
		if c.State() != resilience.Closed {
			t.Error("a permanent error opened it")
		}
	})
	c := resilience.NewCircuit(resilience.FailureThreshold(1), resilience.FailureIf(func(error) bool { return true }))
	_ = resilience.Breaker(answers(resilience.Permanent(errDown)).listen, c)(t.Context(), 1)
	if c.State() != resilience.Open {
		t.Error("FailureIf does not decide about a permanent error")
	}
}

// What a wrapper within refuses never reached what the circuit is about.
func TestARefusalWithinIsNoFailure(t *testing.T) {
	full := semaphore.NewWeighted(1)
	_ = full.Acquire(t.Context(), 1)
	for name, fn := range map[string]func(context.Context, int) error{
		"Bulkhead": resilience.Bulkhead(succeeds, full, resilience.MaxWait(0)),
		"Limit":    resilience.Limit(succeeds, rate.NewLimiter(0, 0)),
		"Breaker":  resilience.Breaker(succeeds, opened(t)),
	} {
		c := resilience.NewCircuit(resilience.FailureThreshold(1))
		_ = resilience.Breaker(fn, c)(t.Context(), 1)
		if st := c.Stats(); st.State != resilience.Closed || st.Ignored != 1 {
			t.Errorf("%s: %+v", name, st)
		}
	}
}

func TestAHalfOpenCircuitLetsTrialsThrough(t *testing.T) {
	for name, end := range map[string]struct {
		fn   func(context.Context, int) error
		want resilience.State
	}{
		"success": {succeeds, resilience.Closed},
		"error":   {fails, resilience.Open},
		"panic":   {panics, resilience.Open},
		"goexit":  {func(context.Context, int) error { runtime.Goexit(); return nil }, resilience.Open},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := opened(t)
				pass(t, c)
				release, gone := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(gone)
					_ = caught(func() {
						_ = resilience.Breaker(func(ctx context.Context, n int) error { <-release; return end.fn(ctx, n) }, c)(t.Context(), 1)
					})
				}()
				synctest.Wait()
				err := resilience.Breaker(succeeds, c)(t.Context(), 1)
				if !errors.Is(err, resilience.ErrOpen) || c.State() != resilience.HalfOpen {
					t.Errorf("a second call during the trial: %v, %s", err, c.State())
				}
				close(release)
				<-gone
				if c.State() != end.want {
					t.Errorf("%s after the trial, want %s", c.State(), end.want)
				}
			})
		})
	}
}

func TestHalfOpenCallsMustAllSucceed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := opened(t, resilience.HalfOpenCalls(3))
		pass(t, c)
		for n := range 3 {
			if c.State() != resilience.HalfOpen {
				t.Errorf("%s after %d trials", c.State(), n)
			}
			_ = resilience.Breaker(succeeds, c)(t.Context(), 1)
		}
		if c.State() != resilience.Closed {
			t.Errorf("%s after 3 trials", c.State())
		}
	})
}

func TestFailureRateOpensByShareWithinTheWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := resilience.NewCircuit(resilience.FailureRate(0.5, 10*second, 4))
		call := func(errs ...error) {
			for _, err := range errs {
				_ = resilience.Breaker(answers(err).listen, c)(t.Context(), 1)
			}
		}
		call(errDown, errDown, errDown) // too few calls
		if c.State() != resilience.Closed {
			t.Fatal("open after 3 calls")
		}
		<-time.After(11 * second)
		call(errDown, nil, nil, nil, errDown, nil) // 2 of 6; the first three are forgotten
		if c.State() != resilience.Closed {
			t.Fatal("open at 2 failures of 6")
		}
		call(errDown, errDown) // 4 of 8
		if c.State() != resilience.Open {
			t.Error("closed at 4 failures of 8")
		}
	})
}

func TestListenersShareACircuit(t *testing.T) {
	c := resilience.NewCircuit(resilience.FailureThreshold(2))
	_ = resilience.Breaker(fails, c)(t.Context(), 1)
	_ = resilience.Breaker(func(context.Context, string) error { return errDown }, c)(t.Context(), "x")
	if err := resilience.Breaker(succeeds, c)(t.Context(), 1); !errors.Is(err, resilience.ErrOpen) {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestStateChangesAreASignal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := resilience.NewCircuit(resilience.CircuitName("gateway"), resilience.FailureThreshold(1), resilience.OpenFor(second))
		changes := signalstest.Record(t, c.StateChanges())
		begun := time.Now()
		_ = resilience.Breaker(fails, c)(t.Context(), 1)
		pass(t, c)
		_ = resilience.Breaker(succeeds, c)(t.Context(), 1)
		synctest.Wait()
		later := begun.Add(second + 1)
		changes.Ordered(
			resilience.StateChange{Circuit: "gateway", From: resilience.Closed, To: resilience.Open, At: begun},
			resilience.StateChange{Circuit: "gateway", From: resilience.Open, To: resilience.HalfOpen, At: later},
			resilience.StateChange{Circuit: "gateway", From: resilience.HalfOpen, To: resilience.Closed, At: later},
		)
	})
}

// A listener of the changes may use the circuit: no lock is held.
func TestAListenerOfTheChangesMayUseTheCircuit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var got []string
		changes := signals.NewSync[resilience.StateChange]()
		c := resilience.NewCircuit(resilience.FailureThreshold(1), resilience.StateChangesTo(changes))
		changes.Subscribe(func(ctx context.Context, s resilience.StateChange) error {
			err := resilience.Breaker(succeeds, c)(ctx, 1)
			got = append(got, fmt.Sprintf("%s %s %v", s.To, c.State(), err))
			return nil
		})
		_ = resilience.Breaker(fails, c)(t.Context(), 1)
		if want := `[open open resilience: circuit is open for another 1m0s]`; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}

// Changes come in order and none is lost, whoever makes them.
func TestStateChangesHammer(t *testing.T) {
	changes := signals.NewSync[resilience.StateChange]()
	c := resilience.NewCircuit(resilience.FailureThreshold(1), resilience.OpenFor(1), resilience.StateChangesTo(changes))
	last := resilience.Closed // only ever one goroutine emits
	changes.Subscribe(func(_ context.Context, s resilience.StateChange) error {
		if s.From != last {
			t.Errorf("a change from %s, after one to %s", s.From, last)
		}
		last = s.To
		return nil
	})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 500 {
				_ = resilience.Breaker(func(context.Context, int) error {
					if (g+n)%3 == 0 {
						return errDown
					}
					return nil
				}, c)(t.Context(), n)
			}
		})
	}
	wg.Wait()
	if s := c.State(); s != last {
		t.Errorf("the circuit is %s, the last change was to %s", s, last)
	}
}

package resilience_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
	"example.com/signals/signalstest"
)

// silent is a failure handler for tests in which listeners fail on purpose.
var silent = signals.OnFailure(func(context.Context, signals.Failure) {})

func TestFailingListenersOpenACircuitBreaker(t *testing.T) {
	ways := map[string]func(context.Context, int) error{"error": fails, "panic": panics}
	emits := map[string]func(g gated){
		"Emit":    func(g gated) { g.Emit(context.Background(), 1) },
		"TryEmit": func(g gated) { _ = g.TryEmit(context.Background(), 1) },
		"Offer":   func(g gated) { _ = g.Offer(context.Background(), 1) },
	}
	for kind, newSignal := range kinds {
		for way, fn := range ways {
			for how, emit := range emits {
				t.Run(kind+" "+way+" "+how, func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						c := resilience.NewCircuit(resilience.FailureThreshold(3), resilience.OpenFor(second))
						calls := 0
						g := resilience.NewCircuitBreaker[int](newSignal, c, silent)
						changes := signalstest.Record(t, g.StateChanges())
						g.Subscribe(func(ctx context.Context, n int) error {
							if calls++; calls <= 3 {
								return fn(ctx, n)
							}
							return nil
						})
						for range 5 {
							emit(g)
							synctest.Wait()
						}
						if calls != 3 || g.State() != resilience.Open {
							t.Errorf("%d calls, %s; want 3, then open", calls, g.State())
						}
						<-time.After(second + 1)
						emit(g)
						synctest.Wait()
						if calls != 4 || g.State() != resilience.Closed {
							t.Errorf("%d calls, %s; want a trial that closes it", calls, g.State())
						}
						if got := len(changes.Got()); got != 3 {
							t.Errorf("%d changes of state, want 3", got)
						}
					})
				})
			}
		}
	}
}

func TestGoexitOpensACircuitBreaker(t *testing.T) {
	for kind, newSignal := range kinds {
		bubble(t, func(t *testing.T) {
			g := resilience.NewCircuitBreaker[int](newSignal, resilience.NewCircuit(resilience.FailureThreshold(1)), silent)
			g.Subscribe(func(context.Context, int) error { runtime.Goexit(); return nil })
			exited(func() { g.Emit(t.Context(), 1) })
			_ = g.Drain(t.Context())
			if g.State() != resilience.Open {
				t.Errorf("%s: %s, want open", kind, g.State())
			}
		})
	}
}

// On a sync signal the emission counts: what its other listeners did does not
// make up for the one that fails.
func TestASyncEmissionFailsIfOneListenerFails(t *testing.T) {
	g := resilience.NewCircuitBreaker(signals.NewSync[int], resilience.NewCircuit(resilience.FailureThreshold(3)), silent)
	g.Subscribe(succeeds)
	g.Subscribe(fails)
	g.Subscribe(succeeds)
	for range 3 {
		g.Emit(t.Context(), 1)
	}
	if g.State() != resilience.Open {
		t.Errorf("%s after 3 failed emissions", g.State())
	}
}

func TestAnEmissionWhoseContextEndedIsNoFailure(t *testing.T) {
	g := resilience.NewCircuitBreaker(signals.NewSync[int], resilience.NewCircuit(resilience.FailureThreshold(1)))
	g.Subscribe(succeeds)
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := g.TryEmit(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || g.State() != resilience.Closed {
		t.Errorf("%v, %s; want the end of the context, and closed", err, g.State())
	}
}

func TestAPanicOpensACircuitBreakerWhateverFailureIfSays(t *testing.T) {
	for kind, newSignal := range kinds {
		bubble(t, func(t *testing.T) {
			c := resilience.NewCircuit(resilience.FailureThreshold(1), resilience.FailureIf(func(error) bool { return false }))
			g := resilience.NewCircuitBreaker[int](newSignal, c, silent)
			g.Subscribe(fails, signals.Key("fails"))
			g.Emit(t.Context(), 1)
			_ = g.Drain(t.Context())
			if g.State() != resilience.Closed {
				t.Errorf("%s: an exempt error opened it", kind)
			}
			g.Subscribe(panics)
			g.Emit(t.Context(), 1)
			_ = g.Drain(t.Context())
			if g.State() != resilience.Open {
				t.Errorf("%s: a panic did not open it", kind)
			}
		})
	}
}

// Emissions are accepted long before they fail: a half-open circuit must not
// let more through than its trials, and must not wait for ever for trials that
// tell nothing.
func TestAHalfOpenCircuitBreakerLetsFewEmissionsThrough(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := opened(t, resilience.HalfOpenCalls(2))
		g := resilience.NewCircuitBreaker(signals.New[int], c)
		accepted := func() (n int) {
			for range 10 {
				if g.Offer(t.Context(), 1) == nil {
					n++
				}
			}
			return n
		}
		pass(t, c)
		if n := accepted(); n != 2 { // nobody listens: no outcome
			t.Errorf("%d emissions were let through, want 2", n)
		}
		<-time.After(second)
		if n := accepted(); n != 2 || g.State() != resilience.HalfOpen {
			t.Errorf("later %d emissions were let through, %s; want 2, half-open", n, g.State())
		}
		_ = resilience.Breaker(fails, c)(t.Context(), 1) // open, and half-open again
		pass(t, c)
		if n := accepted(); n != 2 {
			t.Errorf("the second time %d emissions were let through, want 2", n)
		}
		g.Subscribe(succeeds)
		<-time.After(second)
		accepted()
		_ = g.Drain(t.Context())
		if g.State() != resilience.Closed || accepted() != 10 {
			t.Errorf("%s after successful trials", g.State())
		}
		_ = g.Close(t.Context())
	})
}

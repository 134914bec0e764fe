package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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
// let more through than its trials.
func TestAHalfOpenCircuitBreakerLetsFewEmissionsThrough(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := opened(t, resilience.HalfOpenCalls(2))
		g := resilience.NewCircuitBreaker(signals.New[int], c, silent)
		release := make(chan error)
		g.Subscribe(func(context.Context, int) error { return <-release })
		accepted := func() (n int) {
			for range 10 {
				if g.Offer(t.Context(), 1) == nil {
					n++
				}
			}
			return n
		}
		pass(t, c)
		if n := accepted(); n != 2 {
			t.Errorf("%d emissions were let through, want 2", n)
		}
		release <- nil
		synctest.Wait()
		if n := accepted(); n != 0 || g.State() != resilience.HalfOpen {
			t.Errorf("after one trial %d emissions were let through, %s; want none, half-open", n, g.State())
		}
		release <- errDown
		synctest.Wait()
		if n := accepted(); n != 0 || g.State() != resilience.Open {
			t.Errorf("after a failure %d emissions were let through, %s; want none, open", n, g.State())
		}
		pass(t, c)
		if n := accepted(); n != 2 {
			t.Errorf("the second time %d emissions were let through, want 2", n)
		}
		<-time.After(second) // a listener that hangs does not keep the places for ever
		if n := accepted(); n != 2 {
			t.Errorf("after as long as it was open %d more were let through, want 2", n)
		}
		close(release)
		_ = g.Drain(t.Context())
		if g.State() != resilience.Closed || accepted() != 10 {
			t.Errorf("%s after successful trials", g.State())
		}
		_ = g.Close(t.Context())
	})
}

// Nothing that began while the circuit was closed decides whether it closes again.
func TestAnEmissionFromBeforeDoesNotDecideAHalfOpenCircuit(t *testing.T) {
	for kind, newSignal := range kinds {
		for what, late := range map[string]error{"success": nil, "failure": errDown} {
			t.Run(kind+" "+what, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					c := resilience.NewCircuit(resilience.FailureThreshold(1), resilience.OpenFor(second))
					g := resilience.NewCircuitBreaker[int](newSignal, c, silent)
					release := make(chan struct{})
					g.Subscribe(func(context.Context, int) error { <-release; return late })
					go g.Emit(t.Context(), 1)
					synctest.Wait()
					_ = resilience.Breaker(fails, c)(t.Context(), 1)
					pass(t, c)
					close(release)
					synctest.Wait()
					if g.State() != resilience.HalfOpen {
						t.Errorf("%s: decided by an emission that began while it was closed", g.State())
					}
				})
			})
		}
	}
}

// A trial that says nothing gives its place to the next emission.
func TestATrialThatTellsNothingGivesItsPlaceBack(t *testing.T) {
	ways := map[string]struct {
		prepare func(g gated)                      // makes trials that tell nothing
		trial   func(ctx context.Context, g gated) // one of them
		mend    func(g gated)                      // from now on they tell
	}{
		"no listener": {trial: func(ctx context.Context, g gated) { g.Emit(ctx, 1) }},
		"a listener that has gone": {
			prepare: func(g gated) { g.Subscribe(succeeds).Unsubscribe() },
			trial:   func(ctx context.Context, g gated) { _ = g.TryEmit(ctx, 1) },
		},
		"filtered away": {
			prepare: func(g gated) { g.Subscribe(fails, signals.Filter(func(n int) bool { return n > 1 })) },
			trial:   func(ctx context.Context, g gated) { g.Emit(ctx, 1) },
			mend:    func(g gated) { g.Reset() },
		},
		"its context has ended": {
			prepare: func(g gated) { g.Subscribe(succeeds) },
			trial: func(ctx context.Context, g gated) {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				if g.Stats().Kind == signals.KindSync {
					_ = g.TryEmit(ctx, 1)
				}
			},
		},
	}
	for kind, newSignal := range kinds {
		for way, w := range ways {
			t.Run(kind+" "+way, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					c := opened(t)
					g := resilience.NewCircuitBreaker[int](newSignal, c, silent)
					changes := signalstest.Record(t, c.StateChanges())
					if w.prepare != nil {
						w.prepare(g)
					}
					pass(t, c)
					for range 3 {
						w.trial(t.Context(), g)
						synctest.Wait()
					}
					// Nobody asks for its State, which would look after the trials.
					if w.mend != nil {
						w.mend(g)
					}
					g.Subscribe(succeeds)
					if err := g.Offer(t.Context(), 2); err != nil {
						t.Errorf("the place was not given back: %v", err)
					}
					synctest.Wait()
					if got := fmt.Sprint(changes.Got()); g.State() != resilience.Closed || strings.Count(got, "open closed") != 1 {
						t.Errorf("%s after a trial that succeeded; changes %s", g.State(), got)
					}
				})
			})
		}
	}
}

func TestATrialThatTheSignalRefusesGivesItsPlaceBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := opened(t)
		g := resilience.NewCircuitBreaker(signals.New[int], c, silent, signals.Capacity(1, signals.Reject))
		release := make(chan struct{})
		g.Subscribe(func(context.Context, int) error { <-release; return nil })
		g.Unwrap().Emit(t.Context(), 1) // takes the only place, and is no trial: it came while open
		pass(t, c)
		for range 3 {
			if err := g.Offer(t.Context(), 1); !errors.Is(err, signals.ErrOverflow) {
				t.Errorf("got %v, want the signal's refusal", err)
			}
			g.Emit(t.Context(), 1)
		}
		close(release)
		_ = g.Drain(t.Context())
		if err := g.EmitWait(t.Context(), 1); err != nil || g.State() != resilience.Closed {
			t.Errorf("%v, %s; want a trial that closes it", err, g.State())
		}
	})
}

// A trial on an async signal succeeds when all have, not when the quickest has.
func TestAnAsyncTrialSucceedsWhenAllHave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := opened(t)
		g := resilience.NewCircuitBreaker(signals.New[int], c, silent)
		release := make(chan error)
		g.Subscribe(succeeds)
		g.Subscribe(func(context.Context, int) error { return <-release })
		pass(t, c)
		g.Emit(t.Context(), 1)
		synctest.Wait()
		if g.State() != resilience.HalfOpen {
			t.Errorf("%s when one of two has succeeded", g.State())
		}
		release <- errDown
		synctest.Wait()
		if g.State() != resilience.Open {
			t.Errorf("%s when the other one has failed", g.State())
		}
		pass(t, c)
		g.Emit(t.Context(), 1)
		release <- nil
		synctest.Wait()
		if g.State() != resilience.Closed {
			t.Errorf("%s when both have succeeded", g.State())
		}
	})
}

// An error that says nothing against the listeners does not hide one that does,
// nor the other way round.
func TestEachListenersErrorIsJudgedByItself(t *testing.T) {
	declined := errors.New("declined")
	answers := func(errs ...error) func(g gated) {
		return func(g gated) {
			for _, err := range errs {
				g.Subscribe(func(context.Context, int) error { return err })
			}
		}
	}
	for name, test := range map[string]struct {
		listeners func(g gated)
		want      resilience.State
	}{
		"declined and down":       {answers(declined, errDown), resilience.Open},
		"down and declined":       {answers(errDown, declined), resilience.Open},
		"joined by a listener":    {answers(errors.Join(declined, errDown)), resilience.Open},
		"joined and wrapped":      {answers(fmt.Errorf("two: %w", errors.Join(errDown, declined))), resilience.Open},
		"only declined":           {answers(declined, declined), resilience.Closed},
		"one error with two ends": {answers(fmt.Errorf("%w: %w", declined, errDown)), resilience.Closed},
	} {
		for kind, newSignal := range kinds {
			bubble(t, func(t *testing.T) {
				c := resilience.NewCircuit(resilience.FailureThreshold(1),
					resilience.FailureIf(func(err error) bool { return !errors.Is(err, declined) }))
				g := resilience.NewCircuitBreaker[int](newSignal, c, silent)
				test.listeners(g)
				g.Emit(t.Context(), 1)
				_ = g.Drain(t.Context())
				if g.State() != test.want {
					t.Errorf("%s, %s: %s, want %s", name, kind, g.State(), test.want)
				}
			})
		}
	}

	// Cancelled by the caller, while another listener is really down.
	c := resilience.NewCircuit(resilience.FailureThreshold(1))
	g := resilience.NewCircuitBreaker(signals.NewSync[int], c, silent)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.Subscribe(obeys)
	g.Emit(ctx, 1)
	if g.State() != resilience.Closed {
		t.Error("the caller's cancellation opened it")
	}
	g.Subscribe(fails)
	g.Subscribe(obeys)
	g.Emit(ctx, 1)
	if g.State() != resilience.Open {
		t.Error("a cancellation hid the failure of another listener")
	}
}

// A Filter that panics is a failure without a call.
func TestAFilterThatPanicsOpensACircuitBreaker(t *testing.T) {
	for kind, newSignal := range kinds {
		bubble(t, func(t *testing.T) {
			g := resilience.NewCircuitBreaker[int](newSignal, resilience.NewCircuit(resilience.FailureThreshold(1)), silent)
			g.Subscribe(succeeds, signals.Filter(func(int) bool { panic("boom") }))
			g.Emit(t.Context(), 1)
			_ = g.Drain(t.Context())
			if g.State() != resilience.Open {
				t.Errorf("%s: %s, want open", kind, g.State())
			}
		})
	}
}

// What is emitted on the signal within passes by, is never refused, and counts; its
// result is its own even from inside a listener, with the context of another emission.
func TestWhatPassesTheWrapperByCounts(t *testing.T) {
	for kind, newSignal := range kinds {
		bubble(t, func(t *testing.T) {
			c := resilience.NewCircuit(resilience.FailureThreshold(1))
			g := resilience.NewCircuitBreaker[int](newSignal, c, silent)
			calls := 0
			g.Subscribe(func(ctx context.Context, n int) error {
				if calls++; n == 1 {
					g.Unwrap().Emit(ctx, 2)
					return nil
				}
				return errDown
			})
			g.Emit(t.Context(), 1)
			_ = g.Drain(t.Context())
			synctest.Wait()
			g.Unwrap().Emit(t.Context(), 3)
			_ = g.Drain(t.Context())
			if st := c.Stats(); g.State() != resilience.Open || calls != 3 || st.Failures != 1 {
				t.Errorf("%s: %s, %d calls, %+v; want open after the nested one, 3 calls, 1 failure", kind, g.State(), calls, st)
			}
		})
	}
}

// A tap looks on; it is no listener whose success says anything.
func TestATapDecidesNothing(t *testing.T) {
	for kind, newSignal := range kinds {
		bubble(t, func(t *testing.T) {
			bus := signals.NewBus()
			c := opened(t)
			g := resilience.NewCircuitBreaker[int](newSignal, c, silent, signals.OnBus(bus), signals.Name("orders"))
			tapped := 0
			bus.Tap(func(context.Context, string, any) { tapped++ })
			g.Subscribe(succeeds, signals.Filter(func(int) bool { return false }))
			pass(t, c)
			g.Emit(t.Context(), 1)
			synctest.Wait()
			if tapped != 1 || g.State() != resilience.HalfOpen {
				t.Errorf("%s: tapped %d times, %s; want half-open", kind, tapped, g.State())
			}
			g.Subscribe(fails)
			g.Emit(t.Context(), 1)
			synctest.Wait()
			if g.State() != resilience.Open {
				t.Errorf("%s: %s after a trial that failed", kind, g.State())
			}

			// Nor does it interrupt a row of failures.
			g = resilience.NewCircuitBreaker[int](newSignal, resilience.NewCircuit(resilience.FailureThreshold(3)), silent,
				signals.OnBus(bus), signals.Name("returns"))
			g.Subscribe(fails)
			for range 3 {
				g.Emit(t.Context(), 1)
				synctest.Wait()
			}
			if g.State() != resilience.Open {
				t.Errorf("%s: %s after failures in a row", kind, g.State())
			}
			_ = bus.Close(t.Context())
		})
	}
}

func TestACircuitBreakerAroundATopicThatExistsPanics(t *testing.T) {
	bus := signals.NewBus()
	topic := func(o ...signals.Option) *signals.AsyncSignal[int] { return signals.Topic[int](bus, "orders", o...) }
	c := resilience.NewCircuit(resilience.FailureThreshold(1))
	g := resilience.NewCircuitBreaker(topic, c, silent)
	g.Subscribe(fails)
	topic().Emit(t.Context(), 1)
	_ = g.Drain(t.Context())
	if g.State() != resilience.Open {
		t.Error("a topic that it makes itself does not trip it")
	}
	v := caught(func() { resilience.NewCircuitBreaker(topic, c) })
	if v == nil || !strings.Contains(fmt.Sprint(v), "orders") && !strings.Contains(fmt.Sprint(v), "exists already") {
		t.Errorf("panic %v, want one that says that the topic exists", v)
	}
	_ = bus.Close(t.Context())
}

// Whatever comes at once, no place of a trial is lost: the circuit closes when
// all succeed.
func TestTrialsHammer(t *testing.T) {
	for kind, newSignal := range kinds {
		t.Run(kind, func(t *testing.T) {
			c := resilience.NewCircuit(resilience.FailureThreshold(1), resilience.OpenFor(1))
			g := resilience.NewCircuitBreaker[int](newSignal, c, silent)
			var good atomic.Bool
			for range 2 {
				g.Subscribe(func(_ context.Context, n int) error {
					if n%3 == 0 && !good.Load() {
						return errDown
					}
					return nil
				}, signals.Filter(func(n int) bool { return n%7 != 0 }))
			}
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					for n := range 300 {
						switch (n + i) % 4 {
						case 0:
							g.Emit(t.Context(), n)
						case 1:
							_ = g.TryEmit(t.Context(), n)
						case 2:
							_ = g.EmitWait(t.Context(), n)
						case 3:
							g.Unwrap().Emit(t.Context(), n)
						}
					}
				})
			}
			wg.Wait()
			_ = g.Drain(t.Context())
			good.Store(true)
			for g.State() != resilience.Closed {
				_ = g.EmitWait(t.Context(), 1)
			}
		})
	}
}

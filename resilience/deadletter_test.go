package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/semaphore"

	"example.com/signals"
	"example.com/signals/resilience"
	"example.com/signals/signalstest"
)

func TestDeadLetterGetsPayloadErrorAndAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dead := signals.New[resilience.Letter[int]]()
		letters := signalstest.Record(t, dead)
		fn := resilience.DeadLetter(resilience.Retry(fails, resilience.MaxAttempts(4)), dead)
		err := fn(t.Context(), 7)
		if !errors.Is(err, errDown) {
			t.Errorf("returned %v, want the failure", err)
		}
		l := letters.Wait(t.Context(), 1)[0]
		if l.Payload != 7 || l.Attempts != 4 || l.Err.Error() != err.Error() {
			t.Errorf("got %+v, want 7, 4 attempts, and what was returned", l)
		}
	})
}

func TestDeadLetterCountsOneAttemptWithoutRetryAndNoneThatSucceed(t *testing.T) {
	dead := signals.NewSync[resilience.Letter[int]]()
	letters := signalstest.Record(t, dead)
	s := answers(errDown)
	fn := resilience.DeadLetter(s.listen, dead)
	_ = fn(t.Context(), 1)
	if err := fn(t.Context(), 2); err != nil {
		t.Error(err)
	}
	letters.Ordered(resilience.Letter[int]{Payload: 1, Err: errDown, Attempts: 1})
}

func TestDeadLetterGetsAPanicWithItsStackAndAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dead := signals.NewSync[resilience.Letter[int]]()
		letters := signalstest.Record(t, dead)
		var seen failures
		orders := signals.NewSync[int](signals.OnFailure(seen.handle))
		calls := 0
		orders.Subscribe(resilience.DeadLetter(resilience.Retry(func(ctx context.Context, n int) error {
			if calls++; calls == 2 {
				return panics(ctx, n)
			}
			return errDown
		}), dead))
		orders.Emit(t.Context(), 7)
		l := letters.Wait(t.Context(), 1)[0]
		for who, err := range map[string]error{"letter": l.Err, "failure": seen.got()[0].Err} {
			var p *signals.PanicError
			if !errors.As(err, &p) || p.Value != "boom" || !strings.Contains(string(p.Stack), "resilience_test.panics") {
				t.Errorf("the %s has %v, want the panic with the stack that raised it", who, err)
			}
		}
		if l.Payload != 7 || l.Attempts != 2 {
			t.Errorf("got %+v, want 7 and 2 attempts", l)
		}
		if st := orders.Stats(); st.Panics != 1 || st.Failures != 1 {
			t.Errorf("the signal counted %d panics, %d failures; want 1, 1", st.Panics, st.Failures)
		}
	})
}

func TestDeadLetterGetsAGoexit(t *testing.T) {
	dead := signals.NewSync[resilience.Letter[int]]()
	letters := signalstest.Record(t, dead)
	fn := resilience.DeadLetter(func(context.Context, int) error { runtime.Goexit(); return nil }, dead)
	if !exited(func() { _ = fn(t.Context(), 7) }) {
		t.Error("the Goexit was stopped")
	}
	letters.Ordered(resilience.Letter[int]{Payload: 7, Err: signals.ErrGoexit, Attempts: 1})
}

// A letter that its signal refuses is a failure there.
func TestARefusedLetterIsReported(t *testing.T) {
	var seen failures
	dead := signals.New[resilience.Letter[int]](signals.OnFailure(seen.handle))
	_ = dead.Close(t.Context())
	_ = resilience.DeadLetter(fails, dead)(t.Context(), 7)
	if got := seen.got(); len(got) != 1 || got[0].Payload.(resilience.Letter[int]).Payload != 7 || !errors.Is(got[0].Err, signals.ErrClosed) {
		t.Errorf("reported %+v, want the letter", got)
	}
}

func TestDeadLetterPassesTheContextOn(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
	dead := signals.NewSync[resilience.Letter[int]]()
	fn := resilience.DeadLetter(func(ctx context.Context, _ int) error {
		inner, stop := context.WithCancel(ctx)
		defer stop()
		cancel()
		<-inner.Done()
		return fmt.Errorf("%v %w", ctx.Value(key{}), ctx.Err())
	}, dead)
	if err := fn(ctx, 1); err.Error() != "v context canceled" {
		t.Errorf("the listener saw %v, want the value and the cancellation", err)
	}
}

// A request that has ended does not take the letter with it.
func TestALetterOutlivesItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		type key struct{}
		dead := signals.New[resilience.Letter[int]](signals.Capacity(1, signals.Block))
		release := make(chan struct{})
		var values []any
		dead.Subscribe(func(ctx context.Context, _ resilience.Letter[int]) error {
			<-release
			values = append(values, ctx.Value(key{}))
			return nil
		})
		letters := signalstest.Record(t, dead)
		fn := resilience.DeadLetter(obeys, dead)
		go func() {
			for n := range 3 { // the second and the third wait for room
				ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, n))
				cancel()
				_ = fn(ctx, n)
			}
		}()
		synctest.Wait()
		close(release)
		letters.Wait(t.Context(), 3)
		_ = dead.Close(t.Context())
		if fmt.Sprint(values) != "[0 1 2]" {
			t.Errorf("values %v, want those of the calls", values)
		}
	})
}

// A letter counts the calls of its own listener: not those that a circuit
// refused, and not those of another signal's listeners that it has caused.
func TestALetterCountsItsOwnCalls(t *testing.T) {
	other := signals.NewSync[int](signals.OnFailure(func(context.Context, signals.Failure) {}))
	other.Subscribe(resilience.Retry(fails, resilience.MaxAttempts(5)), signals.Key("retried"))
	exploding := signals.NewSync[int](signals.OnFailure(func(context.Context, signals.Failure) {}))
	exploding.Subscribe(resilience.Retry(func(ctx context.Context, n int) error {
		if again(ctx) {
			panic("other")
		}
		return errDown
	}))
	for name, test := range map[string]struct {
		fn   func() func(context.Context, int) error
		want int
		err  error // in the letter
	}{
		"another signal's retries": {func() func(context.Context, int) error {
			return func(ctx context.Context, n int) error { return other.TryEmit(ctx, n) }
		}, 1, errDown},
		"another signal's retries, panicking": {func() func(context.Context, int) error {
			return func(ctx context.Context, n int) error {
				other.Emit(ctx, n)
				exploding.Emit(ctx, n)
				panic("boom")
			}
		}, 1, nil},
		"another signal's retries in each of its own": {func() func(context.Context, int) error {
			return resilience.Retry(func(ctx context.Context, n int) error { return other.TryEmit(ctx, n) }, resilience.MaxAttempts(2))
		}, 2, errDown},
		"refused by a circuit": {func() func(context.Context, int) error {
			return resilience.Breaker(succeeds, opened(t))
		}, 0, resilience.ErrOpen},
		"refused after a call": {func() func(context.Context, int) error {
			return resilience.Retry(resilience.Breaker(fails, resilience.NewCircuit(resilience.FailureThreshold(1), resilience.OpenFor(second))), resilience.MaxAttempts(2))
		}, 1, errDown},
		"refused by a bulkhead": {func() func(context.Context, int) error {
			return resilience.Retry(resilience.Bulkhead(succeeds, semaphore.NewWeighted(0), resilience.MaxWait(0)))
		}, 0, resilience.ErrBulkheadFull},
		"a Retry in a Retry": {func() func(context.Context, int) error {
			return resilience.Retry(resilience.Retry(fails, resilience.MaxAttempts(2)), resilience.MaxAttempts(3))
		}, 6, errDown},
		"behind a decorator": {func() func(context.Context, int) error {
			retried := resilience.Retry(fails, resilience.MaxAttempts(2))
			return func(ctx context.Context, n int) error { return fmt.Errorf("logged: %w", retried(ctx, n)) }
		}, 2, errDown},
		"a panic in a Retry in a Retry": {func() func(context.Context, int) error {
			calls := 0
			return resilience.Retry(resilience.Retry(func(ctx context.Context, n int) error {
				if calls++; calls == 4 {
					return panics(ctx, n)
				}
				return errDown
			}, resilience.MaxAttempts(2)), resilience.MaxAttempts(3))
		}, 4, nil},
		"a Goexit in a Retry": {func() func(context.Context, int) error {
			calls := 0
			return resilience.Retry(func(context.Context, int) error {
				if calls++; calls == 2 {
					runtime.Goexit()
				}
				return errDown
			})
		}, 2, signals.ErrGoexit},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				dead := signals.NewSync[resilience.Letter[int]]()
				letters := signalstest.Record(t, dead)
				exited(func() { _ = caught(func() { _ = resilience.DeadLetter(test.fn(), dead)(t.Context(), 7) }) })
				l := letters.Wait(t.Context(), 1)[0]
				if l.Attempts != test.want || test.err != nil && !errors.Is(l.Err, test.err) {
					t.Errorf("%d attempts, %v; want %d, %v", l.Attempts, l.Err, test.want, test.err)
				}
				if gaveUp := new(resilience.RetryError); errors.As(l.Err, &gaveUp) && test.err != nil && !errors.Is(gaveUp.Err, test.err) {
					t.Errorf("the last error is %v, want %v", gaveUp.Err, test.err)
				}
			})
		})
	}
}

var attempt atomic.Int32

// again reports whether it is called for the second time, third, ...
func again(context.Context) bool { return attempt.Add(1)%2 == 0 }

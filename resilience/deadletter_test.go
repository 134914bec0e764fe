package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

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

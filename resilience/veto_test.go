package resilience_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"example.com/signals"
	"example.com/signals/resilience"
)

var errDeclined = signals.Veto(errors.New("declined"))

func vetoes(context.Context, int) error { return errDeclined }

func TestAVetoIsNoFailureToAnyWrapper(t *testing.T) {
	calls := 0
	counting := func(ctx context.Context, v int) error { calls++; return vetoes(ctx, v) }
	if err := resilience.Retry(counting)(t.Context(), 1); err != errDeclined || calls != 1 { //nolint:errorlint // as it is
		t.Errorf("Retry: %v after %d calls", err, calls)
	}

	circuit := resilience.NewCircuit(resilience.FailureThreshold(1))
	for range 3 {
		if err := resilience.Breaker(vetoes, circuit)(t.Context(), 1); !signals.IsVeto(err) {
			t.Errorf("Breaker: %v", err)
		}
	}

	letters := 0
	dead := signals.NewSync[resilience.Letter[int]]()
	dead.AddListener(func(context.Context, resilience.Letter[int]) { letters++ })
	if err := resilience.DeadLetter(vetoes, dead)(t.Context(), 1); !signals.IsVeto(err) || letters != 0 {
		t.Errorf("DeadLetter: %v and %d letters", err, letters)
	}

	calls = 0
	dedup := resilience.Dedup(counting, func(v int) int { return v }, 8)
	_, _ = dedup(t.Context(), 1), dedup(t.Context(), 1)
	if calls != 2 {
		t.Errorf("Dedup: %d calls; a vetoed key must be forgotten", calls)
	}
}

func TestAVetoEndsARetryThatHadFailedBefore(t *testing.T) {
	calls := 0
	err := resilience.Retry(func(context.Context, int) error {
		if calls++; calls == 1 {
			return errors.New("unreachable")
		}
		return errDeclined
	}, resilience.Backoff(1, 1))(t.Context(), 1)
	if err != errDeclined || calls != 2 { //nolint:errorlint // as it is
		t.Errorf("got %v after %d calls", err, calls)
	}
}

func TestAVetoIsASuccessToACircuitBreaker(t *testing.T) {
	for _, build := range []func(...signals.Option) signals.Signal[int]{
		func(o ...signals.Option) signals.Signal[int] { return signals.NewSync[int](o...) },
		func(o ...signals.Option) signals.Signal[int] { return signals.New[int](o...) },
	} {
		circuit := resilience.NewCircuit(resilience.FailureThreshold(2))
		b := resilience.NewCircuitBreaker(build, circuit, signals.OnFailure(func(context.Context, signals.Failure) {}))
		b.Subscribe(func(_ context.Context, v int) error {
			if v == 0 {
				return errDeclined
			}
			return errors.New("broken")
		})
		for _, v := range []int{0, 0, 0, 1, 0, 1} { // the veto in between interrupts the row of failures
			b.Emit(t.Context(), v)
			if d, ok := b.Signal.(interface{ Drain(context.Context) error }); ok {
				if err := d.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s := b.State(); s != resilience.Closed {
			t.Errorf("%T: %v", b.Signal, s)
		}
	}
}

func TestVetoesOfPartsOfABatch(t *testing.T) {
	var batches [][]int
	fn := func(_ context.Context, batch []int) error {
		batches = append(batches, batch)
		if len(batches) == 1 {
			return &resilience.BatchError{Errs: map[int]error{0: errDeclined, 2: errors.New("unreachable")}}
		}
		return nil
	}
	err := resilience.RetryBatch(fn, resilience.Backoff(1, 1))(t.Context(), []int{10, 20, 30})
	var failed *resilience.BatchError
	if len(batches) != 2 || len(batches[1]) != 1 || batches[1][0] != 30 {
		t.Fatalf("batches %v", batches)
	}
	if !signals.IsVeto(err) || !errors.As(err, &failed) || !maps.Equal(failed.Errs, map[int]error{0: errDeclined}) {
		t.Errorf("got %v", err)
	}

	var letters []int
	dead := signals.NewSync[resilience.Letter[int]]()
	dead.AddListener(func(_ context.Context, l resilience.Letter[int]) { letters = append(letters, l.Payload) })
	err = resilience.DeadLetterBatch(func(context.Context, []int) error {
		return &resilience.BatchError{Errs: map[int]error{0: errDeclined, 2: errors.New("broken")}}
	}, dead)(t.Context(), []int{10, 20, 30})
	if signals.IsVeto(err) || len(letters) != 1 || letters[0] != 30 {
		t.Errorf("got %v, letters for %v", err, letters)
	}

	// One that is vetoed as a whole when it is tried again.
	batches = nil
	err = resilience.RetryBatch(func(_ context.Context, batch []int) error {
		if batches = append(batches, batch); len(batches) == 1 {
			return &resilience.BatchError{Errs: map[int]error{0: resilience.Permanent(errors.New("bad")), 1: errors.New("unreachable")}}
		}
		return errDeclined
	}, resilience.Backoff(1, 1))(t.Context(), []int{10, 20})
	if signals.IsVeto(err) || !errors.As(err, &failed) || len(failed.Errs) != 2 || !signals.IsVeto(failed.Errs[1]) {
		t.Errorf("got %v", err)
	}
}

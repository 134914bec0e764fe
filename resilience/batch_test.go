package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
	"example.com/signals/signalstest"
)

// batches is a listener of batches that answers as told and keeps what it got.
type batches struct {
	answers []error
	got     [][]int
}

func (b *batches) listen(_ context.Context, batch []int) error {
	b.got = append(b.got, slices.Clone(batch))
	if len(b.answers) == 0 {
		return nil
	}
	err := b.answers[0]
	b.answers = b.answers[1:]
	return err
}

func some(errs map[int]error) error { return &resilience.BatchError{Errs: errs} }

func TestRetryBatchCallsAgainWithThoseThatFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		final := resilience.Permanent(errors.New("invalid"))
		b := &batches{answers: []error{
			some(map[int]error{1: errDown, 2: final, 3: errDown, 4: nil}), // 20, 30, 40 of 10 ... 50
			errDown,                         // all of 20, 40
			some(map[int]error{1: errDown}), // 40
		}}
		whole := []int{10, 20, 30, 40, 50}
		err := resilience.RetryBatch(b.listen, resilience.MaxAttempts(3))(t.Context(), whole)
		if got, want := fmt.Sprint(b.got), "[[10 20 30 40 50] [20 40] [20 40]]"; got != want {
			t.Errorf("called with %s, want %s", got, want)
		}
		var failed *resilience.BatchError
		var gaveUp *resilience.RetryError
		if !errors.As(err, &gaveUp) || gaveUp.Attempts != 3 || !errors.As(err, &failed) || len(failed.Errs) != 2 || failed.Errs[2] != final || failed.Errs[3] != errDown { //nolint:errorlint // these very ones
			t.Errorf("got %#v, want what came of 30 and 40, by their index", failed)
		}
		if got, want := err.Error(), "resilience: gave up after 3 attempts: resilience: 2 payloads of a batch failed: [2] invalid; [3] down"; got != want {
			t.Errorf("text %q, want %q", got, want)
		}
		if fmt.Sprint(whole) != "[10 20 30 40 50]" {
			t.Errorf("the signal's slice has become %v", whole)
		}
	})
}

func TestRetryBatchSucceedsWhenAllHaveBeenHandled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &batches{answers: []error{some(map[int]error{0: errDown, 2: errDown}), some(map[int]error{1: errDown})}}
		if err := resilience.RetryBatch(b.listen)(t.Context(), []int{1, 2, 3}); err != nil || fmt.Sprint(b.got) != "[[1 2 3] [1 3] [3]]" {
			t.Errorf("%v, called with %v", err, b.got)
		}
		b = &batches{answers: []error{errDown}}
		if err := resilience.RetryBatch(b.listen)(t.Context(), []int{1, 2}); err != nil || fmt.Sprint(b.got) != "[[1 2] [1 2]]" {
			t.Errorf("a failure of the whole: %v, called with %v", err, b.got)
		}
	})
}

func TestRetryBatchGivesUpOnWhatCannotBeMended(t *testing.T) {
	bubble(t, func(t *testing.T) {
		final := errors.New("final")
		b := &batches{answers: []error{some(map[int]error{0: final, 1: errDown})}}
		err := resilience.RetryBatch(b.listen, resilience.RetryIf(func(err error) bool { return !errors.Is(err, final) }))(t.Context(), []int{1, 2})
		if fmt.Sprint(b.got) != "[[1 2] [2]]" || !errors.Is(err, final) || errors.Is(err, errDown) {
			t.Errorf("%v, called with %v; want final of the first alone", err, b.got)
		}
		b = &batches{answers: []error{final}}
		err = resilience.RetryBatch(b.listen, resilience.RetryIf(func(error) bool { return false }))(t.Context(), []int{1, 2})
		if len(b.got) != 1 || !errors.Is(err, final) {
			t.Errorf("%v, called with %v; want one call", err, b.got)
		}
	})
}

func TestRetryBatchHonoursRetryAfterAndTellsOnRetry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := &batches{answers: []error{some(map[int]error{1: resilience.RetryAfter(errDown, time.Minute)})}}
		begun, seen := time.Now(), ""
		err := resilience.RetryBatch(b.listen, resilience.OnRetry(func(_ context.Context, n int, err error, _ time.Duration) {
			seen = fmt.Sprint(n, " ", errors.Is(err, errDown))
		}))(t.Context(), []int{1, 2})
		if err != nil || time.Since(begun) != time.Minute || seen != "1 true" {
			t.Errorf("%v after %v, OnRetry saw %s", err, time.Since(begun), seen)
		}
	})
}

// Errors that name what is not in the batch must not lose any of it.
func TestABatchErrorThatMakesNoSenseIsOneOfTheWhole(t *testing.T) {
	for name, wrong := range map[string]error{
		"index": some(map[int]error{2: errDown}), "empty": some(nil), "only nil": some(map[int]error{0: nil}),
	} {
		bubble(t, func(t *testing.T) {
			b := &batches{answers: []error{wrong}}
			if err := resilience.RetryBatch(b.listen)(t.Context(), []int{1, 2}); err != nil || fmt.Sprint(b.got) != "[[1 2] [1 2]]" {
				t.Errorf("%s: %v, called with %v; want the whole again", name, err, b.got)
			}
			dead := signals.NewSync[resilience.Letter[int]]()
			letters := signalstest.Record(t, dead)
			b = &batches{answers: []error{wrong}}
			_ = resilience.DeadLetterBatch(b.listen, dead)(t.Context(), []int{1, 2})
			if n := len(letters.Got()); n != 2 {
				t.Errorf("%s: %d letters, want 2", name, n)
			}
		})
	}
}

func TestDeadLetterBatchEmitsALetterForEachThatFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dead := signals.New[resilience.Letter[int]]()
		letters := signalstest.Record(t, dead)
		b := &batches{answers: []error{some(map[int]error{1: errDown}), some(map[int]error{0: errDown})}}
		fn := resilience.DeadLetterBatch(resilience.RetryBatch(b.listen, resilience.MaxAttempts(2)), dead)
		if err := fn(t.Context(), []int{10, 20}); !errors.Is(err, errDown) {
			t.Errorf("returned %v, want the failure", err)
		}
		letters.Wait(t.Context(), 1)
		letters.Ordered(resilience.Letter[int]{Payload: 20, Err: errDown, Attempts: 2})

		letters = signalstest.Record(t, dead)
		fn = resilience.DeadLetterBatch((&batches{answers: []error{errDown}}).listen, dead)
		_ = fn(t.Context(), []int{1, 2})
		letters.Wait(t.Context(), 2)
		letters.Ordered(resilience.Letter[int]{Payload: 1, Err: errDown, Attempts: 1}, resilience.Letter[int]{Payload: 2, Err: errDown, Attempts: 1})

		letters = signalstest.Record(t, dead)
		fn = resilience.DeadLetterBatch(func(context.Context, []int) error { panic("boom") }, dead)
		if v := caught(func() { _ = fn(t.Context(), []int{1, 2, 3}) }); v != "boom" {
			t.Errorf("panic %v", v)
		}
		for _, l := range letters.Wait(t.Context(), 3) {
			var p *signals.PanicError
			if !errors.As(l.Err, &p) || p.Value != "boom" {
				t.Errorf("letter %+v, want the panic", l)
			}
		}
	})
}

// A batch is one call to a circuit, and the worst of its payloads counts.
func TestABatchIsOneCallToACircuit(t *testing.T) {
	c := resilience.NewCircuit(resilience.FailureThreshold(2))
	answer := resilience.Permanent(errors.New("invalid"))
	b := &batches{answers: []error{some(map[int]error{0: answer, 1: answer}), some(map[int]error{0: answer, 1: errDown, 2: errDown})}}
	fn := resilience.Breaker(b.listen, c)
	for range 2 {
		_ = fn(t.Context(), []int{1, 2, 3})
	}
	if st := c.Stats(); st.Successes != 1 || st.Failures != 1 || st.State != resilience.Closed {
		t.Errorf("%+v, want a success and a failure", st)
	}
}

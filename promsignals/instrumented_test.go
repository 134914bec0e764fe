package promsignals_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
	"example.com/signals/promsignals"
)

// An InstrumentedSignal stands in for the signal within, whatever its kind.
var (
	_ signals.Signal[int]       = (*promsignals.InstrumentedSignal[int])(nil)
	_ promsignals.Counting[int] = (*signals.SyncSignal[int])(nil)
	_ promsignals.Counting[int] = (*signals.AsyncSignal[int])(nil)
	_ promsignals.Counting[int] = (*signals.ShardedSignal[int])(nil)
)

func TestInstrumentedSignalCountsEmissionsTimesAndErrors(t *testing.T) {
	orders := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("orders"), quiet))
	orders.Subscribe(succeeds)
	orders.Subscribe(fails)
	orders.Subscribe(panics)
	orders.Emit(ctx, 1) // two failures
	if err := orders.TryEmit(ctx, 1); !errors.Is(err, errDown) {
		t.Errorf("TryEmit returned %v", err)
	}
	if err := orders.Offer(ctx, 1); err != nil {
		t.Errorf("Offer returned %v", err)
	}
	orders.Refuse(ctx, 1, errors.New("too fast"))
	got := gather(t, orders)
	want(t, got, 4, "signals_emit_calls_total", "signal", "orders")
	want(t, got, 3, "signals_emit_duration_seconds", "signal", "orders")
	want(t, got, 4, "signals_emit_errors_total", "signal", "orders")
	if orders.Stats().Failures != 5 || orders.Unwrap().Len() != 3 {
		t.Error("Stats and Unwrap do not reach the signal within")
	}
}

// An error rate above 1 is none: each emission is one error at most, and only those
// that failed are.
func TestEmissionsAreErrorsOnceAndVetoesNever(t *testing.T) {
	for name, s := range map[string]promsignals.Counting[int]{
		"sync":  signals.NewSync[int](signals.Name("s"), quiet),
		"async": signals.New[int](signals.Name("s"), quiet),
	} {
		in := promsignals.NewInstrumented(s)
		for range 3 {
			in.Subscribe(func(_ context.Context, n int) error {
				switch n % 4 {
				case 0:
					return errDown
				case 1:
					return signals.Veto(errDown)
				}
				return nil
			})
		}
		for n := range 400 {
			in.Emit(ctx, n)
		}
		_ = in.TryEmit(ctx, 0)
		_ = in.TryEmit(ctx, 1)
		s.Emit(ctx, 0) // passes the meters by
		if err := in.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		got := gather(t, in)
		if calls, errs := value(got, "signals_emit_calls_total"), value(got, "signals_emit_errors_total"); calls != 402 || errs != 101 {
			t.Errorf("%s: %v errors in %v calls, want 101 in 402", name, errs, calls)
		}
	}
}

func TestATryEmitThatItsContextEndsIsAnError(t *testing.T) {
	s := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("s")))
	s.Subscribe(succeeds)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.TryEmit(ended, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("TryEmit returned %v", err)
	}
	want(t, gather(t, s), 1, "signals_emit_errors_total")
}

func TestWhatAWrapperTurnsAwayIsAnEmissionAndAnError(t *testing.T) {
	s := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("s"), quiet))
	s.Refuse(ctx, 1, errDown)
	s.Refused(ctx, 1, errDown)
	got := gather(t, s)
	want(t, got, 2, "signals_emit_calls_total")
	want(t, got, 2, "signals_emit_errors_total")
	if n := s.Stats().Refusals; n != 2 {
		t.Errorf("the signal has %d refusals, want 2", n)
	}
}

func TestBucketsOfAnInstrumentedSignal(t *testing.T) {
	s := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("s")),
		promsignals.EmitBuckets(time.Millisecond, 3*time.Millisecond), promsignals.NativeHistogram(1.1))
	s.Emit(ctx, 1)
	for _, f := range gather(t, s) {
		if f.GetName() == "signals_emit_duration_seconds" {
			h := f.GetMetric()[0].GetHistogram()
			if len(h.GetBucket()) != 2 || h.GetBucket()[1].GetUpperBound() != 0.003 || len(h.GetPositiveSpan()) == 0 || h.GetSchema() != 3 {
				t.Errorf("the histogram is %v", h)
			}
		}
	}
}

func TestInstrumentedAsyncSignalCountsRefusals(t *testing.T) {
	jobs := promsignals.NewInstrumented(signals.New[int](signals.Name("jobs"), quiet))
	jobs.Subscribe(fails)
	if err := jobs.TryEmit(ctx, 1); err != nil {
		t.Error(err)
	}
	if err := jobs.Drain(ctx); err != nil {
		t.Error(err)
	}
	if err := jobs.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := jobs.Offer(ctx, 1); !errors.Is(err, signals.ErrClosed) {
		t.Errorf("a closed signal answers %v", err)
	}
	jobs.Emit(ctx, 1)
	got := gather(t, jobs)
	want(t, got, 3, "signals_emit_calls_total")
	want(t, got, 3, "signals_emit_errors_total")
}

func TestInstrumentedSignalMeasuresTheWholeEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("s")))
		s.AddListener(func(context.Context, int) { time.Sleep(3 * time.Second) })
		s.Emit(ctx, 1)
		for _, f := range gather(t, s) {
			if f.GetName() == "signals_emit_duration_seconds" {
				if sum := f.GetMetric()[0].GetHistogram().GetSampleSum(); sum != 3 {
					t.Errorf("an Emit of 3 s counts as %v", sum)
				}
			}
		}
	})
}

func TestEmissionThatEndsItsGoroutineIsMeasured(t *testing.T) {
	s := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("s")))
	s.AddListener(func(context.Context, int) { runtime.Goexit() })
	done := make(chan bool)
	go func() {
		defer close(done)
		s.Emit(ctx, 1)
	}()
	<-done
	want(t, gather(t, s), 1, "signals_emit_calls_total")
}

func TestWrapperWithoutRoomForMoreIsEnough(t *testing.T) {
	s := promsignals.NewInstrumented[int](minimal{signals.NewSync[int](signals.Name("s"))})
	s.Emit(ctx, 1)
	for _, err := range []error{s.TryEmit(ctx, 1), s.Offer(ctx, 1), s.Drain(ctx), s.Close(ctx)} {
		if err != nil {
			t.Error(err)
		}
	}
	s.Refuse(ctx, 1, errDown)
	got := gather(t, s)
	want(t, got, 4, "signals_emit_calls_total") // and the one that was refused
	want(t, got, 1, "signals_emit_errors_total")
}

// minimal is a signal of another package: no TryEmit, Offer, Refuse, Close.
type minimal struct{ signals.Signal[int] }

func (m minimal) Stats() signals.SignalStats {
	return m.Signal.(*signals.SyncSignal[int]).Stats()
}

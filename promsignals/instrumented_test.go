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
	want(t, got, 3, "signals_emit_calls_total", "signal", "orders")
	want(t, got, 3, "signals_emit_duration_seconds", "signal", "orders")
	want(t, got, 2+1+2+1, "signals_emit_errors_total", "signal", "orders")
	if orders.Stats().Failures != 5 || orders.Unwrap().Len() != 3 {
		t.Error("Stats and Unwrap do not reach the signal within")
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
	want(t, gather(t, s), 3, "signals_emit_calls_total")
}

// minimal is a signal of another package: no TryEmit, Offer, Refuse, Close.
type minimal struct{ signals.Signal[int] }

func (m minimal) Stats() signals.SignalStats {
	return m.Signal.(*signals.SyncSignal[int]).Stats()
}

package promsignals_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/signals"
	"example.com/signals/promsignals"
)

// errorsAndCalls scrapes the counters of the only instrumented signal.
func errorsAndCalls(t *testing.T, reg *prometheus.Registry) (failed, calls float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		switch f.GetName() {
		case "signals_emit_errors_total":
			failed = f.GetMetric()[0].GetCounter().GetValue()
		case "signals_emit_calls_total":
			calls = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return failed, calls
}

func TestErrorsAreNotAboveCallsWhileAnEmissionIsUnderWay(t *testing.T) {
	sig := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("x"), signals.OnFailure(func(context.Context, signals.Failure) {})))
	reg := prometheus.NewRegistry()
	reg.MustRegister(sig)
	sig.AddListenerWithErr(func(context.Context, int) error { return errors.New("no") })
	hung := false
	sig.AddListener(func(context.Context, int) {
		hung = true
		if failed, calls := errorsAndCalls(t, reg); failed != 1 || calls != 1 {
			t.Errorf("%v errors of %v calls; want 1 of 1", failed, calls)
		}
	})
	sig.Emit(t.Context(), 1)
	if !hung {
		t.Error("the second listener was not called")
	}
}

func TestErrorsAreNotAboveCallsInAnyScrape(t *testing.T) {
	sig := promsignals.NewInstrumented(signals.NewSync[int](signals.Name("x")))
	reg := prometheus.NewRegistry()
	reg.MustRegister(sig)
	sig.AddListenerWithErr(func(context.Context, int) error { return errors.New("no") })
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = sig.TryEmit(context.Background(), 1)
			}
		}
	})
	for range 500 {
		if failed, calls := errorsAndCalls(t, reg); failed > calls {
			t.Errorf("%v errors of %v calls", failed, calls)
			break
		}
	}
	close(stop)
	wg.Wait()
}

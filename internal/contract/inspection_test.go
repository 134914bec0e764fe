package contract_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

func TestAFailureObserverHearsOfEveryFailureWhoeverGetsIt(t *testing.T) {
	var mu sync.Mutex
	var got []signals.Failure
	bus := signals.NewBus(signals.OnFailure(func(context.Context, signals.Failure) {}))
	stop := bus.Observe(signals.Observer{Failure: func(_ context.Context, f signals.Failure) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, f)
	}})
	declined := errors.New("declined")
	fails := func(context.Context, int) error { return declined }
	heard := func(from string, want ...signals.Failure) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if len(got) != len(want) {
			t.Fatalf("%s: heard %v; want %d failures", from, got, len(want))
		}
		for i, w := range want {
			g := got[i]
			if g.Signal != w.Signal || g.Key != w.Key || g.Payload != w.Payload || !errors.Is(g.Err, w.Err) || (g.Listener == "") != (w.Key == "") {
				t.Errorf("%s: heard %+v; want %+v", from, g, w)
			}
		}
		got = nil
	}
	ctx := t.Context()
	placed := signals.NewSync[int](signals.Name("placed"), signals.OnBus(bus))
	placed.Subscribe(fails, signals.Key("payment"))
	of := func(signal string, payload int) signals.Failure {
		return signals.Failure{Signal: signal, Key: "payment", Payload: payload, Err: declined}
	}
	placed.Emit(ctx, 1)
	heard("Emit", of("placed", 1))
	_ = placed.TryEmit(ctx, 2)
	heard("TryEmit", of("placed", 2))
	_ = placed.TryEmitAll(ctx, 3)
	heard("TryEmitAll", of("placed", 3))

	accepted := signals.Topic[int](bus, "accepted")
	accepted.Subscribe(fails, signals.Key("payment"))
	_ = accepted.EmitWait(ctx, 4)
	heard("EmitWait", of("accepted", 4))
	if err := accepted.Close(ctx); err != nil {
		t.Fatal(err)
	}

	full := signals.Topic[int](bus, "full", signals.Capacity(1, signals.Reject))
	gate := make(chan struct{})
	full.AddListener(func(context.Context, int) { <-gate })
	full.Emit(ctx, 5)
	full.Emit(ctx, 6)
	heard("a refused Emit", signals.Failure{Signal: "full", Payload: 6, Err: signals.ErrOverflow})
	close(gate)

	stop()
	placed.Emit(ctx, 7)
	heard("Emit after stop")
	if err := bus.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestStatsSayHowLongACallHasRun(t *testing.T) {
	for name, observed := range map[string]bool{"observed": true, "seen twice": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := signals.NewBus()
				if observed {
					bus.Observe(signals.Observer{Failure: func(context.Context, signals.Failure) {}})
				}
				s := signals.Topic[int](bus, "s")
				gate := make(chan struct{})
				s.AddListener(func(context.Context, int) { <-gate }, "stuck")
				running := func() time.Duration { return s.Stats().Listeners[0].Running }
				if got := running(); got != 0 {
					t.Errorf("Running is %v before the first call", got)
				}
				s.Emit(t.Context(), 1)
				synctest.Wait()
				want := time.Minute
				if !observed {
					running() // the first look
				}
				time.Sleep(time.Minute) // the bubble's clock: nobody waits
				if got := running(); got != want {
					t.Errorf("Running is %v; want %v", got, want)
				}
				close(gate)
				synctest.Wait()
				if got := running(); got != 0 {
					t.Errorf("Running is %v after the call", got)
				}
			})
		})
	}
}

func TestRunningOfALaterCallOfABatchBeginsWhenItWasFirstSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := signals.NewBus()
		bus.Observe(signals.Observer{Failure: func(context.Context, signals.Failure) {}})
		s := signals.Topic[int](bus, "s")
		gates := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{})}
		s.AddListener(func(_ context.Context, i int) { <-gates[i] })
		running := func() time.Duration { return s.Stats().Listeners[0].Running }
		s.Emit(t.Context(), 0)
		synctest.Wait()
		s.Emit(t.Context(), 1) // these two are one batch
		s.Emit(t.Context(), 2)
		close(gates[0])
		synctest.Wait()
		time.Sleep(time.Minute)
		close(gates[1])
		synctest.Wait()
		if got := running(); got != 0 {
			t.Errorf("Running is %v at the first look; the batch is older, the call is not", got)
		}
		time.Sleep(time.Second)
		if got := running(); got != time.Second {
			t.Errorf("Running is %v; want 1s", got)
		}
		close(gates[2])
	})
}

func TestATapOnNamedSignalsSeesOnlyThose(t *testing.T) {
	bus := signals.NewBus()
	before := signals.NewSync[int](signals.Name("before"), signals.OnBus(bus))
	other := signals.Topic[int](bus, "other")
	var mu sync.Mutex
	var got []string
	tap := bus.Tap(func(_ context.Context, signal string, _ any) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, signal)
	}, "before", "later")
	later := signals.Topic[int](bus, "later")
	ctx := t.Context()
	before.Emit(ctx, 1)
	other.Emit(ctx, 1)
	later.Emit(ctx, 1)
	if err := bus.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	tap.Unsubscribe()
	before.Emit(ctx, 2)
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"before", "later"}; !slices.Equal(got, want) {
		t.Errorf("the tap saw %q; want %q", got, want)
	}
}

package contract_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/signals"
)

func TestAnEventsLoopDoesNotWaitForAWorkerThatMaxWorkersDenies(t *testing.T) {
	s := signals.New[int](signals.MaxWorkers(1))
	entered, free := make(chan struct{}), make(chan struct{})
	s.AddListener(func(_ context.Context, v int) {
		if v == 1 {
			close(entered)
			<-free
		}
	})
	got := make(chan int)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for v := range s.Events(ctx, signals.Key("loop")) {
			got <- v
		}
	}()
	for !s.HasKey("loop") {
		runtime.Gosched()
	}
	s.Emit(t.Context(), 1)
	await(t, entered, "the only worker, which is stuck now")
	for v := 1; v <= 3; v++ {
		if v > 1 {
			s.Emit(t.Context(), v)
		}
		if seen := await(t, got, "the loop"); seen != v {
			t.Errorf("the loop got %d; want %d", seen, v)
		}
	}
	close(free)
	drained(t, s)
	cancel()
	await(t, ended, "the loop's end")
}

func TestASignalThatLeavesAClosingBusAcceptsAgain(t *testing.T) {
	for name, room := range map[string][]signals.Option{
		"unbounded": nil,
		"bounded":   {signals.Capacity(1, signals.Block)},
	} {
		t.Run(name, func(t *testing.T) {
			bus := signals.NewBus()
			stays, leaves := signals.Topic[int](bus, "stays"), signals.Topic[int](bus, "leaves", room...)
			entered, free := make(chan struct{}), make(chan struct{})
			stays.AddListener(func(context.Context, int) { close(entered); <-free })
			stays.Emit(t.Context(), 1)
			await(t, entered, "the listener that keeps the bus from closing")
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if err := bus.Close(ended); !errors.Is(err, context.Canceled) {
				t.Fatalf("Close: %v", err)
			}
			if err := leaves.Offer(t.Context(), 1); !errors.Is(err, signals.ErrClosed) {
				t.Errorf("on the closing bus: %v; want ErrClosed", err)
			}
			bus.Remove("leaves")
			if err := leaves.Offer(t.Context(), 1); err != nil {
				t.Errorf("off the bus: %v", err)
			}
			close(free)
			if err := bus.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := leaves.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := leaves.Offer(t.Context(), 1); !errors.Is(err, signals.ErrClosed) {
				t.Errorf("closed: %v; want ErrClosed", err)
			}
		})
	}
}

// fragile is a slog handler that panics.
type fragile struct{ slog.Handler }

func (fragile) Enabled(context.Context, slog.Level) bool  { panic("no log") }
func (fragile) Handle(context.Context, slog.Record) error { panic("no log") }

func TestALoggerThatPanicsEndsNothing(t *testing.T) {
	broken := signals.Logger(slog.New(fragile{}))
	calls := 0
	fails := func(context.Context, int) { calls++; panic("the listener") }
	a, b := signals.New[int](broken), signals.NewSync[int](broken)
	a.AddListener(fails)
	b.AddListener(fails)
	a.Emit(t.Context(), 1)
	a.Emit(t.Context(), 2)
	drained(t, a)
	b.Emit(t.Context(), 3)
	if st := a.Stats(); calls != 3 || st.Failures != 2 {
		t.Errorf("%d calls, %d failures; want 3, 2", calls, st.Failures)
	}
	eventually(t, "the worker has gone", func() bool { return a.Stats().Workers == 0 })
}

func TestAnObserversPanicGoesToTheSignalsLogger(t *testing.T) {
	log := newLogged()
	bus := signals.NewBus(signals.Logger(log.Logger))
	bus.Observe(signals.Observer{ListenerEnd: func(context.Context, *signals.ListenerInfo, time.Duration, error) { panic("ouch") }})
	bus.Tap(func(context.Context, string, any) { panic("tapped") })
	s := signals.NewSync[int](signals.Name("orders"), signals.OnBus(bus))
	s.AddListener(func(context.Context, int) {})
	s.Emit(t.Context(), 1)
	var said []string
	for _, l := range log.all() {
		said = append(said, l.attrs["signal"]+" "+l.attrs["stage"]+" "+l.attrs["panic"])
	}
	if got := strings.Join(said, ", "); got != "orders Tap tapped, orders ListenerEnd ouch" {
		t.Errorf("logged: %s", got)
	}
}

func TestAGrowthPolicyThatPanicsLeavesNothingInTheScope(t *testing.T) {
	var scope signals.Scope
	s := signals.New[int](signals.InitialCapacity(1), signals.Growth(func(int) int { panic("no room") }))
	s.AddListener(func(context.Context, int) {})
	func() {
		defer func() { _ = recover() }()
		s.Subscribe(func(context.Context, int) error { return nil }, signals.In(&scope))
		t.Error("no panic")
	}()
	if n := scope.Len(); n != 0 || s.Len() != 1 {
		t.Errorf("%d registrations in the scope, %d on the signal; want none and 1", n, s.Len())
	}
}

func TestResetDoesNotCopyTheListForEachListener(t *testing.T) {
	const n = 2000
	s := signals.NewSync[int]()
	for range n {
		s.AddListener(func(context.Context, int) {})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s.Reset()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 200*n {
		t.Errorf("Reset of %d listeners took %d bytes", n, used)
	}
	if s.Len() != 0 {
		t.Errorf("%d listeners are left", s.Len())
	}
}

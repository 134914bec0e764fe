package contract_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/signals"
)

// stuckUntil makes a listener that runs until its context ends, and notes why.
func stuckUntil(entered chan<- int, why chan<- error) func(context.Context, int) error {
	return func(ctx context.Context, v int) error {
		entered <- v
		<-ctx.Done()
		why <- context.Cause(ctx)
		return nil
	}
}

func TestCancellableIsCancelledOnRemovalAndWhenACloseGivesUp(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		end  func(s *signals.AsyncSignal[int], sub *signals.Subscription, bus *signals.Bus, scope *signals.Scope)
		says string
	}{
		"Unsubscribe": {func(_ *signals.AsyncSignal[int], sub *signals.Subscription, _ *signals.Bus, _ *signals.Scope) {
			sub.Unsubscribe()
		}, "removed"},
		"Reset": {func(s *signals.AsyncSignal[int], _ *signals.Subscription, _ *signals.Bus, _ *signals.Scope) {
			s.Reset()
		}, "removed"},
		"Scope": {func(_ *signals.AsyncSignal[int], _ *signals.Subscription, _ *signals.Bus, c *signals.Scope) {
			_ = c.Close(gone)
		}, "removed"},
		"Close": {func(s *signals.AsyncSignal[int], _ *signals.Subscription, _ *signals.Bus, _ *signals.Scope) {
			_ = s.Close(gone)
		}, "gave up"},
		"Bus.Close": {func(_ *signals.AsyncSignal[int], _ *signals.Subscription, b *signals.Bus, _ *signals.Scope) {
			_ = b.Close(gone)
		}, "gave up"},
	} {
		for _, once := range []bool{false, true} {
			var scope signals.Scope
			bus := signals.NewBus()
			s := signals.Topic[int](bus, "s")
			entered, why := make(chan int, 9), make(chan error, 9)
			opts := []signals.ListenerOption{signals.Cancellable(), signals.In(&scope)}
			if once {
				if name == "Unsubscribe" || name == "Reset" {
					continue // it has been removed already
				}
				opts = append(opts, signals.Once())
			}
			sub := s.Subscribe(stuckUntil(entered, why), opts...)
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), trailKey{}, "v"))
			s.Emit(ctx, 1)
			cancel() // that of Emit never reaches it
			s.Emit(t.Context(), 2)
			await(t, entered, name)
			select {
			case err := <-why:
				t.Errorf("%s: ended by %v", name, err)
			default:
			}
			test.end(s, sub, bus, &scope)
			says := test.says
			if once {
				says = "gave up"
			}
			if err := await(t, why, name); !containsText(err, says) {
				t.Errorf("%s: %v", name, err)
			}
			if says == "gave up" && !once { // the next call begins cancelled
				await(t, entered, name+", the next call")
				if err := await(t, why, name); !containsText(err, says) {
					t.Errorf("%s, the next call: %v", name, err)
				}
			}
			if err := bus.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestCancellableGetsTheEndOfAnEmitWait(t *testing.T) {
	s := signals.New[int]()
	entered, why := make(chan int, 1), make(chan error, 1)
	s.Subscribe(stuckUntil(entered, why), signals.Cancellable())
	ctx, cancel := context.WithCancel(t.Context())
	go func() { await(t, entered, "the listener"); cancel() }()
	if err := s.EmitWait(ctx, 1); !errors.Is(err, context.Canceled) && err != nil {
		t.Error(err)
	}
	if err := await(t, why, "its end"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	mustDrain(t, s)
}

func TestListenersThatComeAfterABusGaveUpBeginCancelled(t *testing.T) {
	bus := signals.NewBus()
	outer := signals.Topic[int](bus, "outer")
	entered, free := make(chan int), make(chan struct{})
	why := make(chan error, 2)
	outer.Subscribe(func(ctx context.Context, v int) error {
		entered <- v
		<-free
		late := signals.Topic[int](bus, "late") // made by a listener that is being drained
		late.Subscribe(stuckUntil(make(chan int, 1), why), signals.Cancellable())
		return late.Offer(ctx, 1)
	})
	outer.Emit(t.Context(), 1)
	await(t, entered, "the listener")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := bus.Close(gone); err == nil {
		t.Error("it did not give up")
	}
	close(free)
	if err := await(t, why, "the late one"); !containsText(err, "gave up") {
		t.Error(err)
	}
	if err := bus.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCancellableMakesNoSenseWithoutAContext(t *testing.T) {
	mustPanic(t, func() { signals.NewSync[int]().Subscribe(nothing, signals.Cancellable()) }, "Cancellable is an option of async signals")
	mustPanic(t, func() {
		for range signals.New[int]().Events(t.Context(), signals.Cancellable()) {
		}
	}, "Events", "Cancellable")
}

func TestCancellableWorksWithAroundAndIsCleanedUp(t *testing.T) {
	var n notes
	s := signals.New[int](n.wraps("A"))
	s.Subscribe(func(ctx context.Context, v int) error { n.add("%d %v", v, ctx.Err()); return nil }, signals.Cancellable(), signals.Key("k"))
	if err := s.EmitWait(t.Context(), 1); err != nil {
		t.Error(err)
	}
	n.expect(t, "A(k", "1 <nil>", "A <nil>)")
}

func containsText(err error, text string) bool {
	return err != nil && strings.Contains(err.Error(), text)
}

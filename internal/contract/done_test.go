package contract_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"example.com/signals"
)

func TestDoneIsClosedHoweverARegistrationEnds(t *testing.T) {
	for kind, build := range makers {
		var scope signals.Scope
		ctx, cancel := context.WithCancel(t.Context())
		s := build()
		subs := map[string]*signals.Subscription{
			"unsubscribed": s.Subscribe(nothing),
			"by key":       s.Subscribe(nothing, signals.Key("k")),
			"scope":        s.Subscribe(nothing, signals.In(&scope)),
			"until":        s.Subscribe(nothing, signals.Until(ctx)),
			"once":         s.Subscribe(nothing, signals.Once()),
			"reset":        s.Subscribe(nothing),
		}
		done := map[string]<-chan struct{}{}
		for how, sub := range subs {
			if how != "reset" { // that one is asked for when it has ended
				done[how] = sub.Done()
			}
			if isClosed(sub.Done()) {
				t.Errorf("%s, %s: it is done at once", kind, how)
			}
		}
		subs["unsubscribed"].Unsubscribe()
		await(t, done["unsubscribed"], "Unsubscribe")
		s.RemoveListener("k")
		await(t, done["by key"], "RemoveListener")
		if err := scope.Close(t.Context()); err != nil {
			t.Error(err)
		}
		await(t, done["scope"], "Scope.Close")
		cancel()
		await(t, done["until"], "the end of Until")
		s.Emit(t.Context(), 1)
		await(t, done["once"], "Once")
		if isClosed(subs["reset"].Done()) {
			t.Error("it is done too early")
		}
		s.Reset()
		await(t, subs["reset"].Done(), "Reset")
		await(t, s.Subscribe(nothing, signals.In(&scope)).Done(), "a closed scope")
	}
	await(t, (*signals.Subscription)(nil).Done(), "no subscription")
}

func TestDoneWaitsForTheCallInFlightAndForWhatACloseDelivers(t *testing.T) {
	entered := make(chan struct{}, 9)
	stuck := func(free chan struct{}) func(context.Context, int) error {
		return func(context.Context, int) error { entered <- struct{}{}; <-free; return nil }
	}
	for _, build := range []func() signals.Signal[int]{
		func() signals.Signal[int] { return signals.New[int]() },
		func() signals.Signal[int] { return signals.NewSharded(3, func(v int) uint64 { return uint64(v) }) },
	} {
		s := build()
		letGo, free := make(chan struct{}), make(chan struct{})
		removed, closed := s.Subscribe(stuck(letGo)), s.Subscribe(stuck(free))
		s.Emit(t.Context(), 1)
		await(t, entered, "a listener")
		await(t, entered, "the other one")
		s.Emit(t.Context(), 2)
		removed.Unsubscribe()
		go func() { _ = s.(interface{ Close(context.Context) error }).Close(t.Context()) }()
		if isClosed(removed.Done()) || isClosed(closed.Done()) {
			t.Error("done with a call in flight")
		}
		close(letGo) // a channel of its own: what is sent on free goes to whoever comes first
		await(t, removed.Done(), "the call in flight")
		timeout := time.NewTimer(patience)
		for n := 0; !isClosed(closed.Done()); {
			select {
			case free <- struct{}{}:
				n++
			case <-closed.Done():
				if n != 2 {
					t.Errorf("done after %d calls", n)
				}
			case <-timeout.C:
				t.Fatal("not done")
			}
		}
		timeout.Stop()
		if st := closed.Stats(); st.Deliveries != 2 {
			t.Errorf("done after %d deliveries", st.Deliveries)
		}
		await(t, s.Subscribe(nothing).Done(), "a registration on a closed signal")
		for len(entered) > 0 {
			<-entered
		}
	}
}

func TestDoneOfATapWaitsForItsCalls(t *testing.T) {
	bus := signals.NewBus()
	s := signals.Topic[int](bus, "s")
	signals.NewSync[int](signals.Name("sync"), signals.OnBus(bus))
	entered, free := make(chan struct{}), make(chan struct{})
	tap := bus.Tap(func(context.Context, string, any) { close(entered); <-free })
	s.Emit(t.Context(), 1)
	await(t, entered, "the tap")
	done := tap.Done()
	tap.Unsubscribe()
	if isClosed(done) {
		t.Error("done with a call in flight")
	}
	close(free)
	await(t, done, "the tap's call")
	await(t, tap.Done(), "the tap's call, again")
	other := bus.Tap(func(context.Context, string, any) {})
	other.Unsubscribe()
	await(t, other.Done(), "a tap that has ended")
}

// Whoever waits for the end of a registration may have nothing else left of it.
func TestDoneAndChanEndOnASignalThatWasDropped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := map[signals.Kind]<-chan struct{}{}
	for kind, build := range makers {
		done[kind] = build().Subscribe(nothing, signals.Until(ctx)).Done()
	}
	values := signals.New[int]().Chan(context.Background(), signals.Until(ctx))
	for range 3 {
		runtime.GC()
	}
	cancel()
	for kind, done := range done {
		await(t, done, string(kind))
	}
	for range values {
		t.Error("a value that nobody has emitted")
	}
}

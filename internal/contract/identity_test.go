package contract_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"example.com/signals"
)

// wrap is what a package that wraps listeners does.
func wrap(fn func(context.Context, int) error) func(context.Context, int) error {
	return signals.Identify(func(ctx context.Context, v int) error { return fn(ctx, v) }, fn)
}

func TestAWrappedListenerIsCalledByItsOwnName(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		for range 100 {
			wrap(nothing) // comes and goes
		}
		runtime.GC()
		s.Subscribe(wrap(wrap(nothing)))
		s.Subscribe(nothing)
		s.AddListener(func(context.Context, int) {})
		l := statsOf(s).Listeners
		if l[0].Listener != "contract_test.nothing" || l[1].Listener != "contract_test.nothing" || strings.Contains(l[2].Listener, "nothing") {
			t.Errorf("they are called %q, %q and %q", l[0].Listener, l[1].Listener, l[2].Listener)
		}
		s.Emit(t.Context(), 1)
		settled(t, s)
	})
	if signals.Identify[int](nil, nothing) != nil || signals.Identify(nothing, nil) == nil {
		t.Error("a function without another one is not what it was")
	}
}

func TestErrorsOfWaitingNameWhoIsInTheWay(t *testing.T) {
	bus := signals.NewBus()
	s := signals.New[int](signals.OnBus(bus), signals.Name("labels"))
	entered, release := make(chan struct{}), make(chan struct{})
	var scope signals.Scope
	sub := s.Subscribe(func(context.Context, int) error { close(entered); <-release; return nil }, signals.Key("printer"), signals.In(&scope))
	s.Emit(t.Context(), 1)
	<-entered
	for _, c := range []struct {
		what string
		wait func() error
	}{
		{"Drain", func() error { return s.Drain(ended(t)) }},
		{"Close", func() error { return s.Close(ended(t)) }},
		{"Bus.Drain", func() error { return bus.Drain(ended(t)) }},
		{"Bus.Close", func() error { return bus.Close(ended(t)) }},
		{"Wait", func() error { return sub.Wait(ended(t)) }},
		{"Scope.Close", func() error { return scope.Close(ended(t)) }},
		{"Close, when it is removed", func() error { return s.Close(ended(t)) }},
	} {
		err := c.wait()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", c.what, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, `in the way: "printer" (contract/identity_test.go:`) {
			t.Errorf("%s does not name who is in the way: %v", c.what, err)
		}
	}
	close(release)
	mustDrain(t, s)
}

func TestARefusalThatItsEmitterHearsOfIsCountedAndGoesToNoHandler(t *testing.T) {
	why := errors.New("circuit is open")
	var told, handled []error
	opts := []signals.Option{
		signals.OnFailure(func(_ context.Context, f signals.Failure) { handled = append(handled, f.Err) }),
		signals.Observe(signals.Observer{Failure: func(_ context.Context, f signals.Failure) { told = append(told, f.Err) }}),
	}
	for _, s := range []interface {
		Refused(context.Context, any, error)
		Stats() signals.SignalStats
	}{signals.NewSync[int](opts...), signals.New[int](opts...)} {
		told, handled = nil, nil
		s.Refused(t.Context(), 1, why)
		if st := s.Stats(); st.Refusals != 1 || len(told) != 1 || len(handled) != 0 {
			t.Errorf("%d refusals, observers heard %v, handlers %v", st.Refusals, told, handled)
		}
	}
}

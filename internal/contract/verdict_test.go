package contract_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"example.com/signals"
)

func TestIsVetoWantsNothingButVetoes(t *testing.T) {
	no := signals.Veto(errNo)
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nil", nil, false},
		{"of nil", signals.Veto(nil), false},
		{"a veto", no, true},
		{"wrapped", fmt.Errorf("card: %w", no), true},
		{"of a listener", &signals.ListenerError{Err: no}, true},
		{"two", errors.Join(no, fmt.Errorf("%w and %w", no, no)), true},
		{"an error", errNo, false},
		{"joined with a failure", errors.Join(no, errNo), false},
		{"twice", signals.Veto(signals.Veto(errNo)), true},
		{"around a failure", signals.Veto(errors.Join(errNo, fs.ErrExist)), true},
		{"a panic", &signals.PanicError{Value: no}, false},
		{"joined with a panic", errors.Join(no, &signals.PanicError{Value: no}), false},
		{"hostile", (*hostile)(nil), false},
		{"no joins", joins(nil), false},
	} {
		if got := signals.IsVeto(test.err); got != test.want {
			t.Errorf("%s: got %t", test.name, got)
		}
	}
	if !errors.Is(no, errNo) || no.Error() != "no" {
		t.Errorf("a veto hides its reason: %v", no)
	}
}

type joins []error

func (joins) Error() string     { return "joins" }
func (j joins) Unwrap() []error { return j }

// vetoed makes a signal of a kind with a listener that vetoes 1, fails at 2 and
// panics with a veto at 3, and one behind it.
func vetoed(build func(...signals.Option) signals.Signal[int], n *notes, opts ...signals.Option) signals.Signal[int] {
	s := build(append(opts, signals.Name("s"), n.failures())...)
	s.Subscribe(func(_ context.Context, v int) error {
		switch v {
		case 1:
			return fmt.Errorf("rule 1: %w", signals.Veto(errNo))
		case 2:
			return errors.Join(signals.Veto(errNo), fs.ErrExist)
		case 3:
			panic(signals.Veto(errNo))
		}
		return nil
	}, signals.Key("a"))
	s.Subscribe(nothing, signals.Key("b"))
	return s
}

func TestAVetoIsCountedAsOneAndGoesToNoHandler(t *testing.T) {
	for kind, build := range makers {
		for name, opts := range map[string][]signals.Option{"bare": nil, "counted": {signals.Counted()}, "observed": {signals.Observe(signals.Observer{
			ListenerEnd: nil, Failure: nil, EmitBegin: func(ctx context.Context, _ *signals.SignalInfo) context.Context { return ctx },
		})}} {
			var n, told notes
			opts = append(opts, signals.Observe(signals.Observer{Failure: func(_ context.Context, f signals.Failure) { told.add("%v", f.Err) }}))
			s := vetoed(build, &n, opts...)
			for v := range 4 {
				s.Emit(t.Context(), v)
				settled(t, s)
			}
			n.expect(t, "a: no\nfile already exists", "a: panic: no")
			told.expect(t, "no\nfile already exists", "panic: no")
			st := statsOf(s)
			if st.Vetoes != 1 || st.Failures != 2 || st.Panics != 1 || st.Listeners[0].Vetoes != 1 || st.Listeners[0].Failures != 2 || st.Listeners[1].Vetoes != 0 {
				t.Errorf("%s %s: %v", kind, name, st)
			}
			for i, l := range st.Listeners {
				if l.Deliveries != 4 {
					t.Errorf("%s %s: listener %d was called %d times", kind, name, i, l.Deliveries)
				}
			}
		}
	}
}

func TestAVetoReachesWhoWaitsForIt(t *testing.T) {
	const text = `signals: listener 0 "a" of "s" vetoed: rule 1: no`
	var n notes
	s := vetoed(makers[signals.KindAsync], &n).(*signals.AsyncSignal[int])
	err := s.EmitWait(t.Context(), 1)
	wantError(t, err, errNo, text)
	if !signals.IsVeto(err) {
		t.Error("it is no veto")
	}
	if err := s.EmitWait(t.Context(), 2); signals.IsVeto(err) || err == nil {
		t.Errorf("got %v", err)
	}
	n.expect(t, "a: no\nfile already exists")
	for _, opts := range [][]signals.Option{nil, {signals.Counted()}} {
		y := vetoed(makers[signals.KindSync], &n, opts...).(*signals.SyncSignal[int])
		for _, emit := range []func(context.Context, int) error{y.TryEmit, y.TryEmitAll} {
			err := emit(t.Context(), 1)
			wantError(t, err, errNo, text)
			if !signals.IsVeto(err) {
				t.Error("it is no veto")
			}
			if err := emit(t.Context(), 3); signals.IsVeto(err) || err == nil {
				t.Errorf("got %v", err)
			}
		}
		if st := y.Stats(); st.Vetoes != 2 || st.Failures != 2 {
			t.Errorf("%v", st)
		}
	}
	n.expect(t)
}

func TestAVetoUndoesAndAFailedUndoMakesItAFailure(t *testing.T) {
	for _, test := range []struct {
		name     string
		undo     error
		want     bool
		failures uint64
	}{{"undone", nil, true, 0}, {"undo failed", fs.ErrExist, false, 1}, {"undo vetoed", signals.Veto(fs.ErrExist), false, 1}} {
		var n notes
		s := signals.NewSync[int]()
		s.Step(n.step("do", test.undo))
		s.Subscribe(func(context.Context, int) error { return signals.Veto(errNo) })
		err := s.TryEmit(t.Context(), 1)
		n.expect(t, "do1", "undo do1")
		if !errors.Is(err, errNo) || signals.IsVeto(err) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
		if st := s.Stats(); st.Vetoes != 1 || st.Failures != test.failures {
			t.Errorf("%s: %v", test.name, st)
		}
	}
}

func TestSkipRestCallsNoneBehindAndFailsNothing(t *testing.T) {
	for name, opts := range map[string][]signals.Option{
		"bare": nil, "counted": {signals.Counted()},
		"observed": {signals.Observe(signals.Observer{ListenerEnd: func(_ context.Context, l *signals.ListenerInfo, _ time.Duration, err error) {
			if l.Key == "skips" && err != nil {
				panic("an error")
			}
		}})},
	} {
		for _, first := range []string{"", "plain", "panics"} {
			var n notes
			l := newLogged()
			s := signals.NewSync[int](append(opts, n.failures(), signals.Logger(l.Logger))...)
			switch first {
			case "plain":
				s.AddListener(func(context.Context, int) {})
			case "panics": // and then the loop goes on elsewhere
				s.AddListener(func(_ context.Context, v int) {
					if v == 0 {
						panic("boom")
					}
				}, "panics")
			}
			s.Step(func(context.Context, int) (signals.Undo, error) {
				return func(context.Context) error { n.add("undone"); return nil }, nil
			}, signals.Key("step"))
			if name != "observed" {
				s.RemoveListener("step") // so that the fast loops are run
			}
			skips := s.Subscribe(func(context.Context, int) error { return fmt.Errorf("enough: %w", signals.SkipRest) }, signals.Key("skips"))
			s.Subscribe(n.fails("behind", errNo))
			s.Emit(t.Context(), 0)
			if first == "panics" {
				n.expect(t, "panics: panic: boom")
			}
			for _, emit := range []func(context.Context, int) error{s.TryEmit, s.TryEmitAll} {
				if err := emit(t.Context(), 1); err != nil {
					t.Errorf("%s: got %v", name, err)
				}
			}
			for range 70 { // one of them is timed
				s.Emit(t.Context(), 1)
			}
			n.expect(t)
			st := s.Stats()
			if st.Vetoes != 0 || st.Failures > 1 || name != "bare" && skips.Stats().Deliveries != 73 {
				t.Errorf("%s after %q: %v, %+v", name, first, st, skips.Stats())
			}
			if lines := l.all(); len(lines) > 0 {
				t.Errorf("%s: %v", name, lines)
			}
		}
	}
}

func TestSkipRestOfTheOnlyListenerAndJoinedWithAFailure(t *testing.T) {
	for _, opts := range [][]signals.Option{nil, {signals.Counted()}} {
		var n notes
		s := signals.NewSync[int](append(opts, n.failures())...)
		s.Subscribe(func(_ context.Context, v int) error {
			if v == 1 {
				return signals.SkipRest
			}
			return errors.Join(signals.SkipRest, errNo)
		}, signals.Key("a"))
		s.Emit(t.Context(), 1)
		if err := s.TryEmit(t.Context(), 1); err != nil {
			t.Error(err)
		}
		n.expect(t)
		s.Emit(t.Context(), 2)
		n.expect(t, "a: skip the rest of the listeners\nno")
		if err := s.TryEmit(t.Context(), 2); !errors.Is(err, errNo) {
			t.Error(err)
		}
	}
}

func TestAStepThatSkipsTheRestHasCompleted(t *testing.T) {
	var n notes
	s := signals.NewSync[int]()
	s.Step(func(context.Context, int) (signals.Undo, error) {
		return func(context.Context) error { n.add("undone"); return nil }, signals.SkipRest
	})
	s.Subscribe(n.fails("behind", errNo))
	if err := s.TryEmit(t.Context(), 1); err != nil {
		t.Error(err)
	}
	n.expect(t)
}

func TestSkipRestIsNothingToAnAsyncSignal(t *testing.T) {
	for _, opts := range [][]signals.Option{nil, {signals.Capacity(2, signals.Block)}, {signals.Counted()}} {
		var n notes
		s := signals.New[int](append(opts, n.failures())...)
		skips := s.Subscribe(func(context.Context, int) error { return signals.SkipRest })
		behind := s.Subscribe(nothing)
		if err := s.EmitWait(t.Context(), 1); err != nil {
			t.Error(err)
		}
		for v := range 100 {
			s.Emit(t.Context(), v)
		}
		mustDrain(t, s)
		n.expect(t)
		if a, b := skips.Stats(), behind.Stats(); a.Deliveries != 101 || b.Deliveries != 101 || a.Failures+a.Vetoes != 0 {
			t.Errorf("got %+v and %+v", a, b)
		}
	}
}

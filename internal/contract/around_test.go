package contract_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync/atomic"
	"testing"

	"example.com/signals"
)

// wraps makes an Around that notes when it begins and what came of the call.
func (n *notes) wraps(name string) signals.Option {
	return signals.Around(func(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error {
		n.add("%s(%s", name, l.Key)
		err := next(onTrail(ctx, name))
		n.add("%s %v)", name, err)
		return err
	})
}

func TestAroundWrapsEveryCallOutermostFirst(t *testing.T) {
	for _, build := range makers {
		var n notes
		s := build(signals.OnBus(signals.NewBus(n.wraps("bus"))), n.wraps("A"), n.wraps("B"), n.failures())
		s.Subscribe(func(ctx context.Context, v int) error {
			n.add("%d %s", v, trail(ctx))
			if v == 2 {
				panic("boom")
			}
			return nil
		}, signals.Key("k"), signals.Filter(func(v int) bool { return v > 0 }))
		for v := range 3 {
			s.Emit(t.Context(), v)
		}
		settled(t, s)
		calls := func(v int, err string) []string {
			return []string{"bus(k", "A(k", "B(k", fmt.Sprintf("%d /bus/A/B", v), "B " + err + ")", "A " + err + ")", "bus " + err + ")"}
		}
		want := append(append(calls(1, "<nil>"), calls(2, "panic: boom")...), "k: panic: boom")
		if _, ok := s.(*signals.ShardedSignal[int]); ok && len(want) == len(n.take()) {
			continue // no order
		}
		n.expect(t, want...)
		if st := statsOf(s); st.Panics != 1 || st.Deliveries != 2 {
			t.Errorf("%v", st)
		}
	}
}

func TestWhatAroundReturnsIsWhatCameOfTheCall(t *testing.T) {
	for kind, build := range makers {
		for _, test := range []struct {
			name             string
			wrap             func(ctx context.Context, next func(context.Context) error) error
			called           int32
			failures, vetoes uint64
		}{
			{"nil without next", func(context.Context, func(context.Context) error) error { return nil }, 0, 0, 0},
			{"an error without next", func(context.Context, func(context.Context) error) error { return errNo }, 0, 1, 0},
			{"a veto", func(context.Context, func(context.Context) error) error { return signals.Veto(errNo) }, 0, 0, 1},
			{"an error behind", func(ctx context.Context, next func(context.Context) error) error { _ = next(ctx); return errNo }, 1, 1, 0},
			{"twice", func(ctx context.Context, next func(context.Context) error) error { _ = next(ctx); return next(ctx) }, 1, 1, 0},
			{"a panic", func(ctx context.Context, next func(context.Context) error) error { _ = next(ctx); panic("boom") }, 1, 1, 0},
			{"no context", func(_ context.Context, next func(context.Context) error) error { return next(nil) }, 1, 0, 0},
		} {
			var called atomic.Int32
			s := build(signals.Counted(), signals.OnFailure(func(context.Context, signals.Failure) {}),
				signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
					return test.wrap(ctx, next)
				}))
			s.AddListener(func(ctx context.Context, _ int) { _ = ctx.Err(); called.Add(1) })
			s.Emit(t.Context(), 1)
			settled(t, s)
			if st := statsOf(s); called.Load() != test.called || st.Deliveries != 1 || st.Failures != test.failures || st.Vetoes != test.vetoes {
				t.Errorf("%s, %s: called %d times; %v", kind, test.name, called.Load(), st)
			}
		}
	}
}

func TestAnErrorAroundAStepUndoesItAtOnce(t *testing.T) {
	var n notes
	fail := errNo
	s := signals.NewSync[int](signals.Around(func(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error {
		err := next(ctx)
		if l.Key == "b" && err == nil {
			return fail
		}
		return err
	}))
	s.Step(n.step("a", nil), signals.Key("a"))
	s.Step(n.step("b", fs.ErrExist), signals.Key("b"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := s.TryEmit(ctx, 1)
	n.expect(t, "a1", "b1", "undo b1", "undo a1")
	if !errors.Is(err, errNo) || !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	fail = signals.Veto(errNo)
	if err := s.TryEmit(ctx, 1); signals.IsVeto(err) {
		t.Error("a failed undo makes a veto a failure")
	}
	n.take()
	fail = nil
	s.Subscribe(func(context.Context, int) error { return errNo })
	if err := s.TryEmit(ctx, 1); !errors.Is(err, errNo) {
		t.Error(err)
	}
	n.expect(t, "a1", "b1", "undo b1", "undo a1")

	g := signals.NewSync[int](signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
		_ = next(ctx)
		runtime.Goexit()
		return nil
	}))
	g.Step(n.step("c", nil))
	done := make(chan struct{})
	go func() { defer close(done); g.Emit(t.Context(), 1) }()
	await(t, done, "Goexit")
	n.expect(t, "c1", "undo c1")
}

func TestSkipRestGoesThroughAroundAndIsNoErrorThere(t *testing.T) {
	var n notes
	s := signals.NewSync[int](n.wraps("A"))
	s.Step(func(context.Context, int) (signals.Undo, error) {
		return func(context.Context) error { n.add("undone"); return nil }, signals.SkipRest
	}, signals.Key("k"))
	s.Subscribe(n.fails("behind", errNo))
	if err := s.TryEmit(t.Context(), 1); err != nil {
		t.Error(err)
	}
	n.expect(t, "A(k", "A <nil>)")
	own := signals.NewSync[int](signals.Around(func(context.Context, *signals.ListenerInfo, func(context.Context) error) error {
		return signals.SkipRest
	}))
	own.Subscribe(n.fails("a", errNo))
	own.Subscribe(n.fails("b", errNo))
	if err := own.TryEmit(t.Context(), 1); err != nil {
		t.Error(err)
	}
	n.expect(t)
}

func TestAroundWrapsTheBodiesOfEvents(t *testing.T) {
	var n notes
	s := signals.New[int](n.wraps("A"), n.failures(), signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
		switch trail(ctx) {
		case "/skip/A":
			return nil
		case "/fail/A":
			return errNo
		}
		return next(ctx)
	}))
	ready, ended := make(chan struct{}), make(chan any)
	s.Subscribe(nothing, signals.Key("other"))
	go func() {
		defer func() { ended <- recover() }()
		go func() {
			for !s.HasKey("e") {
				runtime.Gosched()
			}
			close(ready)
		}()
		for v := range s.Events(t.Context(), signals.Key("e")) {
			n.add("body %d", v)
			if v == 4 {
				panic("boom")
			}
		}
	}()
	await(t, ready, "the range")
	s.RemoveListener("other")
	for i, name := range []string{"first", "skip", "fail", "first"} {
		if err := s.EmitWait(onTrail(t.Context(), name), i+1); (name == "fail") != errors.Is(err, errNo) && i < 3 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v := await(t, ended, "the panic"); v != "boom" {
		t.Errorf("got %v", v)
	}
	n.expect(t, "A(e", "body 1", "A <nil>)", "A(e", "A <nil>)", "A(e", "A no)", "e: no", "A(e", "body 4", "A panic: boom)")
}

func TestAroundDoesNotWrapTaps(t *testing.T) {
	var n notes
	bus := signals.NewBus(n.wraps("A"))
	s := signals.Topic[int](bus, "s")
	tap := bus.Tap(func(context.Context, string, any) { n.add("tap") })
	s.Emit(t.Context(), 1)
	mustDrain(t, s)
	tap.Unsubscribe()
	n.expect(t, "tap")
	mustPanic(t, func() { signals.New[int](signals.Around(nil)) }, "Around(nil)")
	mustPanic(t, func() { signals.Topic[int](bus, "s", n.wraps("B")) }, "Around")
}

func TestAroundThatDoesNotWaitForNextIsNotOverBeforeTheListener(t *testing.T) {
	errSlow := errors.New("too slow")
	givesUp := signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
		entered := make(chan struct{})
		go func() { _ = next(context.WithValue(ctx, enteredKey{}, entered)) }()
		<-entered
		return errSlow
	})
	var n notes
	s := signals.NewSync[int](givesUp)
	s.Step(func(ctx context.Context, _ int) (signals.Undo, error) {
		close(ctx.Value(enteredKey{}).(chan struct{}))
		for range 100 {
			runtime.Gosched()
		}
		n.add("done")
		return func(context.Context) error { n.add("undone"); return nil }, nil
	})
	if err := s.TryEmit(t.Context(), 1); !errors.Is(err, errSlow) {
		t.Error(err)
	}
	n.expect(t, "done", "undone")

	var b notes
	batches := signals.New[int](givesUp, signals.OnFailure(func(context.Context, signals.Failure) {}))
	batches.SubscribeBatch(func(ctx context.Context, vs []int) error {
		close(ctx.Value(enteredKey{}).(chan struct{}))
		for range 100 {
			runtime.Gosched()
		}
		b.add("%v", vs)
		return nil
	}, signals.MaxBatch(1))
	for v := range 3 {
		batches.Emit(t.Context(), v+1)
	}
	settled(t, batches)
	b.expect(t, "[1]", "[2]", "[3]")
}

type enteredKey struct{}

func TestNextThatComesTooLateCallsNobody(t *testing.T) {
	subscribe := map[string]func(signals.Option, *notes) signals.Signal[int]{
		"batch": func(o signals.Option, n *notes) signals.Signal[int] {
			s := signals.New[int](o)
			s.SubscribeBatch(func(_ context.Context, vs []int) error { n.add("%v", vs); return nil })
			return s
		},
	}
	for kind, build := range makers {
		subscribe[string(kind)] = func(o signals.Option, n *notes) signals.Signal[int] {
			s := build(o)
			s.Subscribe(func(_ context.Context, v int) error { n.add("%d", v); return nil })
			return s
		}
	}
	for kind, subscribe := range subscribe {
		var late func(context.Context) error
		var n notes
		s := subscribe(signals.Around(func(_ context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
			late = next
			return nil
		}), &n)
		s.Emit(t.Context(), 1)
		settled(t, s)
		if err := late(t.Context()); err == nil {
			t.Errorf("%s: no error", kind)
		}
		n.expect(t)
	}
}

func TestNilForNextIsTheContextThatTheAroundGot(t *testing.T) {
	name := func(name string) signals.Option {
		return signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
			return next(onTrail(ctx, name))
		})
	}
	nothing := signals.Around(func(_ context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
		return next(nil)
	})
	for _, build := range makers {
		for _, all := range [][]signals.Option{{name("A"), name("B"), nothing}, {name("A"), nothing, name("B")}, {nothing, name("A"), name("B")}} {
			var n notes
			s := build(all...)
			s.Subscribe(func(ctx context.Context, _ int) error { n.add("%s", trail(ctx)); return nil })
			s.Emit(t.Context(), 1)
			settled(t, s)
			n.expect(t, "/A/B")
		}
	}

	// Also what Cancellable makes.
	s := signals.New[int](nothing)
	entered, ended := make(chan struct{}), make(chan struct{})
	sub := s.Subscribe(func(ctx context.Context, _ int) error { close(entered); <-ctx.Done(); close(ended); return nil }, signals.Cancellable())
	s.Emit(t.Context(), 1)
	await(t, entered, "the listener")
	sub.Unsubscribe()
	await(t, ended, "its context")
}

// What wraps an Around that fails may take that for a success: the step in it has been
// undone by then, as a listener that fails has nothing to take back.
func TestAStepIsUndoneWhereAnAroundFailsWhateverThoseOutsideMakeOfIt(t *testing.T) {
	var n notes
	swallows := signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
		err := next(ctx)
		n.add("outside %v", err)
		return nil
	})
	fails := signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
		if err := next(onTrail(ctx, "inside")); err != nil {
			return err
		}
		return errNo
	})
	undone := func(err error) func(context.Context, int) (signals.Undo, error) {
		return func(context.Context, int) (signals.Undo, error) {
			return func(context.Context) error { n.add("undo"); return err }, nil
		}
	}
	behind := func(context.Context, int) error { n.add("behind"); return errNo }

	s := signals.NewSync[int](swallows, fails)
	s.Step(undone(nil))
	if err := s.TryEmit(t.Context(), 1); err != nil {
		t.Error(err)
	}
	n.expect(t, "undo", "outside no")

	s = signals.NewSync[int](swallows, fails)
	s.Step(undone(errors.New("it stays")))
	s.Subscribe(behind)
	if err := s.TryEmit(t.Context(), 1); err != nil {
		t.Error(err)
	}
	n.expect(t, "undo", "outside no\nundo: it stays", "behind", "outside no")
}

// A step that returns an error has not completed, whatever it returns beside.
func TestAStepThatFailsInAnAroundIsNotUndone(t *testing.T) {
	for _, opts := range [][]signals.Option{nil, {signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
		return next(ctx)
	})}} {
		var n notes
		s := signals.NewSync[int](opts...)
		s.Step(n.step("first", nil))
		s.Step(func(context.Context, int) (signals.Undo, error) {
			return func(context.Context) error { n.add("what was not done"); return nil }, errNo
		})
		if err := s.TryEmit(t.Context(), 1); !errors.Is(err, errNo) {
			t.Error(err)
		}
		n.expect(t, "first1", "undo first1")
	}
}

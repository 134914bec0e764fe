package contract_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"runtime"
	"testing"
	"testing/synctest"

	"example.com/signals"
)

// elsewhere calls the listener on a goroutine of its own, as a timeout or an
// errgroup does, and waits for it.
func elsewhere(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = next(ctx)
	}()
	<-done
	return err
}

// What a listener does is done inside of it, on whatever goroutine an Around calls it.
func TestAListenerThatAnAroundCallsElsewhereIsInside(t *testing.T) {
	bus := signals.NewBus()
	around := []signals.Option{signals.Around(elsewhere), signals.Around(elsewhere)}
	for name, s := range map[string]interface {
		signals.Signal[int]
		Drain(context.Context) error
		Close(context.Context) error
		EmitWait(context.Context, int) error
	}{
		"async":   signals.New[int](append(around, signals.OnBus(bus), signals.Name("a"))...),
		"sharded": signals.NewSharded[int](2, nil, append(around, signals.OnBus(bus), signals.Name("b"))...),
	} {
		var sub *signals.Subscription
		var scope signals.Scope
		got := make(chan map[string]error, 1)
		ready := make(chan struct{})
		sub = s.Subscribe(func(ctx context.Context, _ int) error {
			<-ready
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			got <- map[string]error{
				"Drain": s.Drain(ctx), "Close": s.Close(ctx), "EmitWait": s.EmitWait(ctx, 2),
				"Wait": sub.Wait(ctx), "Scope.Close": scope.Close(ctx), "Bus.Drain": bus.Drain(ctx), "Bus.Close": bus.Close(ctx),
			}
			return nil
		}, signals.In(&scope))
		close(ready)
		s.Emit(t.Context(), 1)
		for call, err := range await(t, got, "the listener of "+name) {
			if !errors.Is(err, signals.ErrWouldDeadlock) {
				t.Errorf("%s: %s: %v", name, call, err)
			}
		}
		settled(t, s)
	}
	s := signals.New[int](around...)
	got := make(chan error, 1)
	s.SubscribeBatch(func(context.Context, []int) error { got <- s.Drain(t.Context()); return nil })
	s.Emit(t.Context(), 1)
	if err := await(t, got, "the batch"); !errors.Is(err, signals.ErrWouldDeadlock) {
		t.Error(err)
	}
}

func TestAnEmissionOnTheGoroutineOfAnAroundNeverWaitsForRoom(t *testing.T) {
	s := signals.New[int](signals.Around(elsewhere), signals.Capacity(1, signals.Block))
	last := make(chan struct{})
	s.AddListener(func(ctx context.Context, v int) {
		if v == 0 {
			close(last)
			return
		}
		s.Emit(ctx, v-1)
	})
	s.Emit(t.Context(), 3)
	await(t, last, "the last of a chain")
	settled(t, s)
	if n := s.Stats().OverCapacity; n != 3 {
		t.Errorf("%d above the bound", n)
	}
}

func TestBusCloseTakesWhatAListenerEmitsOnTheGoroutineOfAnAround(t *testing.T) {
	bus := signals.NewBus(signals.Around(elsewhere))
	first, second := signals.Topic[int](bus, "first"), signals.Topic[int](bus, "second")
	entered, goOn := make(chan struct{}), make(chan struct{})
	first.AddListener(func(ctx context.Context, v int) {
		close(entered)
		<-goOn
		second.Emit(ctx, v)
	})
	got := make(chan int, 1)
	second.AddListener(func(_ context.Context, v int) { got <- v })
	first.Emit(t.Context(), 1)
	await(t, entered, "the listener")
	closed := make(chan error, 1)
	go func() { closed <- bus.Close(t.Context()) }()
	for second.Offer(t.Context(), 7) == nil { // until the bus refuses what comes from outside
		<-got
	}
	close(goOn)
	if v := await(t, got, "what the listener emitted"); v != 1 {
		t.Errorf("got %d", v)
	}
	if err := await(t, closed, "Close"); err != nil {
		t.Error(err)
	}
}

// A listener that has ended the goroutine that an Around made for it has not succeeded,
// although next never returned to say so.
func TestGoexitOnTheGoroutineOfAnAroundIsAFailure(t *testing.T) {
	swallows := signals.Around(func(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error {
		_ = elsewhere(ctx, l, next)
		return nil
	})
	for kind, build := range makers {
		k := new(kept)
		s := build(swallows, signals.Counted(), k.handler())
		s.AddListener(func(context.Context, int) { runtime.Goexit() })
		s.Emit(t.Context(), 1)
		settled(t, s)
		if all := k.take(); len(all) != 1 || !errors.Is(all[0].Err, signals.ErrGoexit) {
			t.Errorf("%s: %v", kind, all)
		}
		if st := statsOf(s); st.Failures != 1 || st.Deliveries != 1 {
			t.Errorf("%s: %v", kind, st)
		}
	}
	var n notes
	s := signals.NewSync[int](swallows)
	s.Step(n.step("a", nil), signals.Key("a"))
	s.Step(func(context.Context, int) (signals.Undo, error) { runtime.Goexit(); return nil, nil }, signals.Key("b"))
	if err := s.TryEmit(t.Context(), 1); !errors.Is(err, signals.ErrGoexit) {
		t.Error(err)
	}
	n.expect(t, "a1", "undo a1")
}

func TestAnUndoThatFailsWhileGoexitUnwindsAnAroundIsReported(t *testing.T) {
	k := new(kept)
	s := signals.NewSync[int](k.handler(), signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
		_ = next(ctx)
		runtime.Goexit()
		return nil
	}))
	var n notes
	s.Step(n.step("a", fs.ErrExist), signals.Key("a"))
	for _, emit := range []func(){
		func() { s.Emit(t.Context(), 1) },
		func() { _ = s.TryEmit(t.Context(), 1) },
		func() { _ = s.TryEmitAll(t.Context(), 1) },
	} {
		done := make(chan struct{})
		go func() { defer close(done); emit() }()
		await(t, done, "Goexit")
		if all := k.take(); len(all) != 1 || !errors.Is(all[0].Err, fs.ErrExist) || all[0].Payload != 1 || all[0].Key != "a" {
			t.Errorf("got %v", all)
		}
	}
	if st := s.Stats(); st.Failures != 3 {
		t.Errorf("%v", st)
	}
}

// A call of which an Around does not wait for the end is a call all the same, and
// nobody has given it up.
func TestCancellableIsNotCancelledBecauseAnAroundDoesNotWait(t *testing.T) {
	s := signals.New[int](signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
		entered := make(chan struct{})
		go func() { _ = next(context.WithValue(ctx, enteredKey{}, entered)) }()
		<-entered
		return nil
	}))
	got := make(chan error, 1)
	s.Subscribe(func(ctx context.Context, _ int) error {
		close(ctx.Value(enteredKey{}).(chan struct{}))
		for range 1000 {
			runtime.Gosched()
		}
		got <- context.Cause(ctx)
		return nil
	}, signals.Cancellable())
	s.Emit(t.Context(), 1)
	if err := await(t, got, "the listener"); err != nil {
		t.Error(err)
	}
	settled(t, s)
}

func TestEventsWithAnAroundThatCallsElsewhere(t *testing.T) {
	s := signals.New[int](signals.Around(elsewhere), signals.Retain(9))
	for v := range 6 {
		s.Emit(t.Context(), v)
	}
	sum := func() (sum int) {
		for v := range s.Events(t.Context()) {
			if sum += v; v == 3 {
				return sum
			}
		}
		return -1
	}
	if got := sum(); got != 6 {
		t.Errorf("got %d", got)
	}
	next, stop := iter.Pull(s.Events(t.Context()))
	for want := range 4 {
		if v, ok := next(); v != want || !ok {
			t.Errorf("got %d, %v", v, ok)
		}
	}
	stop()
	if _, ok := next(); ok {
		t.Error("it goes on")
	}
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("got %v", v)
			}
		}()
		for range s.Events(t.Context()) {
			panic("boom")
		}
	}()
	settled(t, s)
	if !s.IsEmpty() {
		t.Error(s.Stats())
	}
}

// What is true of the listener in an Around is true of an Around in another.
func TestAnAroundWithinAnotherIsCalledAsTheListenerIs(t *testing.T) {
	type wrap = func(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error
	var n notes
	for name, test := range map[string]struct {
		outer, inner wrap
		want         error
		says         []string
	}{
		"a panic is an error": {
			func(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error {
				err := elsewhere(ctx, l, next)
				if _, ok := errors.AsType[*signals.PanicError](err); !ok {
					n.add("%v", err)
				}
				return err
			},
			func(context.Context, *signals.ListenerInfo, func(context.Context) error) error { panic(errNo) },
			errNo, nil,
		},
		"Goexit is a failure": {
			func(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error {
				_ = elsewhere(ctx, l, next)
				return nil
			},
			func(context.Context, *signals.ListenerInfo, func(context.Context) error) error {
				runtime.Goexit()
				return nil
			},
			signals.ErrGoexit, nil,
		},
		"called once": {
			func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
				_ = next(ctx)
				return next(ctx)
			},
			func(context.Context, *signals.ListenerInfo, func(context.Context) error) error {
				n.add("inner")
				return nil
			},
			nil, []string{"inner"},
		},
		"waited for": {
			func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
				entered := make(chan struct{})
				go func() { _ = next(context.WithValue(ctx, enteredKey{}, entered)) }()
				<-entered
				return errNo
			},
			func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
				err := next(ctx)
				close(ctx.Value(enteredKey{}).(chan struct{}))
				for range 100 {
					runtime.Gosched()
				}
				n.add("committed")
				return err
			},
			errNo, []string{"called", "committed", "undone"},
		},
		"SkipRest is no error": {
			func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
				err := next(ctx)
				n.add("%v", err)
				return errors.Join(err, errNo)
			},
			func(context.Context, *signals.ListenerInfo, func(context.Context) error) error {
				return signals.SkipRest
			},
			errNo, []string{"<nil>"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := signals.NewSync[int](signals.Around(test.outer), signals.Around(test.inner))
			s.Step(func(context.Context, int) (signals.Undo, error) {
				n.add("called")
				return func(context.Context) error { n.add("undone"); return nil }, nil
			})
			if err := s.TryEmit(t.Context(), 1); err == nil || !errors.Is(err, test.want) && test.want != nil {
				t.Error(err)
			}
			n.expect(t, test.says...)
		})
	}
}

// The failure that an Undo was to take back is nobody's once the Undo ends the goroutine:
// the emitter cannot get it, and it must not be silent.
func TestAFailureAroundAStepIsReportedIfItsUndoGoexits(t *testing.T) {
	for _, want := range []error{errNo, signals.Veto(errNo)} {
		k := new(kept)
		s := signals.NewSync[int](k.handler(), signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
			_ = next(ctx)
			return want
		}))
		s.Step(func(context.Context, int) (signals.Undo, error) {
			return func(context.Context) error { runtime.Goexit(); return nil }, nil
		}, signals.Key("a"))
		for _, emit := range []func(){
			func() { s.Emit(t.Context(), 1) },
			func() { _ = s.TryEmit(t.Context(), 1) },
			func() { _ = s.TryEmitAll(t.Context(), 1) },
		} {
			done := make(chan struct{})
			go func() { defer close(done); emit() }()
			await(t, done, "Goexit")
			all := k.take()
			if signals.IsVeto(want) {
				if len(all) != 0 {
					t.Errorf("got %v", all)
				}
			} else if len(all) != 1 || !errors.Is(all[0].Err, errNo) || all[0].Payload != 1 || all[0].Key != "a" {
				t.Errorf("got %v", all)
			}
		}
		if st := s.Stats(); st.Failures+st.Vetoes != 3 || signals.IsVeto(want) != (st.Vetoes == 3) {
			t.Errorf("%v", st)
		}
	}
}

// A body that ends the goroutine that an Around made for it ends the range's as well, as
// without an Around, and EmitWait gets the failure that the handler gets.
func TestGoexitOfABodyOnTheGoroutineOfAnAroundEndsTheRange(t *testing.T) {
	k := new(kept)
	s := signals.New[int](k.handler(), signals.Around(func(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error {
		_ = elsewhere(ctx, l, next)
		return nil
	}))
	ended := make(chan any, 1)
	added := make(chan struct{})
	defer s.ObserveListeners(func(*signals.ListenerInfo) { close(added) }, nil)()
	go func() {
		defer func() { ended <- recover() }()
		for range s.Events(t.Context()) {
			runtime.Goexit()
		}
		ended <- "it has come back"
	}()
	await(t, added, "the range")
	if err := s.EmitWait(t.Context(), 1); !errors.Is(err, signals.ErrGoexit) {
		t.Error(err)
	}
	if v := await(t, ended, "the end of the range"); v != nil {
		t.Error(v)
	}
	if all := k.take(); len(all) != 1 || !errors.Is(all[0].Err, signals.ErrGoexit) {
		t.Error(all)
	}
	settled(t, s)
	if st := s.Stats(); !s.IsEmpty() || st.Failures != 1 || st.Deliveries != 1 {
		t.Error(st)
	}
}

// With an Around the call begins with that, and calls begin in order: also if an observer
// keeps the first one. What an Around sees of its start may be late, for it and the next
// one run on two goroutines; that one begins behind the other is certain.
func TestCallsOfAConcurrentListenerWithAnAroundBeginInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var observed, wrapped notes
		kept := make(chan struct{})
		s := signals.New[int](
			signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
				wrapped.add("%v", ctx.Value(key{}))
				return next(ctx)
			}),
			signals.Observe(signals.Observer{ListenerBegin: func(ctx context.Context, _ *signals.ListenerInfo) context.Context {
				observed.add("%v", ctx.Value(key{}))
				if ctx.Value(key{}) == 1 {
					<-kept
				}
				return ctx
			}}))
		s.Subscribe(func(context.Context, int) error { return nil }, signals.Concurrency(2), signals.Filter(func(int) bool { return true }))
		for v := range 4 {
			s.Emit(context.WithValue(t.Context(), key{}, v), v)
		}
		synctest.Wait() // 2 has passed the filter, and waits for 1
		wrapped.expect(t, "0")
		close(kept)
		mustDrain(t, s)
		observed.expect(t, "0", "1", "2", "3")
		if n := len(wrapped.take()); n != 3 {
			t.Errorf("%d calls behind the first; want 3", n)
		}
	})
}

// An Around that fails is as a listener that fails: what wraps it and lets that pass has
// not been asked to skip the rest, whatever the listener said.
func TestSkipRestEndsWithTheFailureOfAnAroundBehindIt(t *testing.T) {
	var n notes
	s := signals.NewSync[int](
		signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
			n.add("%v", next(ctx))
			return nil
		}),
		signals.Around(func(ctx context.Context, l *signals.ListenerInfo, next func(context.Context) error) error {
			if err := next(ctx); err != nil || l.Key == "b" {
				return err
			}
			return errNo
		}))
	s.Subscribe(func(context.Context, int) error { return signals.SkipRest }, signals.Key("a"))
	s.Subscribe(func(context.Context, int) error { n.add("b"); return nil }, signals.Key("b"))
	if err := s.TryEmit(t.Context(), 1); err != nil {
		t.Error(err)
	}
	n.expect(t, "no", "b", "<nil>")
}

package contract_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// wantError fails unless err is is and its text is text.
func wantError(t *testing.T, err, is error, text string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("%v is not %v", err, is)
	} else if err.Error() != text {
		t.Errorf("got  %q\nwant %q", err, text)
	}
}

// settled waits until everything emitted on s has been delivered.
func settled(t *testing.T, s any) {
	t.Helper()
	if s, ok := s.(interface{ Drain(context.Context) error }); ok {
		if err := s.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// kept collects the failures that a handler gets.
type kept struct {
	mu  sync.Mutex
	all []signals.Failure
}

func (k *kept) handler() signals.Option {
	return signals.OnFailure(func(_ context.Context, f signals.Failure) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.all = append(k.all, f)
	})
}

func (k *kept) take() []signals.Failure {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.all
	k.all = nil
	return all
}

// place returns file:line of the line so far below its caller.
func place(down int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file[strings.LastIndexByte(file, '/')+1:], line+down)
}

func TestAFailureNamesSignalListenerAndWhereItWasRegistered(t *testing.T) {
	var k kept
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		site := place(1)
		s.AddListenerWithErr(refuseAll, "charge")
		s.Emit(t.Context(), 7)
		settled(t, s)
		got := k.take()
		if len(got) != 1 {
			t.Fatalf("%d failures, want 1", len(got))
		}
		f := got[0]
		folder, _, _ := strings.Cut(f.Site, "/")
		if folder == "" || strings.TrimPrefix(f.Site, folder+"/") != site {
			t.Errorf("site %q, want %q behind its folder", f.Site, site)
		}
		f.Site = ""
		if want := (signals.Failure{Signal: "payment", Key: "charge", Listener: "contract_test.refuseAll", Payload: 7, Err: errNo}); f != want {
			t.Errorf("got  %+v\nwant %+v", f, want)
		}
	}, signals.Name("payment"), k.handler())
}

type till struct{}

func (*till) charge(context.Context, int) error { return errNo }

func TestAListenerIsNamedByItsFunction(t *testing.T) {
	var k kept
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		for _, c := range []struct {
			fn   func(context.Context, int) error
			want string
		}{
			{refuseAll, "contract_test.refuseAll"},
			{(&till{}).charge, "contract_test.(*till).charge"},
			{func(context.Context, int) error { return errNo }, "contract_test.TestAListenerIsNamedByItsFunction.func1.1"},
		} {
			s.Reset()
			s.Subscribe(c.fn)
			s.Emit(t.Context(), 1)
			settled(t, s)
			if got := k.take(); len(got) != 1 || got[0].Listener != c.want {
				t.Errorf("got %+v, want %s", got, c.want)
			}
		}
	}, k.handler())
}

func TestWithoutAHandlerFailuresAreLoggedWithTheStackOfAPanic(t *testing.T) {
	log := newLogged()
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		before := len(log.all())
		s.Subscribe(func(_ context.Context, v int) error {
			if v == 2 {
				explode()
			}
			return errNo
		}, signals.Key("charge"))
		for v := range 2 {
			s.Emit(t.Context(), v+1)
			settled(t, s)
		}
		lines := log.all()[before:]
		if len(lines) != 2 {
			t.Fatalf("%d lines, want 2: %v", len(lines), lines)
		}
		for i, err := range []string{"no", "panic: boom"} {
			l := lines[i]
			if l.level != slog.LevelError || l.msg != "signals: listener failed" || l.attrs["signal"] != "payment" || l.attrs["key"] != "charge" ||
				l.attrs["err"] != err || !strings.Contains(l.attrs["site"], "failure_test.go:") || !strings.Contains(l.attrs["listener"], "TestWithoutAHandler") {
				t.Errorf("line %d: %+v", i, l)
			}
		}
		if _, ok := lines[0].attrs["stack"]; ok {
			t.Error("an error has a stack")
		}
		if stack := lines[1].attrs["stack"]; !strings.Contains(stack, "contract_test.explode") {
			t.Errorf("the stack does not show where it panicked:\n%s", stack)
		}
	}, signals.Name("payment"), signals.Logger(log.Logger))
}

func explode() { panic("boom") }

func TestWithoutALoggerTheDefaultOneIsUsed(t *testing.T) {
	log := captureDefaultLog(t)
	var s signals.SyncSignal[int]
	s.AddListenerWithErr(refuseAll)
	s.Emit(t.Context(), 1)
	if lines := log.all(); len(lines) != 1 || lines[0].attrs["err"] != "no" {
		t.Errorf("got %+v", lines)
	}
}

func TestTheSignalsHandlerComesBeforeThatOfItsBusAndNothingIsLogged(t *testing.T) {
	for kind, build := range makers {
		var own, shared kept
		log := newLogged()
		bus := signals.NewBus(shared.handler(), signals.Logger(log.Logger))
		both := build(signals.OnBus(bus), own.handler())
		def := build(signals.OnBus(bus))
		for _, s := range []signals.Signal[int]{both, def} {
			s.AddListenerWithErr(refuseAll)
			s.Emit(t.Context(), 1)
			settled(t, s)
		}
		if o, b := len(own.take()), len(shared.take()); o != 1 || b != 1 || len(log.all()) != 0 {
			t.Errorf("%s: own handler %d, the bus's %d, logged %d; want 1, 1, 0", kind, o, b, len(log.all()))
		}
	}
}

func TestAHandlerGetsTheValuesOfTheContextAndRunsBeforeTheNextCall(t *testing.T) {
	type key struct{}
	var n notes
	var caller string
	handler := signals.OnFailure(func(ctx context.Context, f signals.Failure) {
		if here := goroutine(); here != caller {
			t.Errorf("handler on goroutine %s, listener on %s", here, caller)
		}
		n.add("%v of %v", ctx.Value(key{}), f.Payload)
	})
	for _, s := range []signals.Signal[int]{signals.NewSync[int](handler), signals.New[int](handler)} {
		s.AddListenerWithErr(func(_ context.Context, v int) error {
			caller = goroutine()
			n.add("call %d", v)
			return errNo
		})
		for v := range 3 {
			s.Emit(context.WithValue(t.Context(), key{}, v), v)
		}
		settled(t, s)
		n.expect(t, "call 0", "0 of 0", "call 1", "1 of 1", "call 2", "2 of 2")
	}
}

func TestAHandlerThatPanicsIsLoggedAndDisturbsNobody(t *testing.T) {
	log := newLogged()
	var n notes
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		before := len(log.all())
		s.AddListenerWithErr(refuseAll, "a")
		s.AddListener(n.says("b"), "b")
		for v := range 3 {
			s.Emit(t.Context(), v)
			settled(t, s)
		}
		n.expect(t, "b0", "b1", "b2")
		lines := log.all()[before:]
		if len(lines) != 3 {
			t.Fatalf("%d lines, want 3", len(lines))
		}
		for _, l := range lines {
			if l.level != slog.LevelError || l.msg != "signals: a failure handler panicked" || l.attrs["signal"] != "payment" ||
				l.attrs["panic"] != "handler" || l.attrs["failure"] != "no" || !strings.Contains(l.attrs["stack"], "failure_test.go") {
				t.Errorf("got %+v", l)
			}
		}
	}, signals.Name("payment"), signals.Logger(log.Logger), signals.OnFailure(func(context.Context, signals.Failure) { panic("handler") }))
}

func TestAHandlerMayEmitAlsoOnTheSignalThatFailed(t *testing.T) {
	for kind, build := range makers {
		var s signals.Signal[int]
		var n notes
		s = build(signals.OnFailure(func(ctx context.Context, f signals.Failure) {
			if v := f.Payload.(int); v < 3 {
				s.Emit(ctx, v+1)
			}
		}))
		s.AddListenerWithErr(n.fails("a", errNo))
		s.Emit(t.Context(), 0)
		for range 4 { // each failure emits once more
			settled(t, s)
		}
		if got := n.take(); len(got) != 4 {
			t.Errorf("%s: %q, want 4 calls", kind, got)
		}
	}
}

// A signal whose payload is Failure could feed itself for ever.
func TestASignalOfFailuresLogsItsOwnAndCallsNoHandler(t *testing.T) {
	for kind, build := range map[signals.Kind]func(...signals.Option) signals.Signal[signals.Failure]{
		signals.KindSync: func(o ...signals.Option) signals.Signal[signals.Failure] {
			return signals.NewSync[signals.Failure](o...)
		},
		signals.KindAsync: func(o ...signals.Option) signals.Signal[signals.Failure] { return signals.New[signals.Failure](o...) },
	} {
		log := newLogged()
		var k kept
		errs := build(signals.Name("errors"), signals.Logger(log.Logger), k.handler())
		var n notes
		errs.AddListenerWithErr(func(_ context.Context, f signals.Failure) error {
			n.add("%s %v", f.Signal, f.Err)
			return fs.ErrPermission
		}, "pager")
		// Also when the handler that it would get is its own Emit.
		bus := signals.NewBus(signals.OnFailure(errs.Emit), signals.Logger(log.Logger))
		member := signals.NewSync[signals.Failure](signals.OnBus(bus), signals.Name("member"))
		member.AddListenerWithErr(func(context.Context, signals.Failure) error { return fs.ErrExist })
		s := signals.NewSync[int](signals.OnBus(bus), signals.Name("payment"))
		s.AddListenerWithErr(refuseAll)

		s.Emit(t.Context(), 1)
		settled(t, errs)
		n.expect(t, "payment no")
		member.Emit(t.Context(), signals.Failure{})
		n.expect(t)
		lines := log.all()
		if len(lines) != 2 || lines[0].attrs["key"] != "pager" || lines[0].attrs["err"] != fs.ErrPermission.Error() ||
			lines[1].attrs["signal"] != "member" {
			t.Errorf("%s: logged %+v", kind, lines)
		}
		if got := k.take(); len(got) != 0 {
			t.Errorf("%s: the handler was called: %+v", kind, got)
		}
	}
}

func TestFailuresAreAlwaysCountedAndPanicsApart(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		sub := s.Subscribe(func(_ context.Context, v int) error {
			switch v {
			case 1:
				return errNo
			case 2:
				panic("boom")
			case 3: // a panic somewhere else, which this listener returns
				return fmt.Errorf("inner: %w", &signals.PanicError{Value: "boom"})
			}
			return nil
		})
		s.Subscribe(func(_ context.Context, v int) error {
			if v == 0 {
				panic(errNo)
			}
			return nil
		}, signals.Filter(func(v int) bool {
			if v == 3 {
				panic("filter")
			}
			return true
		}))
		for v := range 5 {
			s.Emit(t.Context(), v)
		}
		settled(t, s)
		st := s.(interface{ Stats() signals.SignalStats }).Stats()
		if st.Counted || st.Failures != 5 || st.Panics != 3 {
			t.Errorf("signal: %d failures, %d panics, want 5 and 3", st.Failures, st.Panics)
		}
		if l := sub.Stats(); l.Failures != 3 || l.Panics != 1 {
			t.Errorf("first listener: %d failures, %d panics, want 3 and 1", l.Failures, l.Panics)
		}
		if l := st.Listeners[1]; l.Failures != 2 || l.Panics != 2 {
			t.Errorf("second listener: %d failures, %d panics, want 2 and 2", l.Failures, l.Panics)
		}
	}, signals.OnFailure(func(context.Context, signals.Failure) {}))
}

func TestRefusalsAreFailuresWithoutAListener(t *testing.T) {
	var k kept
	s := signals.New[int](signals.Name("orders"), k.handler())
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Emit(t.Context(), 7)
	got := k.take()
	if len(got) != 1 {
		t.Fatalf("%d failures, want 1", len(got))
	}
	wantError(t, got[0].Err, signals.ErrClosed, `signals: emit on "orders": signal is closed`)
	got[0].Err = nil
	if want := (signals.Failure{Signal: "orders", Payload: 7}); got[0] != want {
		t.Errorf("got %+v, want %+v", got[0], want)
	}
	if st := s.Stats(); st.Failures != 0 || st.Refusals != 1 {
		t.Errorf("%d failures, %d refusals, want 0 and 1", st.Failures, st.Refusals)
	}
}

func TestRefusalsAreLoggedOnceASecondWithTheirNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogged()
		one := signals.New[int](signals.Name("one"), signals.Logger(log.Logger))
		two := signals.New[int](signals.Name("two"), signals.Logger(log.Logger))
		if err := errors.Join(one.Close(t.Context()), two.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			one.Emit(t.Context(), 1)
		}
		two.Emit(t.Context(), 1)
		<-time.After(999 * time.Millisecond)
		one.Emit(t.Context(), 1)
		<-time.After(time.Millisecond)
		one.Emit(t.Context(), 1)
		one.Emit(t.Context(), 1)
		var got []string
		for _, l := range log.all() {
			got = append(got, fmt.Sprint(l.level, " ", l.msg, " ", l.attrs["signal"], " ", l.attrs["count"]))
		}
		want := "[ERROR signals: emissions refused one 1 ERROR signals: emissions refused two 1 ERROR signals: emissions refused one 4]"
		if fmt.Sprint(got) != want {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestErrorsOfListenersReachTheirCause(t *testing.T) {
	cause := &fs.PathError{Op: "open", Path: "till", Err: fs.ErrPermission}
	inner := &signals.PanicError{Value: cause}
	err := error(&signals.ListenerError{Signal: "payment", Key: "charge", Index: 2, Listener: "shop.charge", Err: inner})
	if want := `signals: listener 2 "charge" of "payment" failed: panic: open till: permission denied`; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	var path *fs.PathError
	var p *signals.PanicError
	if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &path) || path != cause || !errors.As(err, &p) || p != inner {
		t.Error("the cause is not reached")
	}
	bare := error(&signals.PanicError{Value: "boom"})
	if errors.Unwrap(bare) != nil || bare.Error() != "panic: boom" || errors.Is(bare, fs.ErrPermission) {
		t.Errorf("got %v, which unwraps to %v", bare, errors.Unwrap(bare))
	}
	noKey := &signals.ListenerError{Signal: "payment", Index: 0, Listener: "shop.charge", Err: errNo}
	if want := `signals: listener 0 (shop.charge) of "payment" failed: no`; noKey.Error() != want {
		t.Errorf("got  %s\nwant %s", noKey, want)
	}
}

func TestTheIndexOfAFailureIsThePlaceInCallingOrder(t *testing.T) {
	emit := map[string]func(s signals.Signal[int]) error{
		"TryEmit":    func(s signals.Signal[int]) error { return s.(*signals.SyncSignal[int]).TryEmit(t.Context(), 1) },
		"TryEmitAll": func(s signals.Signal[int]) error { return s.(*signals.SyncSignal[int]).TryEmitAll(t.Context(), 1) },
		"EmitWait":   func(s signals.Signal[int]) error { return s.(*signals.AsyncSignal[int]).EmitWait(t.Context(), 1) },
	}
	for name, emit := range emit {
		var s signals.Signal[int] = signals.NewSync[int]()
		if name == "EmitWait" {
			s = signals.New[int](signals.OnFailure(func(context.Context, signals.Failure) {}))
		}
		index := func() int {
			var le *signals.ListenerError
			if err := emit(s); !errors.As(err, &le) {
				t.Fatalf("%s: no ListenerError in %v", name, err)
			}
			return le.Index
		}
		s.Subscribe(nothing, signals.Key("a"))
		s.AddListenerWithErr(refuseAll, "b")
		if i := index(); i != 1 {
			t.Errorf("%s: index %d, want 1", name, i)
		}
		s.Subscribe(nothing, signals.Key("first"), signals.Priority(1))
		if i := index(); i != 2 {
			t.Errorf("%s: behind a listener of higher priority: index %d, want 2", name, i)
		}
		s.RemoveListener("a")
		if i := index(); i != 1 {
			t.Errorf("%s: after a removal: index %d, want 1", name, i)
		}
		s.Reset()
		s.AddListenerWithErr(func(context.Context, int) error { s.Reset(); return errNo })
		if i := index(); i != -1 {
			t.Errorf("%s: removed meanwhile: index %d, want -1", name, i)
		}
	}
}

package contract_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/signals"
)

// trailKey is the key of the context value to which each stage adds its name.
type trailKey struct{}

func trail(ctx context.Context) string { v, _ := ctx.Value(trailKey{}).(string); return v }

func onTrail(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, trailKey{}, trail(ctx)+"/"+name)
}

// watcher notes every stage with its context, and passes the context on.
func (n *notes) watcher(name string) signals.Observer {
	return signals.Observer{
		EmitBegin: func(ctx context.Context, s *signals.SignalInfo) context.Context {
			n.add("%s emit %s %s", name, s.Name, trail(ctx))
			return onTrail(ctx, name)
		},
		EmitEnd: func(ctx context.Context, s *signals.SignalInfo, err error) {
			n.add("%s emitted %s %s: %v", name, s.Name, trail(ctx), err)
		},
		ListenerBegin: func(ctx context.Context, l *signals.ListenerInfo) context.Context {
			n.add("%s call %s.%s %s", name, l.Signal.Name, l.Key, trail(ctx))
			return onTrail(ctx, l.Key+name)
		},
		ListenerEnd: func(ctx context.Context, l *signals.ListenerInfo, took time.Duration, err error) {
			n.add("%s called %s.%s %s: %v %t", name, l.Signal.Name, l.Key, trail(ctx), err, took >= 0)
		},
	}
}

func TestAnObserverSeesEveryStageAndItsContextsGoOn(t *testing.T) {
	var n notes
	s := signals.NewSync[int](signals.Name("s"), signals.Observe(n.watcher("A")), n.failures())
	s.Step(func(ctx context.Context, _ int) (signals.Undo, error) { n.add("a %s", trail(ctx)); return nil, nil }, signals.Key("a"))
	s.Subscribe(func(ctx context.Context, _ int) error { n.add("b %s", trail(ctx)); return errNo }, signals.Key("b"))
	ctx := onTrail(t.Context(), "req")
	calls := []string{
		"A emit s /req",
		"A call s.a /req/A", "a /req/A/aA", "A called s.a /req/A/aA: <nil> true",
		"A call s.b /req/A", "b /req/A/bA", "A called s.b /req/A/bA: no true",
	}
	const failed = `signals: listener 1 "b" of "s" failed: no`
	end := "A emitted s /req/A: " + failed

	s.Emit(ctx, 1)
	n.expect(t, append(calls, "b: no", end)...)
	wantError(t, s.TryEmit(ctx, 1), errNo, failed)
	n.expect(t, append(calls, end)...)
	wantError(t, s.TryEmitAll(ctx, 1), errNo, failed)
	n.expect(t, append(calls, end)...)

	s.Reset()
	s.Emit(ctx, 1)
	n.expect(t, "A emit s /req", "A emitted s /req/A: <nil>")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	s.AddListener(n.says("c"), "c")
	err := s.TryEmit(ended, 1)
	n.expect(t, "A emit s /req", "A emitted s /req/A: "+err.Error())
}

func TestAnObserverOfAnAsyncSignalSeesAcceptanceAndThenDeliveries(t *testing.T) {
	var n notes
	s := signals.New[int](signals.Name("s"), signals.Observe(n.watcher("A")), n.failures())
	entered, free := make(chan struct{}), make(chan struct{})
	s.AddListenerWithErr(func(ctx context.Context, _ int) error {
		close(entered)
		<-free
		n.add("a %s, ended: %v", trail(ctx), ctx.Err())
		return errNo
	}, "a")
	ctx, cancel := context.WithCancel(onTrail(t.Context(), "req"))
	s.Emit(ctx, 1)
	await(t, entered, "the listener")
	cancel()
	close(free)
	mustDrain(t, s)
	got := n.take()
	for i, l := range got { // acceptance and delivery do not wait for each other
		if strings.Contains(l, "emitted") {
			got = append(got[:i], got[i+1:]...)
			if want := "A emitted s /req/A: <nil>"; l != want {
				t.Errorf("got %q, want %q", l, want)
			}
			break
		}
	}
	want := []string{
		"A emit s /req", "A call s.a /req/A", "a /req/A/aA, ended: <nil>", "A called s.a /req/A/aA: no true", "a: no",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}

	s.Reset()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	const refused = `signals: emit on "s": signal is closed`
	s.Emit(ctx, 1)
	n.expect(t, "A emit s /req", "A emitted s /req/A: "+refused, ": "+refused)
	for _, emit := range []func(context.Context, int) error{s.Offer, s.EmitWait} {
		wantError(t, emit(ctx, 1), signals.ErrClosed, refused)
		n.expect(t, "A emit s /req", "A emitted s /req/A: "+refused)
	}
}

func TestEmitWaitAcceptsBeforeItWaitsAlsoForObservers(t *testing.T) {
	accepted := make(chan error, 1)
	s := signals.New[int](signals.Observe(signals.Observer{
		EmitEnd: func(_ context.Context, _ *signals.SignalInfo, err error) { accepted <- err },
	}))
	var got error
	s.AddListener(func(context.Context, int) { got = <-accepted }) // or it would wait for ever
	if err := s.EmitWait(t.Context(), 1); err != nil || got != nil {
		t.Errorf("EmitWait returned %v, EmitEnd got %v", err, got)
	}
}

func TestObserversAreCalledInOrderThoseOfTheSignalFirst(t *testing.T) {
	everyOrder := []string{
		"A emit s", "B emit s", "C emit s", "D emit s",
		"A call s.a", "B call s.a", "C call s.a", "D call s.a", "/A/B/C/D/aA/aB/aC/aD",
		"A called s.a", "B called s.a", "C called s.a", "D called s.a",
		"A emitted s", "B emitted s", "C emitted s", "D emitted s",
	}
	var n notes
	bus := signals.NewBus()
	bus.Observe(n.watcher("C"))
	s := signals.NewSync[int](signals.OnBus(bus), signals.Name("s"), signals.Observe(n.watcher("A")), signals.Observe(n.watcher("B")))
	bus.Observe(n.watcher("D"))
	s.AddListener(func(ctx context.Context, _ int) { n.add("%s", trail(ctx)) }, "a")
	s.Emit(t.Context(), 1)
	got := n.take()
	for i, l := range got {
		if f := strings.Fields(l); len(f) > 2 {
			got[i] = strings.Join(f[:3], " ")
		}
		got[i] = strings.TrimSuffix(got[i], ":")
	}
	if fmt.Sprint(got) != fmt.Sprint(everyOrder) {
		t.Errorf("got  %q\nwant %q", got, everyOrder)
	}
}

func TestAnObserverIsToldWhatASignalAndAListenerAre(t *testing.T) {
	for kind, build := range makers {
		var mu sync.Mutex
		var infos []*signals.SignalInfo
		var listeners []*signals.ListenerInfo
		s := build(signals.Name("orders"), signals.Observe(signals.Observer{
			EmitEnd: func(_ context.Context, s *signals.SignalInfo, _ error) {
				mu.Lock()
				defer mu.Unlock()
				infos = append(infos, s)
			},
			ListenerEnd: func(_ context.Context, l *signals.ListenerInfo, _ time.Duration, _ error) {
				mu.Lock()
				defer mu.Unlock()
				listeners = append(listeners, l)
			},
		}))
		registered := place(1)
		s.Subscribe(nothing, signals.Key("a"), signals.Priority(5))
		for range 2 {
			s.Emit(t.Context(), 1)
		}
		settled(t, s)
		if len(infos) != 2 || infos[0] != infos[1] || len(listeners) != 2 || listeners[0] != listeners[1] || listeners[0].Signal != infos[0] {
			t.Fatalf("%s: %v and %v; want one description of each", kind, infos, listeners)
		}
		// The functions of makers stand in options_test.go.
		if i := *infos[0]; i.Name != "orders" || i.Kind != kind || i.Payload != "int" || !strings.Contains(i.Site, "/options_test.go:") {
			t.Errorf("%s: got %+v", kind, i)
		}
		l := *listeners[0]
		if l.Key != "a" || l.Listener != "contract_test.nothing" || l.Priority != 5 || !strings.HasSuffix(l.Site, "/"+registered) {
			t.Errorf("%s: got %+v, want site %s", kind, l, registered)
		}
	}
}

func TestAPanicInAnObserverIsLoggedAndDisturbsNobody(t *testing.T) {
	for kind, build := range makers {
		log := captureDefaultLog(t)
		var n notes
		s := build(signals.Name("s"), signals.OnFailure(func(context.Context, signals.Failure) {}),
			signals.Observe(signals.Observer{
				EmitBegin:     func(context.Context, *signals.SignalInfo) context.Context { panic("1") },
				EmitEnd:       func(context.Context, *signals.SignalInfo, error) { panic("2") },
				ListenerBegin: func(context.Context, *signals.ListenerInfo) context.Context { panic("3") },
				ListenerEnd:   func(context.Context, *signals.ListenerInfo, time.Duration, error) { panic("4") },
				Failure:       func(context.Context, signals.Failure) { panic("5") },
			}),
			signals.Observe(n.watcher("B")))
		s.AddListenerWithErr(func(ctx context.Context, _ int) error { n.add("a %s", trail(ctx)); return errNo }, "a")
		s.Emit(onTrail(t.Context(), "req"), 1)
		settled(t, s)
		got := fmt.Sprint(n.take())
		for _, want := range []string{"B emit s /req", "B call s.a /req/B", "a /req/B/aB", "B called s.a /req/B/aB: no", "B emitted s /req/B"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not among %s", kind, want, got)
			}
		}
		stages := map[string]string{}
		for _, l := range log.all() {
			if l.msg == "signals: an Observer panicked" && strings.Contains(l.attrs["stack"], "observer_test.go") {
				stages[l.attrs["stage"]] = l.attrs["panic"]
			}
		}
		if want := "map[EmitBegin:1 EmitEnd:2 Failure:5 ListenerBegin:3 ListenerEnd:4]"; fmt.Sprint(stages) != want || len(log.all()) != 5 {
			t.Errorf("%s: logged %v in %d lines, want %s", kind, stages, len(log.all()), want)
		}
		if st := s.(interface{ Stats() signals.SignalStats }).Stats(); st.Failures != 1 || st.Panics != 0 {
			t.Errorf("%s: %d failures and %d panics, want the listener's own", kind, st.Failures, st.Panics)
		}
	}
}

func TestANilContextFromAnObserverLeavesTheContextAsItWas(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		got := make(chan string, 1)
		s.AddListener(func(ctx context.Context, _ int) { got <- trail(ctx) })
		s.Emit(onTrail(t.Context(), "req"), 1)
		if got := await(t, got, "the listener"); got != "/req/before/after" {
			t.Errorf("got %s", got)
		}
		settled(t, s)
	}, signals.Observe(signals.Observer{
		EmitBegin: func(ctx context.Context, _ *signals.SignalInfo) context.Context { return onTrail(ctx, "before") },
	}), signals.Observe(signals.Observer{
		EmitBegin:     func(context.Context, *signals.SignalInfo) context.Context { return nil },
		ListenerBegin: func(context.Context, *signals.ListenerInfo) context.Context { return nil },
	}), signals.Observe(signals.Observer{
		ListenerBegin: func(ctx context.Context, _ *signals.ListenerInfo) context.Context { return onTrail(ctx, "after") },
	}))
}

func TestAnObserverWithoutFunctionsChangesNothing(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		var calls atomic.Int64
		s.AddListenerWithErr(func(ctx context.Context, _ int) error { calls.Add(1); return errNo })
		for v := range 10 {
			s.Emit(t.Context(), v)
		}
		settled(t, s)
		if st := s.(interface{ Stats() signals.SignalStats }).Stats(); calls.Load() != 10 || !st.Counted || st.Emissions != 10 || st.Deliveries != 10 {
			t.Errorf("%d calls; %+v", calls.Load(), st)
		}
	}, signals.Observe(signals.Observer{}), signals.OnFailure(func(context.Context, signals.Failure) {}))
}

func TestAnObserverSeesOnlyTheCallsThatAreMade(t *testing.T) {
	var n notes
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		s.Subscribe(nothing, signals.Key("once"), signals.Once(), signals.Filter(func(v int) bool { return v > 1 }))
		s.Subscribe(nothing, signals.Key("panics"), signals.Filter(func(v int) bool {
			if v == 1 {
				panic("filter")
			}
			return false
		}))
		ended, cancel := context.WithCancel(t.Context())
		s.Subscribe(nothing, signals.Key("until"), signals.Until(ended))
		cancel()
		for v := range 4 {
			s.Emit(t.Context(), v)
			settled(t, s)
		}
		n.expect(t, "failure panics panic: filter", "call once", "called once <nil>")
	}, signals.OnFailure(func(context.Context, signals.Failure) {}), signals.Observe(signals.Observer{
		ListenerBegin: func(ctx context.Context, l *signals.ListenerInfo) context.Context {
			n.add("call %s", l.Key)
			return ctx
		},
		ListenerEnd: func(_ context.Context, l *signals.ListenerInfo, _ time.Duration, err error) {
			n.add("called %s %v", l.Key, err)
		},
		Failure: func(_ context.Context, f signals.Failure) { n.add("failure %s %v", f.Key, f.Err) },
	}))
}

func TestAnObserverIsToldOfAPanicAndOfGoexit(t *testing.T) {
	var n notes
	see := signals.Observe(signals.Observer{
		EmitEnd: func(_ context.Context, _ *signals.SignalInfo, err error) {
			n.add("end, Goexit: %t", errors.Is(err, signals.ErrGoexit))
		},
		ListenerEnd: func(_ context.Context, _ *signals.ListenerInfo, _ time.Duration, err error) {
			var p *signals.PanicError
			n.add("called, panic: %t, Goexit: %t", errors.As(err, &p), errors.Is(err, signals.ErrGoexit))
		},
	})
	listener := func(_ context.Context, v int) error {
		if v == 1 {
			panic("boom")
		}
		runtime.Goexit()
		return nil
	}
	quiet := signals.OnFailure(func(context.Context, signals.Failure) {})
	s := signals.NewSync[int](see, quiet)
	s.AddListenerWithErr(listener)
	s.Emit(t.Context(), 1)
	n.expect(t, "called, panic: true, Goexit: false", "end, Goexit: false")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.TryEmit(t.Context(), 2)
		t.Error("Goexit was stopped")
	}()
	await(t, done, "TryEmit")
	n.expect(t, "called, panic: false, Goexit: true", "end, Goexit: true")

	async := signals.New[int](see, quiet)
	async.AddListenerWithErr(listener)
	for v := 1; v <= 2; v++ {
		async.Emit(t.Context(), v)
		mustDrain(t, async)
	}
	got := n.take() // acceptance and delivery do not wait for each other
	slices.Sort(got)
	want := []string{"called, panic: false, Goexit: true", "called, panic: true, Goexit: false", "end, Goexit: false", "end, Goexit: false"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestDropsAreToldWithListenerAndNumber(t *testing.T) {
	var n notes
	var dropped atomic.Int64
	entered, free := make(chan struct{}), make(chan struct{})
	s := signals.New[int](signals.Name("s"), signals.Observe(signals.Observer{Drop: func(l *signals.ListenerInfo, k int) {
		dropped.Add(int64(k))
		n.add("%s.%s %d", l.Signal.Name, l.Key, k)
	}}))
	s.Subscribe(func(_ context.Context, v int) error {
		if v == 0 {
			close(entered)
			<-free
		}
		return nil
	}, signals.Key("a"))
	s.Emit(t.Context(), 0)
	await(t, entered, "the listener")
	for v := range 5 {
		s.Emit(t.Context(), v+1)
	}
	s.RemoveListener("a")
	n.expect(t, "s.a 5") // told when the removal has returned
	close(free)
	mustDrain(t, s)

	entered, free = make(chan struct{}), make(chan struct{})
	sub := s.Subscribe(func(_ context.Context, v int) error {
		if v == 0 {
			close(entered)
			<-free
		}
		return nil
	}, signals.Key("b"), signals.MaxLag(2, signals.DropOldest))
	dropped.Store(0)
	s.Emit(t.Context(), 0)
	await(t, entered, "the listener")
	for v := range 100 {
		s.Emit(t.Context(), v+1)
	}
	close(free)
	mustDrain(t, s)
	if got, st := dropped.Load(), sub.Stats(); got != 98 || st.Drops != 98 || st.Deliveries != 3 {
		t.Errorf("told of %d drops, counted %d, delivered %d; want 98, 98, 3", got, st.Drops, st.Deliveries)
	}
	for _, l := range n.take() {
		if !strings.HasPrefix(l, "s.b ") {
			t.Errorf("told of %s", l)
		}
	}
}

// An observer that comes or goes while emissions are under way sees each of
// them whole: what it saw begin it sees end.
func TestObserversThatComeAndGoDuringEmissionsSeeWholeOnes(t *testing.T) {
	bus := signals.NewBus(signals.OnFailure(func(context.Context, signals.Failure) {}))
	var sources []signals.Signal[int]
	for _, build := range makers {
		s := build(signals.OnBus(bus))
		s.Subscribe(nothing)
		s.AddListenerWithErr(func(context.Context, int) error { return fs.ErrInvalid })
		sources = append(sources, s)
	}
	type tally struct{ begun, ended, calls, called atomic.Int64 }
	var mu sync.Mutex
	var tallies []*tally
	var emitting, observing sync.WaitGroup
	var stop atomic.Bool
	for range 2 {
		observing.Go(func() {
			for range 20 {
				n := new(tally)
				mu.Lock()
				tallies = append(tallies, n)
				mu.Unlock()
				remove := bus.Observe(signals.Observer{
					EmitBegin: func(ctx context.Context, _ *signals.SignalInfo) context.Context {
						n.begun.Add(1)
						return ctx
					},
					EmitEnd: func(context.Context, *signals.SignalInfo, error) { n.ended.Add(1) },
					ListenerBegin: func(ctx context.Context, _ *signals.ListenerInfo) context.Context {
						n.calls.Add(1)
						return ctx
					},
					ListenerEnd: func(context.Context, *signals.ListenerInfo, time.Duration, error) { n.called.Add(1) },
				})
				for n.begun.Load() < 5 {
					runtime.Gosched()
				}
				remove()
			}
		})
	}
	for _, s := range sources {
		for range 2 {
			emitting.Go(func() {
				for v := 0; !stop.Load(); v++ {
					s.Emit(t.Context(), v)
					runtime.Gosched()
				}
			})
		}
	}
	observing.Wait()
	stop.Store(true)
	emitting.Wait()
	if err := bus.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, n := range tallies {
		if n.begun.Load() != n.ended.Load() || n.calls.Load() != n.called.Load() {
			t.Errorf("observer %d saw %d emissions begin and %d end, %d calls begin and %d end",
				i, n.begun.Load(), n.ended.Load(), n.calls.Load(), n.called.Load())
		}
	}
}

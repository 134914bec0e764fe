package contract_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/signals"
)

// registrar notes who is added and who is removed.
func (n *notes) registrar() signals.Observer {
	return signals.Observer{
		ListenerAdded:   func(l *signals.ListenerInfo) { n.add("+%s", l.Key) },
		ListenerRemoved: func(l *signals.ListenerInfo) { n.add("-%s", l.Key) },
	}
}

func TestObserversAreToldOfListenersHoweverTheyAreRemoved(t *testing.T) {
	for kind, build := range makers {
		var n notes
		var scope signals.Scope
		s := build(signals.Name("s"), signals.Observe(n.registrar()))
		sub := s.Subscribe(nothing, signals.Key("a"))
		s.Subscribe(nothing, signals.Key("b"))
		s.Subscribe(nothing, signals.Key("c"), signals.In(&scope))
		s.Subscribe(nothing, signals.Key("once"), signals.Once())
		s.Subscribe(nothing, signals.Key("d"))
		n.expect(t, "+a", "+b", "+c", "+once", "+d")
		if s.AddListener(func(context.Context, int) {}, "a") != -1 {
			t.Errorf("%s: the key was free", kind)
		}
		sub.Unsubscribe()
		sub.Unsubscribe()
		s.RemoveListener("b")
		n.expect(t, "-a", "-b")
		if err := scope.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s.Subscribe(nothing, signals.In(&scope), signals.Key("late")) // never in the list
		n.expect(t, "-c")
		s.Emit(t.Context(), 1)
		settled(t, s)
		n.expect(t, "-once")
		s.Reset()
		n.expect(t, "-d")
		ctx, cancel := context.WithCancel(t.Context())
		removed := make(chan struct{})
		u := build(signals.Observe(signals.Observer{ListenerRemoved: func(*signals.ListenerInfo) { close(removed) }}))
		u.Subscribe(nothing, signals.Until(ctx))
		cancel()
		await(t, removed, "the end of Until")
	}
}

func TestNobodyIsToldOfCloseOfTapsAndOfRegistrationsOnAClosedSignal(t *testing.T) {
	var n notes
	bus := signals.NewBus()
	s := signals.Topic[int](bus, "s")
	s.Subscribe(nothing, signals.Key("before"))
	stop := bus.Observe(n.registrar())
	tap := bus.Tap(func(context.Context, string, any) {})
	s.Subscribe(nothing, signals.Key("a"))
	tap.Unsubscribe()
	n.expect(t, "+a") // and not of the one that was there
	s.RemoveListener("before")
	n.expect(t, "-before")
	stop()
	s.Subscribe(nothing, signals.Key("b"))
	n.expect(t)

	c := signals.New[int](signals.Observe(n.registrar()))
	c.Subscribe(nothing, signals.Key("x"))
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	sub := c.Subscribe(nothing, signals.Key("y"))
	sub.Unsubscribe()
	n.expect(t, "+x")
	c.Reset()
	n.expect(t, "-x")
}

func TestAddedIsToldBeforeRemoved(t *testing.T) {
	everyKindOf := func(build func(...signals.Option) signals.Signal[int]) {
		var n notes
		var s signals.Signal[int]
		o := n.registrar()
		o.ListenerAdded = func(l *signals.ListenerInfo) {
			s.RemoveListener(l.Key)
			n.add("+%s", l.Key)
			panic("boom")
		}
		s = build(signals.Observe(o), signals.Logger(newLogged().Logger))
		s.Subscribe(nothing, signals.Key("a"))
		n.expect(t, "+a", "-a")

		// Also when others remove what has just been added.
		var live, wrong atomic.Int64
		s = build(signals.Observe(signals.Observer{
			ListenerAdded: func(*signals.ListenerInfo) { live.Add(1) },
			ListenerRemoved: func(*signals.ListenerInfo) {
				if live.Add(-1) < 0 {
					wrong.Add(1)
				}
			},
		}))
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 500 {
				s.Reset()
			}
		})
		for range 500 {
			s.Subscribe(nothing)
		}
		wg.Wait()
		s.Reset()
		if live.Load() != 0 || wrong.Load() != 0 {
			t.Errorf("%d are left, %d were removed before they were added", live.Load(), wrong.Load())
		}
	}
	for _, build := range makers {
		everyKindOf(build)
	}
}

// An observer of registrations alone is none of emissions: nothing is counted
// for it, and Emit allocates and takes what it does without.
func TestAnObserverOfRegistrationsAloneLeavesEmissionsAlone(t *testing.T) {
	var n notes
	s := signals.NewSync[int](signals.Observe(n.registrar()))
	s.Subscribe(nothing)
	s.Emit(t.Context(), 1)
	if st := s.Stats(); st.Counted || st.Emissions != 0 {
		t.Errorf("it counts: %v", st)
	}
	both := n.registrar()
	both.Drop = func(*signals.ListenerInfo, int) {}
	s = signals.NewSync[int](signals.Observe(both))
	if !s.Stats().Counted {
		t.Error("an observer of more is not counted for")
	}
}

func TestTheInfoOfAListenerHasItsFiguresAlsoAfterRemoval(t *testing.T) {
	for kind, build := range makers {
		var info *signals.ListenerInfo
		s := build(signals.Counted(), signals.OnFailure(func(context.Context, signals.Failure) {}), signals.Observe(signals.Observer{
			ListenerRemoved: func(l *signals.ListenerInfo) { info = l },
		}))
		fail := func(context.Context, int) error { return errNo }
		s.Subscribe(fail, signals.Key("a"))
		for v := range 3 {
			s.Emit(t.Context(), v)
		}
		settled(t, s)
		s.RemoveListener("a")
		s.Subscribe(fail, signals.Key("a")) // another registration
		s.Emit(t.Context(), 1)
		settled(t, s)
		if st := info.Stats(); st.Key != "a" || st.Deliveries != 3 || st.Failures != 3 {
			t.Errorf("%s: %+v", kind, st)
		}
	}
	var none *signals.ListenerInfo
	if got := none.Stats(); got.Deliveries != 0 || new(signals.ListenerInfo).Stats().Key != "" {
		t.Errorf("%+v", got)
	}
}

func TestStatsHaveTheListenersThatAreLeaving(t *testing.T) {
	entered, free := make(chan struct{}, 8), make(chan struct{})
	stuck := func(context.Context, int) error { entered <- struct{}{}; <-free; return nil }
	s := signals.NewSharded(2, func(v int) uint64 { return uint64(v) }, signals.OnBus(signals.NewBus()))
	s.Subscribe(stuck, signals.Key("a"))
	s.Subscribe(stuck, signals.Key("b"))
	s.Emit(t.Context(), 0)
	s.Emit(t.Context(), 1)
	for range 4 {
		await(t, entered, "the listeners")
	}
	s.RemoveListener("b")
	s.RemoveListener("a")
	st := s.Stats()
	if len(st.Listeners) != 0 || len(st.Leaving) != 2 || st.Leaving[0].Key != "a" || st.Leaving[1].InFlight != 2 {
		t.Errorf("got %+v", st.Leaving)
	}
	close(free)
	mustDrain(t, s)
	if st := s.Stats(); len(st.Leaving) != 0 || st.Deliveries != 4 {
		t.Errorf("got %+v", st)
	}
}

func TestFailuresAndStatsPrintThemselves(t *testing.T) {
	var fs []signals.Failure
	s := signals.NewSync[int](signals.Name("orders"), signals.Counted(), signals.OnFailure(func(_ context.Context, f signals.Failure) { fs = append(fs, f) }))
	s.Subscribe(func(context.Context, int) error { return errNo }, signals.Key("k"))
	s.Subscribe(func(context.Context, int) error { panic((*hostile)(nil)) })
	s.Emit(t.Context(), 7)
	s.Refuse(t.Context(), 7, errors.New("too many"))
	if len(fs) != 3 {
		t.Fatalf("got %v", fs)
	}
	site := func(i int) string { return fs[i].Site }
	for i, want := range []string{
		fmt.Sprintf(`signals: listener "k" of "orders", registered at %s, failed: no`, site(0)),
		fmt.Sprintf(`signals: listener (%s) of "orders", registered at %s, failed: panic: an error of type *contract_test.hostile, whose Error method panics`, fs[1].Listener, site(1)),
		`signals: an emission on "orders" was refused: too many`,
	} {
		if got := fmt.Sprint(fs[i]); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const want = `"orders", sync signal of int: 2 listeners, 1 emission, 2 deliveries, 2 failures, 1 panic, 1 refusal`
	if got := s.Stats().String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Also of a signal that was never used, and after others that came and went.
func TestObserveListenersTellsOfOneSignal(t *testing.T) {
	for _, build := range makers {
		type observed interface {
			signals.Signal[int]
			ObserveListeners(added, removed func(*signals.ListenerInfo)) (stop func())
			Stats() signals.SignalStats
		}
		s := build(signals.Logger(newLogged().Logger)).(observed)
		if s.Stats().Kind == signals.KindSync {
			s = new(signals.SyncSignal[int])
		}
		var n, other notes
		stopOther := s.ObserveListeners(func(l *signals.ListenerInfo) { other.add("+%s", l.Key) }, nil)
		s.Subscribe(nothing, signals.Key("a"))
		o := n.registrar()
		stop := s.ObserveListeners(o.ListenerAdded, o.ListenerRemoved)
		s.Subscribe(nothing, signals.Key("b"))
		s.RemoveListener("a")
		stopOther()
		stopOther()
		s.Subscribe(nothing, signals.Key("c"))
		s.Reset()
		n.expect(t, "+b", "-a", "+c", "-b", "-c")
		other.expect(t, "+a", "+b")
		if s.Stats().Counted {
			t.Error("it makes the signal count")
		}
		stop()
		s.Subscribe(nothing, signals.Key("d"))
		n.expect(t)
	}
}

// By the Info of Stats a collector knows who is who.
func TestStatsHaveTheInfosThatObserversGet(t *testing.T) {
	for kind, build := range makers {
		var added []*signals.ListenerInfo
		s := build(signals.Name("s"), signals.Observe(signals.Observer{
			ListenerAdded: func(l *signals.ListenerInfo) { added = append(added, l) },
		})).(interface {
			signals.Signal[int]
			Stats() signals.SignalStats
		})
		s.Subscribe(nothing, signals.Key("a"))
		first := s.Stats()
		s.RemoveListener("a")
		s.Subscribe(nothing, signals.Key("a"))
		second := s.Stats()
		if first.Listeners[0].Info() != added[0] || second.Listeners[0].Info() != added[1] || added[0] == added[1] {
			t.Errorf("%s: the infos are not those of the registrations", kind)
		}
		if first.Info() == nil || first.Info() != second.Info() || first.Info() != added[0].Signal {
			t.Errorf("%s: the infos are not that of the signal", kind)
		}
		if first.Info() == build(signals.Name("s")).(interface{ Stats() signals.SignalStats }).Stats().Info() {
			t.Errorf("%s: another signal has the same info", kind)
		}
	}
	if (signals.SignalStats{}).Info() != nil || (signals.ListenerStats{}).Info() != nil {
		t.Error("nobody has an info")
	}
}

func TestFinalTellsWhatWasCountedAfterTheRemoval(t *testing.T) {
	for kind, build := range makers {
		entered, free := make(chan struct{}), make(chan struct{})
		var info atomic.Pointer[signals.ListenerInfo]
		s := build(signals.Counted(), signals.Logger(newLogged().Logger), signals.Observe(signals.Observer{
			ListenerRemoved: func(l *signals.ListenerInfo) { info.Store(l) },
		}))
		s.Subscribe(func(context.Context, int) error {
			close(entered)
			<-free
			return errNo
		}, signals.Key("a"))
		done := make(chan struct{})
		go func() {
			s.Emit(t.Context(), 1)
			close(done)
		}()
		await(t, entered, "the listener")
		s.RemoveListener("a")
		final := make(chan signals.ListenerStats, 2)
		info.Swap(nil).Final(func(st signals.ListenerStats) {
			final <- st
			panic("boom")
		})
		runtime.GC()
		if len(final) > 0 {
			t.Fatalf("%s: final with a call in flight", kind)
		}
		close(free)
		await(t, done, "the emission")
		deadline := time.Now().Add(patience)
		for len(final) == 0 && time.Now().Before(deadline) {
			runtime.GC() // which finds out, for a sync signal
		}
		if st := await(t, final, "the end"); st.Key != "a" || st.Deliveries != 1 || st.Failures != 1 {
			t.Errorf("%s: %+v", kind, st)
		}
	}
	new(signals.ListenerInfo).Final(func(signals.ListenerStats) { t.Error("of nobody") })
}

func TestObserveFailuresTellsOfOneSignal(t *testing.T) {
	type mark struct{}
	for kind, build := range makers {
		s := build(signals.OnFailure(func(context.Context, signals.Failure) {})).(interface {
			signals.Signal[int]
			ObserveFailures(told func(context.Context, signals.Failure)) (stop func())
			Refuse(ctx context.Context, payload int, err error)
		})
		var n notes
		stop := s.ObserveFailures(func(ctx context.Context, f signals.Failure) {
			n.add("%v %s %v", ctx.Value(mark{}), f.Key, f.Payload)
			panic("boom")
		})
		s.Subscribe(func(context.Context, int) error { return errNo }, signals.Key("a"))
		s.Subscribe(func(context.Context, int) error { return signals.Veto(errNo) }, signals.Key("b"))
		s.Emit(context.WithValue(t.Context(), mark{}, 1), 7)
		settled(t, s)
		s.Refuse(context.WithValue(t.Context(), mark{}, 2), 8, errNo)
		n.expect(t, "1 a 7", "2  8")
		stop()
		s.Emit(t.Context(), 9)
		settled(t, s)
		n.expect(t)
		if kind == signals.KindSync && new(signals.SyncSignal[int]).ObserveFailures(nil) != nil {
			t.Error("a signal that was never used is observed")
		}
	}
}

func TestTheInfoOfAListenerHasTheWholeNameOfItsFunction(t *testing.T) {
	s := signals.NewSync[int]()
	s.Subscribe(nothing)
	const want = "example.com/signals/internal/contract_test.nothing"
	if got := s.Stats().Listeners[0].Info().Function(); got != want {
		t.Errorf("it is %q, want %q", got, want)
	}
	if got := new(signals.ListenerInfo).Function(); got != "" {
		t.Errorf("nobody's is %q", got)
	}
}

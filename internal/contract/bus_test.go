package contract_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

func TestTopicMakesASignalOnceAndFindsItAfterwards(t *testing.T) {
	bus := signals.NewBus()
	var n notes
	signals.Topic[int](bus, "orders").AddListener(n.says("a"))
	same := signals.Topic[int](bus, "orders")
	same.Emit(t.Context(), 1)
	if err := bus.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.expect(t, "a1")
	if infos := bus.Signals(); len(infos) != 1 || infos[0].Name != "orders" || infos[0].Payload != "int" || infos[0].Kind != signals.KindAsync {
		t.Errorf("on the bus: %+v", infos)
	}
}

func TestTopicIsMadeOnceByManyGoroutines(t *testing.T) {
	var bus signals.Bus // the zero value is ready
	found := make([]*signals.AsyncSignal[int], 8)
	var wg sync.WaitGroup
	for i := range found {
		wg.Go(func() { found[i] = signals.Topic[int](&bus, "orders") })
	}
	wg.Wait()
	for _, s := range found {
		if s != found[0] {
			t.Fatal("two signals of one name")
		}
	}
}

func TestTopicOfAnotherTypeOrKindPanics(t *testing.T) {
	bus := signals.NewBus()
	signals.Topic[int](bus, "orders")
	signals.NewSync[int](signals.OnBus(bus), signals.Name("checks"))
	mustPanic(t, func() { signals.Topic[string](bus, "orders") }, `Topic "orders"`, "string", "async signal of int")
	mustPanic(t, func() { signals.Topic[int](bus, "checks") }, `Topic "checks"`, "sync signal of int")
	mustPanic(t, func() { signals.Topic[int](nil, "orders") }, `Topic "orders"`, "bus is nil")
	mustPanic(t, func() { signals.Topic[int](bus, "new", signals.Name("other")) }, "two names", "new", "other")
	mustPanic(t, func() { signals.Topic[int](bus, "new", signals.OnBus(signals.NewBus())) }, "one bus only")
	mustPanic(t, func() { signals.Topic[int](bus, "") }, "give a name")
	if got := len(bus.Signals()); got != 2 {
		t.Errorf("%d signals on the bus after the panics, want 2", got)
	}
}

func TestATakenNamePanics(t *testing.T) {
	bus := signals.NewBus()
	signals.Topic[int](bus, "orders")
	mustPanic(t, func() { signals.NewSync[string](signals.OnBus(bus), signals.Name("orders")) }, `"orders" already`, "async signal of int")
	mustPanic(t, func() { signals.New[int](signals.OnBus(bus), signals.Name("orders")) }, `"orders" already`)
	var held signals.AsyncSignal[int]
	mustPanic(t, func() { held.Init(signals.OnBus(bus), signals.Name("orders")) }, `"orders" already`)
}

func TestLookupFindsSignalsOfEveryKindByNameAndType(t *testing.T) {
	bus := signals.NewBus()
	want := map[string]signals.Signal[int]{
		"async":   signals.Topic[int](bus, "async"),
		"sync":    signals.NewSync[int](signals.OnBus(bus), signals.Name("sync")),
		"sharded": signals.NewSharded[int](2, nil, signals.OnBus(bus), signals.Name("sharded")),
	}
	var held signals.SyncSignal[int]
	want["held"] = held.Init(signals.OnBus(bus), signals.Name("held"))
	for name, s := range want {
		if got, ok := signals.Lookup[int](bus, name); !ok || got != s {
			t.Errorf("%s: got %v, %v", name, got, ok)
		}
		if got, ok := signals.Lookup[string](bus, name); ok || got != nil {
			t.Errorf("%s with another payload type: got %v, %v", name, got, ok)
		}
	}
	if _, ok := signals.Lookup[int](bus, "unknown"); ok {
		t.Error("found an unknown name")
	}
}

func TestUnnamedSignalsOnABusAreCalledByTypeAndPlace(t *testing.T) {
	bus := signals.NewBus()
	for range 2 {
		signals.New[int](signals.OnBus(bus))
	}
	infos := bus.Signals()
	if len(infos) != 2 || !strings.HasPrefix(infos[0].Name, "int@") || !strings.Contains(infos[0].Name, "bus_test.go:") ||
		infos[1].Name != infos[0].Name+"#2" {
		t.Errorf("got %+v", infos)
	}
}

func TestDefaultsOfABusServeItsSignalsAndAreOverridden(t *testing.T) {
	var n notes
	bus := signals.NewBus(n.failures(), signals.Capacity(1, signals.Reject), signals.MaxWorkers(1))
	// Options of async signals pass sync ones by.
	s := signals.NewSync[int](signals.OnBus(bus), signals.Name("checks"))
	s.AddListenerWithErr(n.fails("a", errNo), "bus's")
	s.Emit(t.Context(), 1)
	n.expect(t, "a1", "bus's: no")

	own := signals.NewSync[int](signals.OnBus(bus), signals.OnFailure(func(context.Context, signals.Failure) { n.add("own") }))
	own.AddListenerWithErr(n.fails("b", errNo))
	own.Emit(t.Context(), 2)
	n.expect(t, "b2", "own")

	topic := signals.Topic[int](bus, "orders")
	free := make(chan struct{})
	topic.AddListener(func(context.Context, int) { <-free })
	if err := topic.Offer(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := topic.Offer(t.Context(), 2); !errors.Is(err, signals.ErrOverflow) {
		t.Errorf("the bus's Capacity is not applied: %v", err)
	}
	close(free)
	if err := bus.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// observer notes the emissions and deliveries that an observer sees.
func (n *notes) observer(name string) signals.Observer {
	return signals.Observer{
		EmitBegin: func(ctx context.Context, s *signals.SignalInfo) context.Context {
			n.add("%s begin %s", name, s.Name)
			return ctx
		},
		EmitEnd: func(_ context.Context, s *signals.SignalInfo, err error) { n.add("%s end %s %v", name, s.Name, err) },
	}
}

func TestSeveralObserversComeAndGoAtAnyTime(t *testing.T) {
	var n notes
	bus := signals.NewBus()
	s := signals.NewSync[int](signals.OnBus(bus), signals.Name("s"), signals.Observe(n.observer("own")))
	s.Emit(t.Context(), 1)
	n.expect(t, "own begin s", "own end s <nil>")

	stopA := bus.Observe(n.observer("A"))
	stopB := bus.Observe(n.observer("B"))
	s.Emit(t.Context(), 1)
	n.expect(t, "own begin s", "A begin s", "B begin s", "own end s <nil>", "A end s <nil>", "B end s <nil>")

	stopA()
	stopA() // again is nothing
	later := signals.New[int](signals.OnBus(bus), signals.Name("later"))
	later.Emit(t.Context(), 1)
	n.expect(t, "B begin later", "B end later <nil>")

	bus.Remove("later")
	later.Emit(t.Context(), 1)
	stopB()
	s.Emit(t.Context(), 1)
	n.expect(t, "own begin s", "own end s <nil>")
}

func TestATapSeesEveryEmissionOfSignalsOfEveryKindAndOfLaterOnes(t *testing.T) {
	bus := signals.NewBus()
	var n notes
	async := signals.Topic[int](bus, "async")
	sync := signals.NewSync[string](signals.OnBus(bus), signals.Name("sync"))
	tap := bus.Tap(func(_ context.Context, signal string, payload any) { n.add("%s %v", signal, payload) })
	sharded := signals.NewSharded[int](2, nil, signals.OnBus(bus), signals.Name("sharded"))

	emit := func() []string {
		async.Emit(t.Context(), 1)
		sync.Emit(t.Context(), "two")
		if err := errors.Join(sync.TryEmit(t.Context(), "three"), sync.TryEmitAll(t.Context(), "four")); err != nil {
			t.Error(err)
		}
		sharded.Emit(t.Context(), 5)
		sharded.Emit(t.Context(), 6)
		if err := bus.Drain(t.Context()); err != nil { // it waits for the tap too
			t.Error(err)
		}
		got := n.take()
		slices.Sort(got)
		return got
	}
	want := []string{"async 1", "sharded 5", "sharded 6", "sync four", "sync three", "sync two"}
	if got := emit(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := tap.Stats(); got.Deliveries != 6 || !strings.Contains(got.Listener, "TestATap") {
		t.Errorf("stats of the tap: %+v", got)
	}
	for name, l := range map[string]int{"async": async.Len(), "sync": sync.Len(), "sharded": sharded.Len()} {
		if l != 0 {
			t.Errorf("the tap counts as a listener of %s", name)
		}
	}

	tap.Unsubscribe()
	tap.Unsubscribe()
	if err := tap.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	signals.Topic[int](bus, "after").Emit(t.Context(), 7)
	if got := emit(); len(got) != 0 {
		t.Errorf("after Unsubscribe the tap got %q", got)
	}
}

func TestATapOnASyncSignalRunsBeforeItsListeners(t *testing.T) {
	bus := signals.NewBus()
	var n notes
	s := signals.NewSync[int](signals.OnBus(bus))
	s.AddListener(n.says("a"))
	bus.Tap(func(context.Context, string, any) { n.add("tap") })
	s.Emit(t.Context(), 1)
	n.expect(t, "tap", "a1")
}

func TestWaitOfATapWaitsForItsCallInFlight(t *testing.T) {
	bus := signals.NewBus()
	entered, free := make(chan struct{}), make(chan struct{})
	tap := bus.Tap(func(context.Context, string, any) { close(entered); <-free })
	topic := signals.Topic[int](bus, "orders")
	topic.Emit(t.Context(), 1)
	await(t, entered, "the tap")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tap.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a call is in flight, Wait returned %v", err)
	}
	tap.Unsubscribe()
	topic.Emit(t.Context(), 2) // no longer for the tap
	if err := tap.Wait(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("unsubscribed with a call in flight, Wait returned %v", err)
	}
	close(free)
	if err := tap.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPanicInATapIsLoggedAndDisturbsNobody(t *testing.T) {
	log := captureDefaultLog(t)
	bus := signals.NewBus()
	var n notes
	s := signals.NewSync[int](signals.OnBus(bus))
	s.AddListener(n.says("a"))
	bus.Tap(func(context.Context, string, any) { panic("ouch") })
	s.Emit(t.Context(), 1)
	n.expect(t, "a1")
	lines := log.all()
	if len(lines) != 1 || lines[0].attrs["panic"] != "ouch" || !strings.Contains(lines[0].attrs["stack"], "TestAPanicInATap") {
		t.Errorf("logged: %v", lines)
	}
	if st := s.Stats(); st.Failures != 0 {
		t.Errorf("%d failures, want 0: a tap is no listener", st.Failures)
	}
	mustPanic(t, func() { bus.Tap(nil) }, "Tap", "nil")
}

// captureDefaultLog replaces slog.Default for the length of a test.
func captureDefaultLog(t *testing.T) *logged {
	t.Helper()
	log, old := newLogged(), slog.Default()
	slog.SetDefault(log.Logger)
	t.Cleanup(func() { slog.SetDefault(old) })
	return log
}

func TestRemoveTakesASignalOffTheBusAndItGoesOnWorking(t *testing.T) {
	bus := signals.NewBus()
	var n notes
	old := signals.Topic[int](bus, "orders")
	old.AddListener(n.says("a"))
	bus.Tap(func(context.Context, string, any) { n.add("tap") })
	if !bus.Remove("orders") || bus.Remove("orders") {
		t.Error("Remove does not say whether there was one")
	}
	if _, ok := signals.Lookup[int](bus, "orders"); ok || len(bus.Signals()) != 0 {
		t.Error("it is still found")
	}
	if signals.Topic[int](bus, "orders") == old {
		t.Error("the name is not free")
	}
	if err := bus.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := old.EmitWait(t.Context(), 1); err != nil {
		t.Error(err)
	}
	n.expect(t, "a1")
}

func TestAClosedSignalLeavesItsBus(t *testing.T) {
	bus := signals.NewBus()
	s := signals.Topic[int](bus, "orders")
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(bus.Signals()) != 0 || len(bus.Stats()) != 0 {
		t.Errorf("on the bus: %v", bus.Signals())
	}
	if signals.Topic[int](bus, "orders") == s {
		t.Error("the name is not free")
	}
}

// chain makes n topics, each of which emits on the next what it gets, and the
// last of which notes it.
func chain(bus *signals.Bus, n int, last func(context.Context, int)) *signals.AsyncSignal[int] {
	next := signals.Topic[int](bus, fmt.Sprint("link", n))
	next.AddListener(last)
	for i := n - 1; i > 0; i-- {
		to := next
		next = signals.Topic[int](bus, fmt.Sprint("link", i))
		next.AddListener(func(ctx context.Context, v int) { to.Emit(ctx, v) })
	}
	return next
}

func TestDrainOfABusFollowsChainsAcrossItsSignals(t *testing.T) {
	for range 50 {
		bus := signals.NewBus()
		var got atomic.Int64
		first := chain(bus, 6, func(context.Context, int) { got.Add(1) })
		for i := range 20 {
			first.Emit(t.Context(), i)
		}
		if err := bus.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got.Load() != 20 {
			t.Fatalf("%d of 20 have come to the end of the chain", got.Load())
		}
	}
}

func TestDrainOfABusNamesWhatIsLeftWhenItsContextEnds(t *testing.T) {
	bus := signals.NewBus()
	free := make(chan struct{})
	signals.Topic[int](bus, "idle").AddListener(func(context.Context, int) {})
	stuck := signals.Topic[int](bus, "stuck")
	stuck.AddListener(func(context.Context, int) { <-free })
	stuck.Emit(t.Context(), 1)
	stuck.Emit(t.Context(), 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := bus.Drain(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), `2 of "stuck"`) || strings.Contains(err.Error(), "idle") {
		t.Errorf("got %v", err)
	}
	close(free)
	if err := bus.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDrainOfAnEmptyBusReturnsAtOnceWhateverItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	bus := signals.NewBus()
	signals.Topic[int](bus, "idle")
	var none context.Context
	if err := errors.Join(bus.Drain(ctx), bus.Drain(none), bus.Close(none)); err != nil {
		t.Error(err)
	}
}

func TestCloseOfABusDeliversChainsAndRefusesEmissionsFromOutside(t *testing.T) {
	var refused notes
	bus := signals.NewBus(refused.failures())
	entered, free := make(chan struct{}), make(chan struct{})
	var n notes
	last := signals.Topic[int](bus, "last")
	last.AddListener(n.says("last"))
	first := signals.Topic[int](bus, "first")
	first.AddListener(func(ctx context.Context, v int) {
		close(entered)
		<-free
		if err := last.Offer(ctx, v); err != nil {
			t.Errorf("a listener's own emission was refused: %v", err)
		}
		if err := last.EmitWait(ctx, v+1); err != nil {
			t.Errorf("a listener's own emission was refused: %v", err)
		}
		// A signal that is made only now, inside the chain.
		late := signals.Topic[int](bus, "late")
		late.AddListener(n.says("late"))
		late.Emit(ctx, v+2)
	})
	first.Emit(t.Context(), 1)
	await(t, entered, "the first listener")

	closed := make(chan error, 1)
	go func() { closed <- bus.Close(t.Context()) }()
	for last.Offer(t.Context(), 99) == nil { // until the bus refuses
		if err := last.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	n.take()
	if err := last.Offer(t.Context(), 99); !errors.Is(err, signals.ErrClosed) || !strings.Contains(err.Error(), `"last"`) {
		t.Errorf("an emission from outside: %v", err)
	}
	last.Emit(t.Context(), 99) // does not hang
	close(free)
	if err := await(t, closed, "Close"); err != nil {
		t.Error(err)
	}
	n.expect(t, "last1", "last2", "late3")
	if got := refused.take(); len(got) != 1 || !strings.Contains(got[0], "closed") {
		t.Errorf("refusals reported: %q", got)
	}
	for _, s := range []*signals.AsyncSignal[int]{first, last} {
		if !s.Stats().Closed {
			t.Errorf("%q is not closed", s.Stats().Name)
		}
	}
	if len(bus.Signals()) != 0 {
		t.Errorf("still on the bus: %v", bus.Signals())
	}
}

func TestAnEndlessCycleIsBoundedByTheContextOfClose(t *testing.T) {
	bus := signals.NewBus()
	ping, pong := signals.Topic[int](bus, "ping"), signals.Topic[int](bus, "pong")
	var stop atomic.Bool
	ping.AddListener(func(ctx context.Context, v int) {
		if !stop.Load() {
			pong.Emit(ctx, v+1)
		}
	})
	pong.AddListener(func(ctx context.Context, v int) { ping.Emit(ctx, v+1) })
	ping.Emit(t.Context(), 0)
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		err := bus.Close(ctx)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), ` of "ping"`) && !strings.Contains(err.Error(), ` of "pong"`) {
			t.Fatalf("got %v", err)
		}
	}
	stop.Store(true)
	if err := bus.Close(t.Context()); err != nil { // called again, it waits on
		t.Error(err)
	}
	st := ping.Stats()
	if st.Pending != 0 || st.Deliveries != st.Emissions || !st.Closed {
		t.Errorf("lost at Close: %+v", st)
	}
}

func TestABusCanBeClosedTwiceAndByManyGoroutines(t *testing.T) {
	bus := signals.NewBus()
	var got atomic.Int64
	first := chain(bus, 3, func(context.Context, int) { got.Add(1) })
	for i := range 100 {
		first.Emit(t.Context(), i)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := bus.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if got.Load() != 100 {
				t.Errorf("Close returned with %d of 100 delivered", got.Load())
			}
		})
	}
	wg.Wait()
	if err := bus.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDrainAndCloseOfABusInsideAListenerSayThatTheyWouldDeadlock(t *testing.T) {
	bus, other := signals.NewBus(), signals.NewBus()
	s := signals.NewSharded[int](2, nil, signals.OnBus(bus), signals.Name("s"))
	inner := signals.NewSync[int](signals.OnBus(bus))
	inner.AddListener(func(ctx context.Context, _ int) { // still inside the async one
		for _, err := range []error{bus.Drain(ctx), bus.Close(ctx)} {
			if !errors.Is(err, signals.ErrWouldDeadlock) {
				t.Errorf("got %v", err)
			}
		}
		if err := errors.Join(other.Drain(ctx), other.Close(ctx)); err != nil {
			t.Errorf("another bus: %v", err)
		}
	})
	s.AddListener(func(ctx context.Context, v int) { inner.Emit(ctx, v) })
	for i := range 2 {
		if err := s.EmitWait(t.Context(), i); err != nil {
			t.Error(err) // the first Close has closed nothing
		}
	}
	if inner.Stats().Emissions != 2 {
		t.Error("the listeners did not run")
	}
}

func TestSignalsThatComeToAClosedBusAreClosedAndSyncOnesWork(t *testing.T) {
	bus := signals.NewBus()
	if err := bus.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range []interface {
		Offer(context.Context, int) error
	}{
		signals.Topic[int](bus, "topic"),
		signals.New[int](signals.OnBus(bus)),
		signals.NewSharded[int](2, nil, signals.OnBus(bus)),
	} {
		if err := s.Offer(t.Context(), 1); !errors.Is(err, signals.ErrClosed) {
			t.Errorf("%T: %v", s, err)
		}
	}
	var n notes
	s := signals.NewSync[int](signals.OnBus(bus))
	s.AddListener(n.says("a"))
	s.Emit(t.Context(), 1)
	n.expect(t, "a1")
}

func TestCloseOfABusReleasesAnEmitThatWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := signals.NewBus()
		free := make(chan struct{})
		s := signals.Topic[int](bus, "s", signals.Capacity(1, signals.Block))
		var n notes
		s.AddListener(func(_ context.Context, v int) { n.add("%d", v); <-free })
		s.Emit(t.Context(), 1)
		offered, closed := make(chan error, 1), make(chan error, 1)
		go func() { offered <- s.Offer(t.Context(), 2) }()
		synctest.Wait() // it waits for room
		go func() { closed <- bus.Close(t.Context()) }()
		if err := <-offered; !errors.Is(err, signals.ErrClosed) {
			t.Errorf("the waiting emission: %v", err)
		}
		close(free)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		n.expect(t, "1")
	})
}

func TestStatsOfABusListItsSignalsInOrderOfJoining(t *testing.T) {
	bus := signals.NewBus()
	for _, name := range []string{"c", "a", "b"} {
		signals.Topic[int](bus, name).Emit(t.Context(), 1)
	}
	var names []string
	for _, st := range bus.Stats() {
		names = append(names, st.Name)
		if st.Emissions != 1 || !st.Counted {
			t.Errorf("got %+v", st)
		}
	}
	if !slices.Equal(names, []string{"c", "a", "b"}) {
		t.Errorf("got %v", names)
	}
}

// TestADropObserverMayUseTheSignalAndItsBus: an observer runs while no lock is held, also
// when it is a removal that drops.
func TestADropObserverMayUseTheSignalAndItsBus(t *testing.T) {
	bus := signals.NewBus()
	s := signals.Topic[int](bus, "s")
	entered, free := make(chan struct{}), make(chan struct{})
	var dropped atomic.Int64
	bus.Observe(signals.Observer{Drop: func(_ *signals.ListenerInfo, n int) {
		dropped.Add(int64(n))
		s.HasKey("a")
		s.RemoveListener("b")
		bus.Stats()
		signals.Topic[int](bus, "other")
	}})
	s.AddListener(func(context.Context, int) { close(entered); <-free }, "a")
	s.AddListener(func(context.Context, int) {}, "b")
	for i := range 3 {
		s.Emit(t.Context(), i)
	}
	await(t, entered, "the listener")
	removed := make(chan int, 1)
	go func() { removed <- s.RemoveListener("a") }()
	await(t, removed, "RemoveListener")
	if got := dropped.Load(); got < 2 {
		t.Errorf("%d dropped, want 2 at least", got)
	}
	close(free)
	if err := bus.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

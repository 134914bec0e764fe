package contract_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// hostile is an error whose methods panic on a nil pointer.
type hostile struct{ why error }

func (h *hostile) Error() string        { return h.why.Error() }
func (h *hostile) Unwrap() error        { return h.why }
func (h *hostile) Is(target error) bool { return h.why == target }
func (h *hostile) As(any) bool          { return h.why != nil }

func TestAnErrorWhoseMethodsPanicIsAFailureLikeAnyOther(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		for _, bad := range []error{(*hostile)(nil), fmt.Errorf("wrapped: %w", error((*hostile)(nil)))} {
			s.Subscribe(func(context.Context, int) error { return bad })
			s.Subscribe(func(context.Context, int) error { panic(bad) })
		}
		next := make(chan int, 10)
		s.Subscribe(func(_ context.Context, v int) error { next <- v; return nil })
		before := statsOf(s).Failures
		s.Emit(t.Context(), 1)
		settled(t, s)
		if got := statsOf(s).Failures - before; got != 4 || len(next) != 1 {
			t.Errorf("%d failures, %d calls behind them; want 4 and 1", got, len(next))
		}
	}, signals.Logger(slog.New(slog.NewJSONHandler(new(bytes.Buffer), nil))))
}

func TestAnErrorWhoseErrorMethodPanicsIsNamedByItsType(t *testing.T) {
	var logged bytes.Buffer
	s := signals.NewSync[int](signals.Name("orders"), signals.Logger(slog.New(slog.NewTextHandler(&logged, nil))))
	s.Subscribe(func(context.Context, int) error { return (*hostile)(nil) }, signals.Key("bad"))
	err := s.TryEmit(t.Context(), 1)
	if want := `signals: listener 0 "bad" of "orders" failed: an error of type *contract_test.hostile, whose Error method panics`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	s.Emit(t.Context(), 1)
	if !strings.Contains(logged.String(), "*contract_test.hostile") {
		t.Errorf("logged %s", &logged)
	}
	if st := s.Stats(); st.Failures != 2 {
		t.Errorf("%d failures, want 2", st.Failures)
	}
}

// Signals that live as long as the program, as those of packages do.
var (
	packageAsync = signals.New[int](signals.SlowAfter(time.Minute), signals.Logger(slog.New(slog.DiscardHandler)))
	packageSync  = signals.NewSync[int](signals.SlowAfter(time.Minute), signals.Logger(slog.New(slog.DiscardHandler)))
)

func TestASignalWithSlowAfterMayBeUsedInsideAndOutsideOfBubbles(t *testing.T) {
	use := func(t *testing.T) {
		var a, b atomic.Int32
		one := packageAsync.Subscribe(func(context.Context, int) error { a.Add(1); return nil })
		two := packageSync.Subscribe(func(context.Context, int) error { b.Add(1); return nil })
		for range 3 {
			packageAsync.Emit(context.Background(), 1)
			packageSync.Emit(context.Background(), 1)
		}
		mustDrain(t, packageAsync)
		one.Unsubscribe()
		two.Unsubscribe()
		if a.Load() != 3 || b.Load() != 3 {
			t.Errorf("%d and %d calls, want 3 of each", a.Load(), b.Load())
		}
	}
	for range 2 {
		synctest.Test(t, use)
		use(t)
		// A worker that still looks around would serve the next bubble from outside.
		eventually(t, "the worker has gone", func() bool { return packageAsync.Stats().Workers == 0 })
	}
}

func TestTheSiteOfARegistrationIsTheUsersLineWhateverIsInlined(t *testing.T) {
	s := signals.New[int]()
	s.Emit(t.Context(), 0)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		for range s.Events(ctx) { // inlined
			break
		}
	}()
	eventually(t, "the range has begun", func() bool { return s.Len() == 1 })
	if site := s.Stats().Listeners[0].Site; !strings.HasPrefix(site, "contract/faults_test.go:") {
		t.Errorf("the range is at %s", site)
	}
	if name := s.Stats().Name; !strings.HasPrefix(name, "int@contract/faults_test.go:") {
		t.Errorf("the signal is called %s", name)
	}
	cancel()
	<-done

	var added signals.SyncSignal[int]
	go added.AddListener(ignore[int]) // has no caller: the listener's own place is the next best
	eventually(t, "the listener is added", func() bool { return added.Len() == 1 })
	if site := added.Stats().Listeners[0].Site; !strings.HasPrefix(site, "contract/bench_test.go:") {
		t.Errorf("the listener that a go statement added is at %s", site)
	}
}

func TestObserversComeAndGoBetweenTwoCallsOfABatch(t *testing.T) {
	bus := signals.NewBus()
	s := signals.New[int](signals.OnBus(bus))
	var seen atomic.Int32
	release, stop := make(chan struct{}), func() {}
	s.Subscribe(func(_ context.Context, v int) error {
		switch v {
		case 0:
			<-release
		case 10:
			stop = bus.Observe(signals.Observer{ListenerBegin: func(context.Context, *signals.ListenerInfo) context.Context {
				seen.Add(1)
				return nil
			}})
		case 20:
			stop()
		}
		return nil
	})
	for v := range 100 {
		s.Emit(t.Context(), v)
	}
	close(release)
	settled(t, s)
	if n := seen.Load(); n != 10 {
		t.Errorf("the observer saw %d calls, want 11 to 20", n)
	}
}

func TestAnObserverThatIsStoppedInABatchIsCalledNoMore(t *testing.T) {
	bus := signals.NewBus()
	s := signals.New[int](signals.OnBus(bus))
	var seen, late atomic.Int32
	var stopped atomic.Bool
	stop := bus.Observe(signals.Observer{ListenerBegin: func(context.Context, *signals.ListenerInfo) context.Context {
		seen.Add(1)
		if stopped.Load() {
			late.Add(1)
		}
		return nil
	}})
	release := make(chan struct{})
	s.Subscribe(func(_ context.Context, v int) error {
		if v == 0 {
			<-release
		}
		if v == 10 {
			stop()
			stopped.Store(true)
		}
		return nil
	})
	for v := range 100 {
		s.Emit(t.Context(), v)
	}
	close(release)
	settled(t, s)
	if seen.Load() != 11 || late.Load() != 0 {
		t.Errorf("the observer saw %d calls, %d after stop had returned; want 11 and none", seen.Load(), late.Load())
	}
}

func TestAStuckListenerWithMaxLagHoldsNoMoreThanItsLagAndAChunk(t *testing.T) {
	s := signals.New[*held]()
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.Subscribe(func(context.Context, *held) error {
		once.Do(func() { close(entered); <-release })
		return nil
	}, signals.MaxLag(3, signals.DropOldest))
	s.Subscribe(func(context.Context, *held) error { return nil }, signals.Key("keeps up"))
	var live atomic.Int64
	emit := func() {
		h := new(held)
		live.Add(1)
		runtime.AddCleanup(h, func(struct{}) { live.Add(-1) }, struct{}{})
		s.Emit(t.Context(), h)
	}
	emit()
	<-entered
	for range 40 {
		for range 500 {
			emit()
		}
		eventually(t, "the other has caught up", func() bool { return lagOf(s, "keeps up") == 0 })
	}
	const chunk = 256 // at most so many emissions of this size are in one
	collectUntil(t, "the rest is let go", func() bool { return live.Load() <= 3+1+chunk })
	close(release)
	mustDrain(t, s)
}

type held struct{ _ [64]byte }

func lagOf(s *signals.AsyncSignal[*held], key string) int {
	for _, l := range s.Stats().Listeners {
		if l.Key == key {
			return l.Lag
		}
	}
	return -1
}

func TestAListenerThatIsRemovedBehindALongListenerBeginIsNotCalled(t *testing.T) {
	begun, held := make(chan struct{}), make(chan struct{})
	var ended atomic.Pointer[error]
	s := signals.New[int](signals.Observe(signals.Observer{
		ListenerBegin: func(context.Context, *signals.ListenerInfo) context.Context { close(begun); <-held; return nil },
		ListenerEnd:   func(_ context.Context, _ *signals.ListenerInfo, _ time.Duration, err error) { ended.Store(&err) },
	}))
	called := false
	sub := s.Subscribe(func(context.Context, int) error { called = true; return nil })
	waited := make(chan error, 1)
	go func() { waited <- s.EmitWait(t.Context(), 1) }()
	<-begun
	sub.Unsubscribe()
	close(held)
	if err := <-waited; !errors.Is(err, signals.ErrDropped) {
		t.Errorf("EmitWait: got %v, want ErrDropped", err)
	}
	settled(t, s)
	if st := s.Stats(); called || st.Deliveries != 0 || st.Drops != 1 {
		t.Errorf("called %v, %d deliveries, %d drops; want none, none and 1", called, st.Deliveries, st.Drops)
	}
	if err := ended.Load(); err == nil || !errors.Is(*err, signals.ErrDropped) {
		t.Error("the observer that saw the beginning is not told of the end")
	}
}

// number is the key of a context value.
type number struct{}

func TestConcurrentCallsStartInOrderAlsoBehindAFilterThatTakesItsTime(t *testing.T) {
	const n = 200
	var mu sync.Mutex
	var started []int
	// What a listener sees of its start may be late; an observer sees it in order.
	s := signals.New[int](signals.Observe(signals.Observer{
		ListenerBegin: func(ctx context.Context, _ *signals.ListenerInfo) context.Context {
			mu.Lock()
			defer mu.Unlock()
			started = append(started, ctx.Value(number{}).(int))
			return nil
		},
	}))
	passed := make([]chan struct{}, n)
	for i := range passed {
		passed[i] = make(chan struct{})
	}
	s.Subscribe(nothing, signals.Concurrency(4), signals.Filter(func(v int) bool {
		if v%4 != 3 { // the later ones of each four are through first
			<-passed[v+1]
		}
		close(passed[v])
		return v%7 != 0
	}))
	for v := range n {
		s.Emit(context.WithValue(t.Context(), number{}, v), v)
	}
	mustDrain(t, s)
	if len(started) != n-29 || !slices.IsSorted(started) {
		t.Errorf("%d calls started, in order %v", len(started), slices.IsSorted(started))
	}
}

func TestNoFailureGoesUnheardWhenAGoexitTakesTheCallerAway(t *testing.T) {
	for _, opts := range [][]signals.Option{nil, {signals.Counted()}} {
		var n notes
		all := signals.NewSync[int](append(opts, n.failures())...)
		all.AddListenerWithErr(func(context.Context, int) error { return errNo }, "first")
		all.AddListener(func(context.Context, int) { runtime.Goexit() })
		exits(t, func() { _ = all.TryEmitAll(t.Context(), 1) })
		n.expect(t, "first: no")
		if st := all.Stats(); st.Failures != 1 {
			t.Errorf("TryEmitAll: %d failures, want 1", st.Failures)
		}

		var m notes
		undo := signals.NewSync[int](append(opts, m.failures())...)
		undo.Step(func(context.Context, int) (signals.Undo, error) {
			return func(context.Context) error { runtime.Goexit(); return nil }, nil
		})
		undo.AddListenerWithErr(func(context.Context, int) error { return errNo }, "last")
		exits(t, func() { _ = undo.TryEmit(t.Context(), 1) })
		m.expect(t, "last: no")
		if st := undo.Stats(); st.Failures != 1 {
			t.Errorf("TryEmit: %d failures, want 1", st.Failures)
		}
	}
}

func TestTheLastRefusalsOfABurstAreLoggedASecondLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogged()
		s := signals.New[int](signals.Logger(log.Logger))
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			s.Emit(t.Context(), 1)
		}
		<-time.After(2 * time.Second)
		total := 0
		for _, l := range log.all() {
			n, err := strconv.Atoi(l.attrs["count"])
			if err != nil {
				t.Error(err)
			}
			total += n
		}
		if total != 5 {
			t.Errorf("%d of 5 refusals were logged", total)
		}
	})
}

type closer interface {
	signals.Signal[int]
	Close(context.Context) error
}

func TestASignalThatDrainsAfterItsCloseGaveUpLeavesItsBus(t *testing.T) {
	bus := signals.NewBus()
	for _, build := range []func() closer{
		func() closer { return signals.New[int](signals.OnBus(bus), signals.Name("one")) },
		func() closer {
			return signals.NewSharded(3, func(v int) uint64 { return uint64(v) }, signals.OnBus(bus), signals.Name("sharded"))
		},
	} {
		s := build()
		release := make(chan struct{})
		s.Subscribe(func(context.Context, int) error { <-release; return nil })
		for v := range 3 {
			s.Emit(t.Context(), v)
		}
		if err := s.Close(ended(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if len(bus.Signals()) != 1 {
			t.Error("it has left before it was drained")
		}
		close(release)
		eventually(t, "it leaves the bus", func() bool { return len(bus.Signals()) == 0 })
	}
}

func TestALongContextOfUntilKeepsNoSignalAlive(t *testing.T) {
	long := t.Context() // until the test has ended
	for name, dropped := range map[string]func() *atomic.Bool{
		"async": func() *atomic.Bool {
			s := signals.New[int]()
			s.Subscribe(nothing, signals.Until(long))
			s.Emit(t.Context(), 1)
			mustDrain(t, s)
			return onceCollected(s)
		},
		"sync": func() *atomic.Bool {
			s := signals.NewSync[int]()
			s.Subscribe(nothing, signals.Until(long))
			s.Emit(t.Context(), 1)
			return onceCollected(s)
		},
	} {
		collected := dropped()
		collectUntil(t, name+" is collected", collected.Load)
	}
}

func TestAGoexitInAFilterIsNoDelivery(t *testing.T) {
	s := signals.New[int](signals.OnFailure(func(context.Context, signals.Failure) {}))
	s.Subscribe(nothing, signals.Filter(func(v int) bool {
		if v == 1 {
			runtime.Goexit()
		}
		return true
	}))
	s.Emit(t.Context(), 1)
	s.Emit(t.Context(), 2)
	settled(t, s)
	if st := s.Stats(); st.Deliveries != 1 || st.Failures != 1 {
		t.Errorf("%d deliveries, %d failures; want 1 of each", st.Deliveries, st.Failures)
	}
}

// deadlined has a deadline, and an error, and no channel that tells.
type deadlined struct{ context.Context }

func (deadlined) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }
func (deadlined) Done() <-chan struct{}       { return nil }
func (deadlined) Err() error                  { return context.DeadlineExceeded }

func TestListenersGetNoDeadlineOfAnyContext(t *testing.T) {
	s := signals.New[int]()
	got := make(chan context.Context, 1)
	s.Subscribe(func(ctx context.Context, _ int) error { got <- ctx; return nil })
	s.Emit(deadlined{t.Context()}, 1)
	ctx := <-got
	if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
		t.Errorf("deadline %v, error %v; want none", ok, ctx.Err())
	}
	mustDrain(t, s)
}

func TestAnUndoThatFailsIsCountedWhateverItUndoes(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		for why, last := range map[string]func(context.Context, int) error{
			"error": func(context.Context, int) error { return errNo },
			"panic": func(context.Context, int) error { panic("no") },
		} {
			s := signals.NewSync[int](opts...)
			step := s.Step(func(context.Context, int) (signals.Undo, error) {
				return func(context.Context) error { return errNo }, nil
			})
			s.Subscribe(last)
			if s.TryEmit(t.Context(), 1) == nil {
				t.Error("no error")
			}
			if st := s.Stats(); st.Failures != 2 || step.Stats().Failures != 1 {
				t.Errorf("%s: %d failures, %d of the step; want 2 and 1", why, st.Failures, step.Stats().Failures)
			}
		}
	})
}

func TestAGrowthPolicyIsNotAskedWhatIsMoreThanNothing(t *testing.T) {
	for kind, build := range makers {
		s := build(signals.Growth(func(c int) int { return 2 * c }))
		for range 100 {
			s.Subscribe(nothing)
		}
		if s.Len() != 100 {
			t.Errorf("%s: %d listeners, want 100", kind, s.Len())
		}
	}
}

func TestTheLagInAWarningIsThatOfMaxLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogged()
		s := signals.New[int](signals.SlowAfter(time.Second), signals.Logger(log.Logger))
		s.Subscribe(func(context.Context, int) error { <-time.After(2 * time.Second); return nil },
			signals.MaxLag(3, signals.DropOldest), signals.Until(t.Context()))
		s.Emit(t.Context(), 0)
		synctest.Wait() // in its call
		for v := range 50 {
			s.Emit(t.Context(), v)
		}
		<-time.After(1500 * time.Millisecond)
		lines := log.all()
		if len(lines) != 1 || lines[0].attrs["lag"] != "4" {
			t.Errorf("got %v; want one line with lag 4", lines)
		}
		mustDrain(t, s)
	})
}

func TestPriorityDoesNotStarveTheOthersUnderMaxWorkers(t *testing.T) {
	s := signals.New[int](signals.MaxWorkers(1))
	var low atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	s.Subscribe(func(context.Context, int) error {
		if ctx.Err() == nil {
			s.Emit(ctx, 1) // there is always more for it
		}
		return nil
	}, signals.Priority(10))
	s.Subscribe(func(context.Context, int) error {
		low.Store(true)
		cancel()
		return nil
	}, signals.Priority(-10))
	s.Emit(t.Context(), 1)
	eventually(t, "the listener of lower priority has run", low.Load)
	mustDrain(t, s)
}

func TestTextsReadWell(t *testing.T) {
	bus := signals.NewBus()
	signals.New[int](signals.OnBus(bus), signals.Name("n"))
	mustPanic(t, func() { signals.Topic[string](bus, "n") }, "the bus has an async signal of int by that name")
	s := signals.New[int](signals.Name("orders"))
	release := make(chan struct{})
	s.Subscribe(func(context.Context, int) error { <-release; return nil })
	s.Emit(t.Context(), 1)
	if err := s.Drain(ended(t)); err == nil || !strings.Contains(err.Error(), "context canceled with 1 emission left; in the way: ") {
		t.Errorf("got %v", err)
	}
	close(release)
	mustDrain(t, s)

	var scope signals.Scope
	if err := scope.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TrySubscribe(nothing, signals.In(&scope)); err == nil || !strings.Contains(err.Error(), "a scope is closed") {
		t.Errorf("got %v; want one that names the scope", err)
	}
}

// The counters are striped by the place of the stack, and what is timed is
// decided by the count of a stripe: at no depth may an emission be timed that
// moves another one's count.
func TestOneEmissionOfManyIsTimedAtWhateverDepth(t *testing.T) {
	for _, listeners := range []int{1, 3} {
		s := signals.NewSync[int](signals.Counted())
		for range listeners {
			s.Subscribe(nothing)
		}
		const depths, each = 400, 64
		for depth := range depths {
			emitDeep(s, depth, each)
		}
		const want = depths * each / 64
		if n := s.Stats().Listeners[0].Durations.Count; n < want/2 || n > 2*want+64 {
			t.Errorf("%d listeners: %d of %d emissions were timed, want about %d", listeners, n, depths*each, want)
		}
	}
}

//go:noinline
func emitDeep(s *signals.SyncSignal[int], depth, n int) {
	var frame [64]byte
	if depth > 0 {
		emitDeep(s, depth-1, n)
		runtime.KeepAlive(&frame)
		return
	}
	for range n {
		s.Emit(context.Background(), 1)
	}
}

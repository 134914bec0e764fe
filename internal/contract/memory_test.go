package contract_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"example.com/signals"
)

// onceCollected reports, from some time on, that v has been collected.
func onceCollected[T any](v *T) *atomic.Bool {
	done := new(atomic.Bool)
	runtime.AddCleanup(v, func(done *atomic.Bool) { done.Store(true) }, done)
	return done
}

// collectUntil runs the garbage collector until cond holds.
func collectUntil(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for runtime.GC(); !cond(); runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("not so after %v of collecting garbage: %s", patience, what)
		}
		runtime.Gosched()
	}
}

// parcel is a payload of which a chunk of the log holds the least, 8, and of
// which one can tell whether it is still in memory.
type parcel struct {
	*mark
	_ [500]byte
}

type mark struct {
	n int
	_ [2]*mark // on its own in memory
}

const perChunk = 8

// marks counts those of the marks it made that are in memory.
type marks []weak.Pointer[mark]

func (m *marks) parcel() parcel {
	p := parcel{mark: &mark{n: len(*m)}}
	*m = append(*m, weak.Make(p.mark))
	return p
}

func (m *marks) alive() (n int) {
	for _, w := range *m {
		if w.Value() != nil {
			n++
		}
	}
	return n
}

// expectAlive wants at most so many of them in memory soon.
func (m *marks) expectAlive(t *testing.T, most int, when string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for runtime.GC(); m.alive() > most; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d payloads are in memory %s; want %d at most", m.alive(), len(*m), when, most)
		}
		runtime.Gosched()
	}
}

func (m *marks) emit(t *testing.T, s signals.Signal[parcel], n int) {
	for range n {
		s.Emit(t.Context(), m.parcel())
	}
}

// stuck adds a listener that says when its first call has begun, which ends
// when release is closed.
func stuck(s signals.Source[parcel], opts ...signals.ListenerOption) (sub *signals.Subscription, entered, release chan struct{}) {
	entered, release = make(chan struct{}, 1), make(chan struct{})
	return s.Subscribe(func(context.Context, parcel) error {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-release
		return nil
	}, opts...), entered, release
}

func drained(t *testing.T, s interface{ Drain(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestABurstDoesNotKeepItsPeak(t *testing.T) {
	burst := 1_000_000
	if raceDetector {
		burst /= 10
	}
	s := signals.New[int]()
	release := make(chan struct{})
	var got int
	s.AddListener(func(context.Context, int) { <-release; got++ })
	s.AddListener(func(context.Context, int) {})
	runtime.GC()
	before := heap()
	for n := range burst {
		s.Emit(t.Context(), n)
	}
	if held := heap() - before; held < uint64(8*burst) {
		t.Fatalf("a burst of %d holds %d bytes; the test is wrong", burst, held)
	}
	close(release)
	drained(t, s)
	if got != burst {
		t.Errorf("got %d; want %d", got, burst)
	}
	const most = 1 << 20
	collectUntil(t, fmt.Sprintf("at most %d bytes are held after the burst", most), func() bool {
		now := heap()
		return now < before+most
	})
	runtime.KeepAlive(s)
}

func TestFinishedPayloadsAreNotKeptWhenIdle(t *testing.T) {
	for name, make := range map[string]func() signals.Signal[parcel]{
		"async":    func() signals.Signal[parcel] { return signals.New[parcel]() },
		"capacity": func() signals.Signal[parcel] { return signals.New[parcel](signals.Capacity(5, signals.Block)) },
		"sharded":  func() signals.Signal[parcel] { return signals.NewSharded[parcel](3, nil) },
		"sync":     func() signals.Signal[parcel] { return signals.NewSync[parcel]() },
	} {
		t.Run(name, func(t *testing.T) {
			s := make()
			var calls atomic.Int64
			for i := range 3 {
				s.Subscribe(func(context.Context, parcel) error { calls.Add(1); return nil }, signals.Priority(i))
			}
			s.Subscribe(func(context.Context, parcel) error { calls.Add(1); return nil },
				signals.Filter(func(parcel) bool { return true }))
			var m marks
			for _, n := range []int{1, 3, 8, 100} {
				m.emit(t, s, n)
				if d, ok := s.(interface{ Drain(context.Context) error }); ok {
					drained(t, d)
				}
				m.expectAlive(t, 0, "when all is finished")
			}
			if want := int64(4 * len(m)); calls.Load() != want {
				t.Errorf("%d calls; want %d", calls.Load(), want)
			}
			runtime.KeepAlive(s)
		})
	}
}

func TestPayloadsWithoutListenersAreNotKept(t *testing.T) {
	s := signals.New[parcel]()
	var m marks
	m.emit(t, s, 20)
	m.expectAlive(t, 0, "without listeners")
	runtime.KeepAlive(s)
}

func TestAtMostOneChunkOfFinishedPayloadsIsKeptWhileBusy(t *testing.T) {
	for unfinished := range 2 * perChunk { // wherever in a chunk the stuck call is
		s := signals.New[parcel]()
		var calls atomic.Int64
		for range 3 {
			s.AddListener(func(context.Context, parcel) { calls.Add(1) })
		}
		at := 50 + unfinished
		entered, release := make(chan struct{}), make(chan struct{})
		s.AddListener(func(_ context.Context, p parcel) {
			if calls.Add(1); p.n == at {
				entered <- struct{}{}
				<-release
			}
		})
		var m marks
		m.emit(t, s, at+1)
		await(t, entered, "the listener that blocks")
		m.emit(t, s, unfinished)
		m.expectAlive(t, 1+unfinished+perChunk, "with one call stuck and what follows it unfinished")
		if n := m.alive(); n < 1+unfinished {
			t.Errorf("%d payloads in memory, %d are needed", n, 1+unfinished)
		}
		close(release)
		drained(t, s)
		m.expectAlive(t, 0, "when all is finished")
		if want := int64(4 * len(m)); calls.Load() != want {
			t.Errorf("%d calls; want %d", calls.Load(), want)
		}
	}
}

func TestAStuckListenerWithMaxLagHoldsItsLagAndAChunk(t *testing.T) {
	const lag = 20
	for name, policy := range map[string]signals.LagPolicy{
		"DropOldest": signals.DropOldest, "KeepLatest": signals.KeepLatest,
	} {
		t.Run(name, func(t *testing.T) {
			s := signals.New[parcel]()
			var quick atomic.Int64
			s.AddListener(func(context.Context, parcel) { quick.Add(1) })
			_, entered, release := stuck(s, signals.MaxLag(lag, policy))
			var m marks
			m.emit(t, s, 1)
			await(t, entered, "the stuck listener")
			for range 4 * perChunk { // at every place in a chunk
				m.emit(t, s, 9)
				for int(quick.Load()) < len(m) {
					runtime.Gosched()
				}
				m.expectAlive(t, 1+lag+perChunk, "with one listener stuck")
			}
			close(release)
			drained(t, s)
			m.expectAlive(t, 0, "when all is finished")
			if n := int(quick.Load()); n != len(m) {
				t.Errorf("the quick listener got %d; want %d", n, len(m))
			}
		})
	}
}

func TestAStuckCallOfARemovedListenerHoldsItsOwnPayloadAndAChunk(t *testing.T) {
	s := signals.New[parcel]()
	var calls atomic.Int64
	s.AddListener(func(context.Context, parcel) { calls.Add(1) })
	sub, entered, release := stuck(s)
	var m marks
	m.emit(t, s, 100)
	await(t, entered, "the stuck listener")
	if n := m.alive(); n != len(m) {
		t.Fatalf("%d of %d unfinished payloads are in memory", n, len(m))
	}
	sub.Unsubscribe() // what is pending for it is dropped
	for range 3 * perChunk {
		m.emit(t, s, 7)
		for int(calls.Load()) < len(m) {
			runtime.Gosched()
		}
		m.expectAlive(t, 1+perChunk, "with the call of a removed listener stuck")
	}
	if m[0].Value() == nil {
		t.Error("the payload of the call under way is gone")
	}
	close(release)
	drained(t, s)
	m.expectAlive(t, 0, "when all is finished")
}

// ending is a way to end a registration: run adds a listener to s by add, and
// sees to it that it is removed.
type ending struct {
	name string
	run  func(t *testing.T, s signals.Signal[int], add adder)
}

type adder func(...signals.ListenerOption) *signals.Subscription

var endings = []ending{
	{"Unsubscribe at the end", func(t *testing.T, s signals.Signal[int], add adder) {
		others(s, 3)
		sub := add()
		used(t, s)
		sub.Unsubscribe()
	}},
	{"Unsubscribe in the middle", func(t *testing.T, s signals.Signal[int], add adder) {
		others(s, 2)
		sub := add()
		others(s, 2)
		used(t, s)
		sub.Unsubscribe()
	}},
	{"Unsubscribe of the only one", func(t *testing.T, s signals.Signal[int], add adder) {
		sub := add()
		used(t, s)
		sub.Unsubscribe()
	}},
	{"Unsubscribe before any emission", func(_ *testing.T, _ signals.Signal[int], add adder) {
		add().Unsubscribe()
	}},
	{"RemoveListener", func(t *testing.T, s signals.Signal[int], add adder) {
		others(s, 2)
		add(signals.Key("it"), signals.Priority(3))
		used(t, s)
		if n := s.RemoveListener("it"); n != 2 {
			t.Errorf("%d listeners left; want 2", n)
		}
	}},
	{"Once", func(t *testing.T, s signals.Signal[int], add adder) {
		others(s, 1)
		add(signals.Once())
		others(s, 1)
		used(t, s)
	}},
	{"Reset", func(t *testing.T, s signals.Signal[int], add adder) {
		others(s, 2)
		add(signals.Filter(func(int) bool { return true }))
		used(t, s)
		s.Reset()
	}},
	{"Until", func(t *testing.T, s signals.Signal[int], add adder) {
		ctx, cancel := context.WithCancel(t.Context())
		others(s, 1)
		add(signals.Until(ctx))
		used(t, s)
		cancel()
		for s.Len() > 1 {
			runtime.Gosched()
		}
	}},
	{"Unsubscribe before Until", func(t *testing.T, s signals.Signal[int], add adder) {
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel) // after the test has looked
		sub := add(signals.Until(ctx))
		used(t, s)
		sub.Unsubscribe()
	}},
	{"Scope", func(t *testing.T, s signals.Signal[int], add adder) {
		var scope signals.Scope
		t.Cleanup(func() { scope.Len() })
		others(s, 2)
		add(signals.In(&scope))
		used(t, s)
		if err := scope.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}},
	{"Unsubscribe in a scope that stays", func(t *testing.T, s signals.Signal[int], add adder) {
		var scope signals.Scope
		t.Cleanup(func() { scope.Len() })
		sub := add(signals.In(&scope))
		used(t, s)
		sub.Unsubscribe()
	}},
}

func others(s signals.Signal[int], n int) {
	for range n {
		s.AddListener(func(context.Context, int) {})
	}
}

// used emits, and waits until all is done.
func used(t *testing.T, s signals.Signal[int]) {
	t.Helper()
	for n := range 4 {
		s.Emit(t.Context(), n)
	}
	if d, ok := s.(interface{ Drain(context.Context) error }); ok {
		drained(t, d)
	}
}

func TestARemovedListenerIsNotKept(t *testing.T) {
	for kind, make := range map[string]func() signals.Signal[int]{
		"sync":    func() signals.Signal[int] { return signals.NewSync[int]() },
		"async":   func() signals.Signal[int] { return signals.New[int]() },
		"sharded": func() signals.Signal[int] { return signals.NewSharded[int](2, nil) },
		"on a bus": func() signals.Signal[int] {
			return signals.New[int](signals.OnBus(signals.NewBus(signals.MaxWorkers(2))))
		},
	} {
		for _, way := range endings {
			t.Run(kind+"/"+way.name, func(t *testing.T) {
				s := make()
				var sub *signals.Subscription // it, too, outlives the listener
				var collected *atomic.Bool
				way.run(t, s, func(opts ...signals.ListenerOption) *signals.Subscription {
					held := &mark{}
					collected = onceCollected(held)
					sub = s.Subscribe(func(context.Context, int) error { runtime.KeepAlive(held); return nil }, opts...)
					return sub
				})
				collectUntil(t, "what the removed listener holds is collected", collected.Load)
				runtime.KeepAlive(s)
				runtime.KeepAlive(sub)
			})
		}
	}
}

func TestAListenerRemovedInACallIsKeptUntilItReturns(t *testing.T) {
	s := signals.New[int]()
	others(s, 2)
	entered, release := make(chan struct{}), make(chan struct{})
	held := &mark{}
	collected := onceCollected(held)
	sub := s.Subscribe(func(context.Context, int) error {
		close(entered)
		<-release
		held.n++
		return nil
	})
	s.Emit(t.Context(), 1)
	await(t, entered, "the listener")
	sub.Unsubscribe()
	close(release)
	if err := sub.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	held = nil
	collectUntil(t, "what the removed listener holds is collected", collected.Load)
	runtime.KeepAlive(s)
	runtime.KeepAlive(sub)
}

func TestAnEventsLoopThatEndedIsNotKept(t *testing.T) {
	s := signals.New[int]()
	others(s, 1)
	collected := func() *atomic.Bool {
		held := &mark{}
		go func() {
			for s.Len() < 2 {
				runtime.Gosched()
			}
			s.Emit(t.Context(), 1)
		}()
		for n := range s.Events(t.Context()) {
			held.n += n
			break
		}
		return onceCollected(held)
	}()
	drained(t, s)
	collectUntil(t, "what the body of the loop holds is collected", collected.Load)
	runtime.KeepAlive(s)
}

func TestASignalThatIsNeverClosedIsCollected(t *testing.T) {
	collected := func() *atomic.Bool {
		s := signals.New[int]()
		others(s, 3)
		used(t, s)
		return onceCollected(s)
	}()
	collectUntil(t, "the signal is collected", collected.Load)
}

func TestASignalThatHasNotEmittedHasNoChunk(t *testing.T) {
	const n = 200
	all := make([]*signals.AsyncSignal[int64], n)
	allocated := func(do func(i int)) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range all {
			do(i)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / n
	}
	made := allocated(func(i int) {
		all[i] = signals.New[int64]()
		all[i].AddListener(func(context.Context, int64) {})
	})
	if made >= 4000 {
		t.Errorf("a signal with a listener takes %d bytes; a chunk takes about 4096", made)
	}
	emitted := allocated(func(i int) { all[i].Emit(t.Context(), 1) })
	if emitted < 4000 {
		t.Errorf("the first emission takes %d bytes; a chunk takes about 4096: the test is wrong", emitted)
	}
	for _, s := range all {
		drained(t, s)
	}
}

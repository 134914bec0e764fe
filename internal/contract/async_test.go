package contract_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// door is a listener whose calls tell in that they have begun, and then wait
// until somebody lets them out.
type door struct {
	in  chan int
	out chan struct{}
}

func newDoor() *door { return &door{make(chan int, 1000), make(chan struct{})} }

func (d *door) pass(_ context.Context, v int) error {
	d.in <- v
	<-d.out
	return nil
}

// open lets all calls out, and those that come later.
func (d *door) open() { close(d.out) }

// drainable is what has something to wait for.
type drainable interface{ Drain(context.Context) error }

func mustDrain(t *testing.T, s drainable) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestEmitReturnsWhileAListenerStillRuns(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		d := newDoor()
		s := signals.New[int](opts...)
		s.Subscribe(d.pass)
		for i := range 1000 { // more than a chunk
			s.Emit(t.Context(), i)
		}
		if n := s.Pending(); n != 1000 {
			t.Errorf("%d emissions are pending, want 1000", n)
		}
		d.open()
		mustDrain(t, s)
		if n := s.Pending(); n != 0 {
			t.Errorf("%d emissions are pending after Drain", n)
		}
	})
}

func TestAnEmissionGoesToThoseWhoListenedWhenItWasAccepted(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		d := newDoor()
		s := signals.New[int](opts...)
		s.AddListener(func(ctx context.Context, v int) { _ = d.pass(ctx, v); n.add("a%d", v) })
		s.Emit(t.Context(), 1)
		s.Emit(t.Context(), 2)
		s.AddListener(n.says("b"))
		s.Emit(t.Context(), 3)
		await(t, d.in, "the first call")
		if err := s.EmitWait(ended(t), 4); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		d.open()
		mustDrain(t, s)
		got := n.take()
		slices.Sort(got)
		if want := []string{"a1", "a2", "a3", "a4", "b3", "b4"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// ended returns a context that has ended.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestAnEmissionThatNobodyListensToIsAcceptedAndNotStored(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.New[int](append(opts, signals.Capacity(1, signals.Reject))...)
		s.Emit(t.Context(), 1)
		if err := errors.Join(s.Offer(t.Context(), 2), s.EmitWait(t.Context(), 3)); err != nil {
			t.Error(err)
		}
		if st := s.Stats(); st.Pending != 0 || st.Emissions != 3 || st.Refusals != 0 {
			t.Errorf("got %+v", st)
		}
		var n notes
		s.AddListener(n.says("late"))
		if err := s.EmitWait(t.Context(), 4); err != nil {
			t.Error(err)
		}
		n.expect(t, "late4")
	})
}

// TestOrderIsTheSameForEveryListenerWithoutLocks has listeners that write to
// variables of their own without any lock: the race detector says if one call
// does not happen before the next, or Drain returns before them.
func TestOrderIsTheSameForEveryListenerWithoutLocks(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		const emitters, each = 4, 500
		type event struct{ from, n int }
		s := signals.New[event](opts...)
		var got [4][]event
		for i := range got {
			s.AddListener(func(_ context.Context, e event) {
				got[i] = append(got[i], e)
				if i%2 == 1 && e.n%50 == 0 {
					runtime.Gosched()
				}
			})
		}
		var wg sync.WaitGroup
		for from := range emitters {
			wg.Go(func() {
				for n := range each {
					s.Emit(t.Context(), event{from, n})
				}
			})
		}
		wg.Wait()
		mustDrain(t, s)
		if len(got[0]) != emitters*each {
			t.Fatalf("%d deliveries, want %d", len(got[0]), emitters*each)
		}
		next := [emitters]int{}
		for _, e := range got[0] {
			if e.n != next[e.from] {
				t.Fatalf("emitter %d: got %d, want %d", e.from, e.n, next[e.from])
			}
			next[e.from]++
		}
		for i := range got {
			if !slices.Equal(got[i], got[0]) {
				t.Errorf("listener %d saw another order than listener 0", i)
			}
		}
	})
}

func TestEmitHappensBeforeItsDeliveries(t *testing.T) {
	s := signals.New[*int]()
	sum := 0
	s.AddListener(func(_ context.Context, p *int) { sum += *p })
	for i := range 100 {
		v := new(int)
		*v = i // unguarded, as is sum
		s.Emit(t.Context(), v)
	}
	mustDrain(t, s)
	if sum != 4950 {
		t.Errorf("got %d", sum)
	}
}

func TestCallsOfAListenerNeverOverlap(t *testing.T) {
	s := signals.New[int]()
	running, calls := atomic.Int32{}, 0
	s.AddListener(func(context.Context, int) {
		if n := running.Add(1); n != 1 {
			t.Errorf("%d calls at once", n)
		}
		runtime.Gosched()
		calls++
		running.Add(-1)
	})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				s.Emit(t.Context(), i)
			}
		})
	}
	wg.Wait()
	mustDrain(t, s)
	if calls != 400 {
		t.Errorf("%d calls, want 400", calls)
	}
}

func TestConcurrencyRunsNCallsAtOnceAndStartsThemInOrder(t *testing.T) {
	for _, opts := range [][]signals.Option{nil, {signals.Counted()}, {signals.Capacity(100, signals.Block)}} {
		synctest.Test(t, func(t *testing.T) {
			d := newDoor()
			s := signals.New[int](opts...)
			s.Subscribe(d.pass, signals.Concurrency(3))
			for i := range 10 {
				s.Emit(t.Context(), i)
			}
			begun := func() (vs []int) {
				synctest.Wait() // all that can run has run
				for len(d.in) > 0 {
					vs = append(vs, <-d.in)
				}
				slices.Sort(vs)
				return vs
			}
			if got := begun(); !slices.Equal(got, []int{0, 1, 2}) {
				t.Fatalf("began with %v, want 0, 1 and 2 at once", got)
			}
			if st := s.Stats().Listeners[0]; st.InFlight != 3 || st.Lag != 10 {
				t.Errorf("in flight %d, lag %d; want 3 and 10", st.InFlight, st.Lag)
			}
			for i := 3; i < 10; i++ {
				d.out <- struct{}{} // one call ends
				if got := begun(); !slices.Equal(got, []int{i}) {
					t.Fatalf("then began %v, want %d", got, i)
				}
			}
			d.open()
			mustDrain(t, s)
		})
	}
}

func TestListenersGetTheValuesOfAContextAndNeverItsEnd(t *testing.T) {
	type key struct{}
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		d := newDoor()
		s := signals.New[int](opts...)
		s.AddListener(func(ctx context.Context, v int) {
			_ = d.pass(ctx, v)
			_, deadline := ctx.Deadline()
			if ctx.Err() != nil || ctx.Done() != nil || deadline {
				t.Errorf("the context of %d ends: err %v, deadline %v", v, ctx.Err(), deadline)
			}
			if ctx.Value(key{}) != "v" {
				t.Errorf("the value is %v", ctx.Value(key{}))
			}
		})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), time.Hour)
		s.Emit(ctx, 1)
		if err := s.Offer(ctx, 2); err != nil {
			t.Error(err)
		}
		await(t, d.in, "the first call")
		cancel() // the request has ended
		s.Emit(ctx, 3)
		if err := s.Offer(ctx, 4); err != nil {
			t.Error(err)
		}
		d.open()
		mustDrain(t, s)
		if st := s.Stats(); st.Deliveries != 4 {
			t.Errorf("%d deliveries, want 4", st.Deliveries)
		}
	})
}

func TestAListenerMayKeepItsContext(t *testing.T) {
	type key struct{}
	s := signals.New[int]()
	var kept []context.Context
	s.AddListener(func(ctx context.Context, _ int) { kept = append(kept, ctx) })
	for i := range 2000 { // many chunks, all recycled on the way
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, i))
		s.Emit(ctx, i)
		cancel()
		if i%100 == 0 {
			mustDrain(t, s)
		}
	}
	mustDrain(t, s)
	for i, ctx := range kept {
		if ctx.Value(key{}) != i || ctx.Err() != nil {
			t.Fatalf("the context of emission %d: value %v, err %v", i, ctx.Value(key{}), ctx.Err())
		}
	}
}

func TestANilContextIsBackgroundForAsyncSignals(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.New[int](append(opts, signals.Capacity(10, signals.Block))...)
		calls := 0
		sub := s.Subscribe(func(ctx context.Context, _ int) error {
			calls++
			if ctx != context.Background() {
				t.Errorf("got %v", ctx)
			}
			return nil
		})
		var none context.Context
		s.Emit(none, 1)
		err := errors.Join(s.Offer(none, 2), s.EmitWait(none, 3), s.Drain(none), sub.Wait(none), s.Close(none))
		if err != nil || calls != 3 {
			t.Errorf("%d calls, want 3; error %v", calls, err)
		}
	})
}

func TestTheZeroAsyncSignalIsReady(t *testing.T) {
	first := map[string]func(*signals.AsyncSignal[int]) error{
		"Emit":     func(s *signals.AsyncSignal[int]) error { s.Emit(t.Context(), 1); return nil },
		"Offer":    func(s *signals.AsyncSignal[int]) error { return s.Offer(t.Context(), 1) },
		"EmitWait": func(s *signals.AsyncSignal[int]) error { return s.EmitWait(t.Context(), 1) },
		"Drain":    func(s *signals.AsyncSignal[int]) error { return s.Drain(t.Context()) },
		"Close":    func(s *signals.AsyncSignal[int]) error { return s.Close(t.Context()) },
		"Pending": func(s *signals.AsyncSignal[int]) error {
			if s.Pending() != 0 || s.Stats().Emissions != 0 || s.Len() != 0 || s.HasKey("a") || s.RemoveListener("a") != -1 {
				return errors.New("it is not empty")
			}
			s.Reset()
			return nil
		},
	}
	for name, use := range first {
		t.Run(name, func(t *testing.T) {
			var s signals.AsyncSignal[int]
			if err := use(&s); err != nil {
				t.Fatal(err)
			}
			mustPanic(t, func() { s.Init(signals.Name("late")) }, "Init", "int", "first use")
			if name == "Close" {
				return
			}
			calls := 0
			s.AddListener(func(context.Context, int) { calls++ })
			if err := s.EmitWait(t.Context(), 2); err != nil || calls != 1 {
				t.Errorf("%d calls, want 1; error %v", calls, err)
			}
			if got := s.Stats().Name; !strings.HasPrefix(got, "int@") || !strings.Contains(got, "async_test.go:") {
				t.Errorf("it is called %q", got)
			}
		})
	}
}

func TestManyGoroutinesMayUseAZeroAsyncSignalFirst(t *testing.T) {
	for range 20 {
		var s signals.AsyncSignal[int]
		var calls atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s.AddListener(func(context.Context, int) { calls.Add(1) })
				s.Emit(t.Context(), 1)
			})
		}
		wg.Wait()
		mustDrain(t, &s)
		if st := s.Stats(); st.Emissions != 4 || s.Len() != 4 || calls.Load() < 4 {
			t.Fatalf("%d calls, %+v", calls.Load(), st)
		}
	}
}

func TestInitGivesOptionsToAnAsyncSignalHeldByValue(t *testing.T) {
	var held struct {
		Orders signals.AsyncSignal[int]
	}
	if s := held.Orders.Init(signals.Name("orders"), signals.Capacity(1, signals.Reject)); s != &held.Orders {
		t.Error("Init returned another signal")
	}
	d := newDoor()
	held.Orders.Subscribe(d.pass)
	held.Orders.Emit(t.Context(), 1)
	err := held.Orders.Offer(t.Context(), 2)
	if !errors.Is(err, signals.ErrOverflow) || !strings.Contains(err.Error(), `"orders"`) {
		t.Errorf("got %v", err)
	}
	d.open()
	mustDrain(t, &held.Orders)
	mustPanic(t, func() { held.Orders.Init(signals.Counted()) }, `Init of "orders"`, "first use")
}

func TestRegistrationOnAnAsyncSignal(t *testing.T) {
	s := signals.New[int](signals.Name("orders"))
	ok := func(context.Context, int) error { return nil }
	if n := s.AddListener(func(context.Context, int) {}, "a"); n != 1 {
		t.Errorf("AddListener returned %d, want 1", n)
	}
	if n := s.AddListenerWithErr(ok, "b"); n != 2 {
		t.Errorf("AddListenerWithErr returned %d, want 2", n)
	}
	if s.AddListener(func(context.Context, int) {}, "a") != -1 || s.AddListenerWithErr(ok, "a") != -1 || s.Len() != 2 {
		t.Error("a taken key was added")
	}
	if sub, err := s.TrySubscribe(ok, signals.Key("a")); sub != nil || !errors.Is(err, signals.ErrKeyTaken) {
		t.Errorf("TrySubscribe returned %v, %v", sub, err)
	}
	mustPanic(t, func() { s.Subscribe(ok, signals.Key("a")) }, `"orders"`, `"a"`, "taken")
	mustPanic(t, func() { s.Subscribe(nil) }, "Subscribe", `"orders"`, "nil")
	mustPanic(t, func() { s.AddListener(nil) }, "AddListener", `"orders"`, "nil")
	mustPanic(t, func() { s.AddListener(func(context.Context, int) {}, "c", "d") }, "AddListener", `"orders"`, "keys")
	s.Subscribe(ok, signals.Key("first"), signals.Priority(1))
	if keys := s.Keys(); !slices.Equal(keys, []string{"first", "a", "b"}) {
		t.Errorf("Keys: %v", keys)
	}
	if n := s.RemoveListener("a"); n != 2 {
		t.Errorf("RemoveListener returned %d, want 2", n)
	}
	if s.RemoveListener("a") != -1 || s.RemoveListener("") != -1 || s.HasKey("a") || !s.HasKey("b") {
		t.Error("a is still there, or b is not")
	}
}

func TestStatsOfAnAsyncSignalAndItsListeners(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		d := newDoor()
		s := signals.New[int](append(opts, signals.Name("orders"), signals.Capacity(7, signals.Reject),
			signals.OnFailure(func(context.Context, signals.Failure) {}))...)
		quick := s.Subscribe(func(_ context.Context, v int) error {
			if v == 2 {
				panic("two")
			}
			if v == 3 {
				return errNo
			}
			return nil
		}, signals.Key("quick"), signals.Priority(1))
		stuck := s.Subscribe(d.pass, signals.Key("stuck"))
		lossy := s.Subscribe(d.pass, signals.Key("lossy"), signals.MaxLag(2, signals.DropOldest))
		s.Emit(t.Context(), 0)
		for range 2 { // both are at 0
			await(t, d.in, "a call")
		}
		for i := 1; i < 10; i++ { // 7, 8 and 9 are refused
			s.Emit(t.Context(), i)
		}
		for quick.Stats().Lag > 0 {
			runtime.Gosched()
		}
		st := s.Stats()
		if st.Name != "orders" || st.Kind != signals.KindAsync || st.Payload != "int" || st.Counted != (len(opts) > 0) {
			t.Errorf("described as %+v, counted: %v", st.SignalInfo, st.Counted)
		}
		if st.Emissions != 7 || st.Refusals != 3 || st.Pending != 7 || st.Deliveries != 7 || st.Failures != 2 ||
			st.Panics != 1 || st.Drops != 4 || st.Workers < 2 || st.Closed {
			t.Errorf("got %+v", st)
		}
		if len(st.Listeners) != 3 || st.Listeners[0].Key != "quick" {
			t.Fatalf("listeners: %+v", st.Listeners)
		}
		for _, c := range []struct {
			of                                    *signals.Subscription
			deliveries, failures, drops, lag, now int
		}{{quick, 7, 2, 0, 0, 0}, {stuck, 0, 0, 0, 7, 1}, {lossy, 0, 0, 4, 3, 1}} {
			l := c.of.Stats()
			if l.Deliveries != uint64(c.deliveries) || l.Failures != uint64(c.failures) || l.Drops != uint64(c.drops) ||
				l.Lag != c.lag || l.InFlight != c.now {
				t.Errorf("got %+v, want %+v", l, c)
			}
			if !strings.Contains(l.Site, "async_test.go:") || l.Listener == "" {
				t.Errorf("%s: listener %q registered at %q", l.Key, l.Listener, l.Site)
			}
		}
		d.open()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		st = s.Stats()
		if st.Pending != 0 || st.Deliveries != 17 || st.Drops != 4 || !st.Closed {
			t.Errorf("after Close: %+v", st)
		}
		if l := stuck.Stats(); l.Deliveries != 7 || l.Lag != 0 || l.InFlight != 0 {
			t.Errorf("after Close: %+v", l)
		}
		stuck.Unsubscribe()
		if l := stuck.Stats(); l.Deliveries != 7 || l.Key != "stuck" {
			t.Errorf("after its removal: %+v", l)
		}
	})
}

// A channel, which Chan makes, takes no more by value.
func TestAPayloadMayHaveAlmost64KB(t *testing.T) {
	type page [1<<16 - 1]byte
	s := signals.New[page]()
	var got byte
	s.AddListener(func(_ context.Context, p page) { got = p[len(p)-1] })
	var p page
	p[len(p)-1] = 7
	s.Emit(t.Context(), p)
	settled(t, s)
	if got != 7 {
		t.Errorf("got %d", got)
	}
}

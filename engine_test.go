package signals_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"example.com/signals"
)

// What EmitWait has seen finished is finished for everybody.
func TestWhenEmitWaitReturnsThereIsRoomAgain(t *testing.T) {
	s := signals.New[int](signals.Capacity(1, signals.Reject))
	for range 4 {
		s.AddListener(func(context.Context, int) {})
	}
	for i := range 5000 {
		if err := s.EmitWait(t.Context(), i); err != nil {
			t.Fatalf("emission %d: %v", i, err)
		}
	}
}

func TestWhenEmitWaitReturnsNothingOfItIsPending(t *testing.T) {
	s := signals.New[int]()
	s.AddListener(func(context.Context, int) {})
	for i := range 2000 {
		for range i % 3 { // alone, and behind others
			s.Emit(t.Context(), i)
		}
		if err := s.EmitWait(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.Pending != 0 || st.Deliveries != st.Emissions {
			t.Fatalf("emission %d: %d pending, %d of %d delivered", i, st.Pending, st.Deliveries, st.Emissions)
		}
	}
}

func TestAListenerRemovedWhileItsFilterRunsIsNotCalled(t *testing.T) {
	for kind, build := range makers {
		s, ok := build().(asynchronous[int])
		if !ok {
			continue // a sync emission under way may still call it
		}
		entered, release := make(chan struct{}), make(chan struct{})
		sub := s.Subscribe(func(context.Context, int) error {
			t.Errorf("%s: called after its removal", kind)
			return nil
		}, signals.Filter(func(int) bool { close(entered); <-release; return true }))
		done := make(chan error, 1)
		go func() { done <- s.EmitWait(context.Background(), 1) }()
		await(t, entered, "the filter")
		sub.Unsubscribe()
		close(release)
		if err := await(t, done, "EmitWait"); !errors.Is(err, signals.ErrDropped) {
			t.Errorf("%s: EmitWait: %v, want ErrDropped", kind, err)
		}
		if st := sub.Stats(); st.Drops != 1 || st.Deliveries != 0 {
			t.Errorf("%s: %d drops, %d deliveries; want 1 and 0", kind, st.Drops, st.Deliveries)
		}
	}
}

func TestARangeRemovedWhileItsFilterRunsEndsWithoutItsBody(t *testing.T) {
	s := signals.New[int]()
	entered, release := make(chan struct{}), make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range s.Events(context.Background(), signals.Key("loop"),
			signals.Filter(func(int) bool { close(entered); <-release; return true })) {
			t.Error("the body ran after the removal")
		}
	}()
	for s.IsEmpty() {
		runtime.Gosched()
	}
	s.Emit(t.Context(), 1)
	await(t, entered, "the filter")
	s.RemoveListener("loop")
	close(release)
	await(t, ended, "the range")
	if n := s.Stats().Drops; n != 1 {
		t.Errorf("%d drops; want 1", n)
	}
}

func TestAListenerWhoseContextEndsWhileItsFilterRunsIsNotCalled(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		ctx, cancel := context.WithCancel(t.Context())
		s.Subscribe(func(context.Context, int) error {
			t.Error("called after its context had ended")
			return nil
		}, signals.Until(ctx), signals.Filter(func(int) bool { cancel(); return true }))
		s.Emit(t.Context(), 1)
		settled(t, s)
	})
}

func TestWhatAOnceListenerIsTooLateForIsDropped(t *testing.T) {
	s := signals.New[int]()
	var both sync.WaitGroup
	both.Add(2)
	s.Subscribe(nothing, signals.Once(), signals.Concurrency(2),
		signals.Filter(func(int) bool { both.Done(); both.Wait(); return true }))
	s.Emit(t.Context(), 1)
	s.Emit(t.Context(), 2)
	settled(t, s)
	if st := s.Stats(); st.Deliveries != 1 || st.Drops != 1 {
		t.Errorf("%d deliveries, %d drops; want 1 of each", st.Deliveries, st.Drops)
	}
}

// nosy is a context that does something when it is asked for Done: for Until
// that is once the listener is in the list, before Subscribe has returned.
type nosy struct {
	context.Context
	asked func()
}

func (c nosy) Done() <-chan struct{} {
	c.asked()
	return c.Context.Done()
}

func TestAListenerInAClosedScopeIsNeverCalledNotEvenWhileItIsRegistered(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		var scope signals.Scope
		if err := scope.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx := nosy{t.Context(), func() { s.Emit(t.Context(), 1); settled(t, s) }}
		s.Subscribe(func(context.Context, int) error {
			t.Error("called")
			return nil
		}, signals.In(&scope), signals.Until(ctx))
		s.Emit(t.Context(), 2)
		settled(t, s)
	})
}

func TestAScopeForgetsAListenerThatIsRemovedWhileItIsRegistered(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		var scope signals.Scope
		ctx := nosy{t.Context(), func() { s.RemoveListener("guest") }}
		s.Subscribe(nothing, signals.In(&scope), signals.Key("guest"), signals.Until(ctx))
		if n := scope.Len(); n != 0 {
			t.Errorf("%d registrations in the scope; want none", n)
		}
	})
}

func TestAScopeClosedWhileAListenerIsRegisteredKeepsItOut(t *testing.T) {
	var scope *signals.Scope
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		scope = new(signals.Scope)
		s.Subscribe(nothing) // there is room for one
		if _, err := s.TrySubscribe(nothing, signals.In(scope)); !errors.Is(err, signals.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
		if n, in := s.Len(), scope.Len(); n != 1 || in != 0 {
			t.Errorf("%d listeners, %d in the scope; want 1 and none", n, in)
		}
	}, signals.InitialCapacity(1), signals.Growth(func(n int) int {
		if err := scope.Close(context.Background()); err != nil {
			t.Error(err)
		}
		return n + 1
	}))
}

func TestCloseOfAScopeWaitsForACallWhoseListenerIsBeingRemoved(t *testing.T) {
	dropping, held := make(chan struct{}), make(chan struct{})
	s := signals.New[int](signals.Observe(signals.Observer{
		Drop: func(*signals.ListenerInfo, int) { close(dropping); <-held }, // in the middle of the removal
	}))
	var scope signals.Scope
	entered, release := make(chan struct{}), make(chan struct{})
	sub := s.Subscribe(func(context.Context, int) error { close(entered); <-release; return nil }, signals.In(&scope))
	s.Emit(t.Context(), 1)
	s.Emit(t.Context(), 2)
	await(t, entered, "the call")
	removed := make(chan struct{})
	go func() { sub.Unsubscribe(); close(removed) }()
	await(t, dropping, "the removal")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := scope.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close with a call in flight: %v, want context.Canceled", err)
	}
	close(release)
	if err := scope.Close(t.Context()); err != nil {
		t.Error(err)
	}
	close(held)
	await(t, removed, "Unsubscribe")
}

// asked is a context that does something when it is asked for Err.
type asked struct {
	context.Context
	by func()
}

func (c asked) Err() error {
	c.by()
	return c.Context.Err()
}

func TestNoLockIsHeldWhileTheContextOfAnEmissionIsAsked(t *testing.T) {
	s := signals.New[int](signals.Capacity(1, signals.Block))
	release := make(chan struct{})
	s.AddListener(func(context.Context, int) { <-release })
	s.Emit(t.Context(), 1)
	soon, end := context.WithCancel(t.Context())
	defer end()
	for name, ctx := range map[string]context.Context{"before it waits": ended(t), "while it waits": soon} {
		waits := make(chan struct{}, 10)
		done := make(chan error, 1)
		go func() { done <- s.Offer(asked{ctx, func() { waits <- struct{}{}; s.Pending() }}, 2) }()
		await(t, waits, "Err")
		if ctx == soon {
			end()
		}
		if err := await(t, done, "Offer"); !errors.Is(err, context.Canceled) {
			t.Errorf("its context ends %s: %v, want context.Canceled", name, err)
		}
	}
	close(release)
	settled(t, s)
}

// An emission from outside that is about to wait when its bus begins to close.
func TestABusThatBeginsToCloseRefusesAnEmissionThatIsAboutToWait(t *testing.T) {
	bus := signals.NewBus()
	s := signals.Topic[int](bus, "orders", signals.Capacity(1, signals.Block))
	release, closed := make(chan struct{}), make(chan error, 1)
	s.AddListener(func(context.Context, int) { <-release })
	s.Emit(t.Context(), 1)
	var once sync.Once
	ctx := asked{t.Context(), func() {
		once.Do(func() {
			go func() { closed <- bus.Close(context.Background()) }()
			for !errors.Is(s.Offer(ended(t), 2), signals.ErrClosed) {
				runtime.Gosched()
			}
		})
	}}
	done := make(chan error, 1)
	go func() { done <- s.Offer(ctx, 3) }()
	if err := await(t, done, "Offer"); !errors.Is(err, signals.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	close(release)
	if err := await(t, closed, "Close"); err != nil {
		t.Error(err)
	}
}

func TestARangeWithABacklogStartsNoWorkers(t *testing.T) {
	s := signals.New[int]()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int)
	go func() {
		n := 0
		for v := range s.Events(ctx) {
			if v == 0 {
				for i := range 100 {
					s.Emit(ctx, i+1)
				}
				for s.Stats().Workers > 0 { // the one that woke the loop
					runtime.Gosched()
				}
			}
			n += s.Stats().Workers
			if v == 100 {
				break
			}
		}
		ended <- n
	}()
	for s.IsEmpty() {
		runtime.Gosched()
	}
	s.Emit(ctx, 0)
	if n := await(t, ended, "the range"); n != 0 {
		t.Errorf("%d workers were seen; want none", n)
	}
	settled(t, s)
}

// The clock of a synctest bubble stands in the year 2000.
func TestARefusalIsLoggedAlsoIfTheClockIsBehindTheLastOne(t *testing.T) {
	log := newLogged()
	s := signals.New[int](signals.Logger(log.Logger))
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Emit(t.Context(), 1)
	synctest.Test(t, func(t *testing.T) { s.Emit(t.Context(), 2) })
	if n := len(log.all()); n != 2 {
		t.Errorf("%d lines; want 2", n)
	}
}

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

func TestCloseOfAScopeRemovesItsRegistrationsOnEverySignalAndNoOther(t *testing.T) {
	var scope signals.Scope
	var n notes
	sync := signals.NewSync[int]()
	async := signals.New[string]()
	sharded := signals.NewSharded[int](2, nil)
	in := signals.In(&scope)
	sync.Subscribe(n.fails("plugin", nil), in)
	sync.Step(n.step("step", nil), in)
	sync.AddListener(n.says("host"))
	async.Subscribe(func(_ context.Context, s string) error { n.add("plugin %s", s); return nil }, in)
	async.AddListener(func(_ context.Context, s string) { n.add("host %s", s) })
	sharded.Subscribe(nothing, in, signals.Key("plugin"))
	if scope.Len() != 4 {
		t.Errorf("%d registrations, want 4", scope.Len())
	}
	if err := scope.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if scope.Len() != 0 || sync.Len() != 1 || async.Len() != 1 || sharded.Len() != 0 || sharded.HasKey("plugin") {
		t.Errorf("left: %d in the scope, %d, %d and %d listeners", scope.Len(), sync.Len(), async.Len(), sharded.Len())
	}
	sync.Emit(t.Context(), 1)
	async.Emit(t.Context(), "a")
	settled(t, async)
	n.expect(t, "host1", "host a")
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: still waiting after %v", what, patience)
		}
	}
}

func TestARegistrationThatEndsEarlyLeavesItsScope(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		var scope signals.Scope
		ctx, cancel := context.WithCancel(t.Context())
		in := signals.In(&scope)
		sub := s.Subscribe(nothing, in)
		s.Subscribe(nothing, in, signals.Key("key"))
		s.Subscribe(nothing, in, signals.Once())
		s.Subscribe(nothing, in, signals.Until(ctx))
		want := func(n int) {
			t.Helper()
			if scope.Len() != n || s.Len() != n {
				t.Fatalf("%d in the scope, %d on the signal, want %d", scope.Len(), s.Len(), n)
			}
		}
		want(4)
		sub.Unsubscribe()
		sub.Unsubscribe()
		want(3)
		s.RemoveListener("key")
		want(2)
		s.Emit(t.Context(), 1)
		settled(t, s)
		want(1)
		cancel()
		eventually(t, "the end of Until", func() bool { return s.Len() == 0 && scope.Len() == 0 })
		s.Subscribe(nothing, in)
		s.Reset()
		want(0)
	})
}

func TestCloseOfAScopeWaitsForTheCallsUnderWay(t *testing.T) {
	for name, s := range map[string]signals.Signal[int]{"async": signals.New[int](), "sharded": signals.NewSharded[int](2, nil)} {
		var scope signals.Scope
		entered, free := make(chan struct{}), make(chan struct{})
		var finished atomic.Bool
		s.Subscribe(func(context.Context, int) error {
			close(entered)
			<-free
			finished.Store(true)
			return nil
		}, signals.In(&scope))
		s.Emit(t.Context(), 1)
		await(t, entered, name)

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := scope.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want the end of the context", name, err)
		}
		if s.Len() != 0 || scope.Len() != 0 {
			t.Errorf("%s: the listener is still registered", name)
		}
		closed := make(chan error)
		for range 2 {
			go func() {
				err := scope.Close(t.Context()) // again, to wait on
				if !finished.Load() {
					err = errors.New("Close did not wait for the call")
				}
				closed <- err
			}()
		}
		close(free)
		for range 2 {
			if err := await(t, closed, "Close"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A listener that was removed by other means while its call was under way is
// waited for all the same: what it uses may be torn down after Close.
func TestCloseOfAScopeWaitsForAListenerRemovedBefore(t *testing.T) {
	var scope signals.Scope
	s := signals.New[int]()
	entered, free := make(chan struct{}), make(chan struct{})
	var finished atomic.Bool
	sub := s.Subscribe(func(context.Context, int) error {
		close(entered)
		<-free
		finished.Store(true)
		return nil
	}, signals.In(&scope))
	s.Emit(t.Context(), 1)
	await(t, entered, "the listener")
	sub.Unsubscribe()
	s.Subscribe(nothing, signals.In(&scope)).Unsubscribe() // which forgets those that are through, only
	closed := make(chan error, 1)
	go func() {
		err := scope.Close(t.Context())
		if !finished.Load() {
			err = errors.New("Close did not wait for the call")
		}
		closed <- err
	}()
	close(free)
	if err := await(t, closed, "Close"); err != nil {
		t.Error(err)
	}
}

func TestAClosedScopeTakesNoRegistrations(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		var scope signals.Scope
		if err := scope.Close(t.Context()); err != nil {
			t.Error(err)
		}
		sub := s.Subscribe(func(context.Context, int) error { t.Error("called"); return nil }, signals.In(&scope), signals.Key("a"))
		if sub == nil || sub.Key() != "a" {
			t.Errorf("got %v", sub)
		}
		s.Emit(t.Context(), 1)
		settled(t, s)
		sub.Unsubscribe()
		none, err := s.TrySubscribe(nothing, signals.In(&scope), signals.Key("a"))
		wantError(t, err, signals.ErrClosed, `signals: a scope is closed; listener of "orders": signal is closed`)
		if none != nil || s.Len() != 0 || scope.Len() != 0 || s.HasKey("a") {
			t.Errorf("%v; %d listeners, %d in the scope", none, s.Len(), scope.Len())
		}
	}, signals.Name("orders"))
}

func TestCloseOfAScopeInsideItsListenerRemovesAllAndSaysThatItWouldDeadlock(t *testing.T) {
	var scope signals.Scope
	s, other := signals.New[int](), signals.NewSync[int]()
	result := make(chan error, 1)
	s.Subscribe(func(ctx context.Context, _ int) error {
		result <- scope.Close(ctx)
		return nil
	}, signals.In(&scope))
	other.Subscribe(nothing, signals.In(&scope))
	s.Emit(t.Context(), 1)
	if err := await(t, result, "Close"); !errors.Is(err, signals.ErrWouldDeadlock) {
		t.Errorf("got %v", err)
	}
	if s.Len()+other.Len()+scope.Len() != 0 {
		t.Error("listeners are left")
	}
	if err := scope.Close(t.Context()); err != nil { // outside it waits
		t.Error(err)
	}
}

func TestAScopeCanBeClosedInsideASyncListener(t *testing.T) {
	var scope signals.Scope
	var n notes
	s := signals.NewSync[int]()
	s.Subscribe(func(ctx context.Context, _ int) error { n.add("%v", scope.Close(ctx)); return nil }, signals.In(&scope))
	s.Emit(t.Context(), 1)
	s.Emit(t.Context(), 2)
	n.expect(t, "<nil>")
}

func TestRegistrationsThatRaceWithCloseOfTheirScopeAreRemovedOrRefused(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		for round := range 50 {
			var scope signals.Scope
			var wg sync.WaitGroup
			for g := range 4 {
				wg.Go(func() {
					for i := range 5 {
						_, err := s.TrySubscribe(nothing, signals.In(&scope), signals.Key(fmt.Sprint(g, "-", i)))
						if err != nil && !errors.Is(err, signals.ErrClosed) {
							t.Error(err)
						}
					}
				})
			}
			wg.Go(func() {
				if err := scope.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
			s.Emit(t.Context(), round)
			wg.Wait()
			if s.Len() != 0 || scope.Len() != 0 {
				t.Fatalf("round %d: %d listeners, %d in the scope", round, s.Len(), scope.Len())
			}
		}
	})
}

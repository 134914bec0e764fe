package signals_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"weak"

	"example.com/signals"
)

func TestGrowthIsAskedOnlyWhenTheListIsFull(t *testing.T) {
	for kind, build := range makers {
		var asked []int
		s := build(signals.Growth(func(c int) int { asked = append(asked, c); return c + 5 }))
		for range 16 {
			s.Subscribe(nothing)
		}
		if want := []int{7, 12}; !slices.Equal(asked, want) {
			t.Errorf("%s: asked for %v, want %v", kind, asked, want)
		}
		asked = nil
		s = build(signals.InitialCapacity(10), signals.Growth(func(c int) int { asked = append(asked, c); return 100 }))
		for range 11 {
			s.Subscribe(nothing)
		}
		if want := []int{10}; !slices.Equal(asked, want) {
			t.Errorf("%s: with InitialCapacity(10) asked for %v, want %v", kind, asked, want)
		}
	}
}

func TestAGrowthThatReturnsTooLittlePanicsAndTheSignalGoesOn(t *testing.T) {
	for _, build := range makers {
		next := 2
		s := build(signals.Name("orders"), signals.InitialCapacity(2), signals.Growth(func(int) int { return next }))
		s.Subscribe(nothing)
		s.Subscribe(nothing, signals.Key("b"))
		for _, next = range []int{2, 1, 0, -1} {
			mustPanic(t, func() { s.Subscribe(nothing, signals.Key("c")) }, `the Growth policy of "orders" returned`, "for 2", "more")
		}
		if s.Len() != 2 || s.HasKey("c") {
			t.Errorf("%d listeners, keys %q", s.Len(), s.Keys())
		}
		next = 3
		if s.Subscribe(nothing, signals.Key("c")); s.Len() != 3 {
			t.Errorf("%d listeners, want 3", s.Len())
		}
	}
}

func TestAPanicInGrowthReachesTheCallerAndTheSignalGoesOn(t *testing.T) {
	for _, build := range makers {
		fail := true
		s := build(signals.InitialCapacity(1), signals.Growth(func(c int) int {
			if fail {
				panic("signals: test: no memory")
			}
			return c + 1
		}))
		s.AddListenerWithErr(nothing, "first")
		mustPanic(t, func() { s.AddListenerWithErr(nothing, "a") }, "no memory")
		fail = false
		if n := s.AddListenerWithErr(nothing, "a"); n != 2 {
			t.Errorf("got %d, want 2", n)
		}
	}
}

func TestGrowthMayUseTheSignal(t *testing.T) {
	for kind, build := range makers {
		var s signals.Signal[int]
		var n notes
		reentered := false
		s = build(signals.InitialCapacity(1), signals.Growth(func(c int) int {
			s.Emit(t.Context(), s.Len())
			s.RemoveListener("first")
			if !reentered {
				reentered = true
				s.AddListener(func(context.Context, int) {}, "inner")
				s.AddListener(func(context.Context, int) {}, "first")
			}
			return c + 1
		}))
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, key := range []string{"a", "b", "c"} {
				s.AddListener(n.says(key), key)
			}
		}()
		await(t, done, "registration")
		if keys := s.Keys(); !slices.Equal(keys, []string{"a", "inner", "b", "c"}) {
			t.Errorf("%s: keys %q", kind, keys)
		}
	}
}

func TestRegistrationsOfManyGoroutinesAllCountThoughTheListGrowsBetween(t *testing.T) {
	for kind, build := range makers {
		s := build(signals.Growth(func(c int) int { runtime.Gosched(); return c + 1 }))
		lengths := make(chan int, 400)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 50 {
					lengths <- s.AddListenerWithErr(nothing)
				}
			})
		}
		wg.Wait()
		close(lengths)
		var got []int
		for n := range lengths {
			got = append(got, n)
		}
		slices.Sort(got)
		for i, n := range got {
			if n != i+1 {
				t.Fatalf("%s: the lengths returned are not 1 to 400: %v", kind, got)
			}
		}
		if s.Len() != 400 {
			t.Errorf("%s: %d listeners, want 400", kind, s.Len())
		}
	}
}

// hog is something large that a listener holds.
type hog struct {
	_    [1 << 12]byte
	self *hog
}

func TestARemovedListenerIsNotKeptWhoeverHoldsItsSubscription(t *testing.T) {
	removals := map[string]func(s signals.Signal[int], sub *signals.Subscription, scope *signals.Scope, end func()){
		"Unsubscribe": func(_ signals.Signal[int], sub *signals.Subscription, _ *signals.Scope, _ func()) { sub.Unsubscribe() },
		"RemoveListener": func(s signals.Signal[int], _ *signals.Subscription, _ *signals.Scope, _ func()) {
			s.RemoveListener("it")
		},
		"Reset": func(s signals.Signal[int], _ *signals.Subscription, _ *signals.Scope, _ func()) { s.Reset() },
		"Scope.Close": func(_ signals.Signal[int], _ *signals.Subscription, scope *signals.Scope, _ func()) {
			_ = scope.Close(t.Context())
		},
		"Until": func(_ signals.Signal[int], _ *signals.Subscription, _ *signals.Scope, end func()) { end() },
		"Once": func(s signals.Signal[int], _ *signals.Subscription, _ *signals.Scope, _ func()) {
			s.Emit(t.Context(), 1)
		},
	}
	for name, remove := range removals {
		everyKind(t, func(t *testing.T, s signals.Signal[int]) {
			var scope signals.Scope
			ctx, end := context.WithCancel(t.Context())
			defer end()
			opts := []signals.ListenerOption{signals.Key("it"), signals.In(&scope), signals.Until(ctx)}
			if name == "Once" {
				opts = append(opts, signals.Once())
			}
			s.Subscribe(nothing)
			sub, held := subscribeHog(s, opts)
			s.Subscribe(nothing)
			remove(s, sub, &scope, end)
			eventually(t, name+": what the listener held is still there", func() bool {
				runtime.GC()
				return held.Value() == nil && !s.HasKey("it")
			})
			runtime.KeepAlive(sub)
			runtime.KeepAlive(s)
		})
	}
}

// subscribeHog registers a listener that holds a hog.
func subscribeHog(s signals.Signal[int], opts []signals.ListenerOption) (*signals.Subscription, weak.Pointer[hog]) {
	h := new(hog)
	h.self = h
	sub := s.Subscribe(func(context.Context, int) error { runtime.KeepAlive(h.self); return nil }, opts...)
	return sub, weak.Make(h)
}

package contract_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/signals"
)

func TestASyncListenerThatIsCalledOnceIsRemovedBeforeItsCall(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](opts...)
		s.Subscribe(func(ctx context.Context, v int) error {
			n.add("once%d of %d", v, s.Len())
			s.Emit(ctx, v+1) // does not come back here
			return nil
		}, signals.Once(), signals.Key("once"))
		s.AddListener(n.says("always"))
		s.Emit(t.Context(), 1)
		s.Emit(t.Context(), 5)
		n.expect(t, "once1 of 1", "always2", "always1", "always5")
		if s.HasKey("once") {
			t.Error("the key is still taken")
		}
	})
}

// Sync signals take Once listeners out of their list in bunches. Nobody may see
// that: whoever looks, adds, removes or emits finds them gone.
func TestManyOnceListenersAreGoneOneByOne(t *testing.T) {
	const all = 700
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for look, does := range map[string]func(t *testing.T, s *signals.SyncSignal[int], i, left int){
		"nobody looks": func(*testing.T, *signals.SyncSignal[int], int, int) {},
		"Len": func(t *testing.T, s *signals.SyncSignal[int], i, left int) {
			if n := s.Len(); n != left {
				t.Fatalf("in call %d: Len is %d, want %d", i, n, left)
			}
		},
		"Keys, Stats": func(t *testing.T, s *signals.SyncSignal[int], i, left int) {
			if k, l := len(s.Keys()), len(s.Stats().Listeners); k != left || l != left {
				t.Fatalf("in call %d: %d keys, %d listeners in Stats, want %d", i, k, l, left)
			}
		},
		"the same key": func(t *testing.T, s *signals.SyncSignal[int], i, left int) {
			key := strconv.Itoa(i)
			if n := s.AddListener(func(context.Context, int) {}, key); n != left+1 || s.RemoveListener(key) != left {
				t.Fatalf("in call %d: AddListener said %d, want %d", i, n, left+1)
			}
		},
		"removal": func(t *testing.T, s *signals.SyncSignal[int], i, _ int) {
			if s.RemoveListener(strconv.Itoa(i)) != -1 {
				t.Fatalf("in call %d: it was still there", i)
			}
		},
		"an emission": func(t *testing.T, s *signals.SyncSignal[int], i, left int) {
			if err := s.TryEmit(gone, -1); (err == nil) != (left == 0) {
				t.Fatalf("in call %d, with %d listeners left: TryEmit with an ended context returned %v", i, left, err)
			}
		},
	} {
		t.Run(look, func(t *testing.T) {
			s := signals.NewSync[int]()
			calls := 0
			for i := range all {
				s.Subscribe(func(_ context.Context, v int) error {
					calls++
					if i%7 == 0 || i >= all-3 { // bunches of several sizes, the last one not full
						does(t, s, i, all-1-i)
					}
					return nil
				}, signals.Once(), signals.Key(strconv.Itoa(i)))
			}
			s.Emit(t.Context(), 1)
			s.Emit(t.Context(), 2)
			if calls != all || s.Len() != 0 || s.HasKey("0") {
				t.Errorf("%d calls of %d, %d listeners left", calls, all, s.Len())
			}
		})
	}
}

func TestOnceCallsOnceWhicheverGoroutineEmits(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		const listeners, emitters = 20, 8
		var calls [listeners]atomic.Int64
		for i := range listeners {
			s.Subscribe(func(context.Context, int) error { calls[i].Add(1); return nil }, signals.Once())
		}
		var wg sync.WaitGroup
		for range emitters {
			wg.Go(func() {
				for v := range 10 {
					s.Emit(t.Context(), v)
				}
			})
		}
		wg.Wait()
		settled(t, s)
		for i := range calls {
			if got := calls[i].Load(); got != 1 {
				t.Errorf("listener %d was called %d times", i, got)
			}
		}
		if s.Len() != 0 {
			t.Errorf("%d listeners are left", s.Len())
		}
	})
}

func TestOnceWaitsForTheFirstPayloadThatPassesEveryFilter(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		var got []int
		s.Subscribe(func(_ context.Context, v int) error { got = append(got, v); return nil }, signals.Once(),
			signals.Filter(func(v int) bool { return v%2 == 0 }), signals.Filter(func(v int) bool { return v > 2 }))
		for v := range 9 {
			s.Emit(t.Context(), v)
			settled(t, s)
			if left := s.Len(); (v < 4) != (left == 1) {
				t.Errorf("after %d there are %d listeners", v, left)
			}
		}
		if !slices.Equal(got, []int{4}) {
			t.Errorf("got %v, want 4", got)
		}
	})
}

func TestAPanicInAFilterIsAFailureOfItsListenerAlone(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](append(opts, n.failures(), signals.Name("s"))...)
		s.Subscribe(n.fails("a", nil), signals.Key("a"), signals.Once(), signals.Filter(func(v int) bool {
			if v == 1 {
				panic(errNo)
			}
			return true
		}))
		s.AddListener(n.says("b"))
		s.Emit(t.Context(), 1)
		n.expect(t, "a: panic: no", "b1")
		wantError(t, s.TryEmit(t.Context(), 1), errNo, `signals: listener 0 "a" of "s" failed: panic: no`)
		n.expect(t) // TryEmit has stopped
		s.Emit(t.Context(), 2)
		n.expect(t, "a2", "b2") // it was not yet the one call
		if got := s.Stats(); got.Failures != 2 || got.Panics != 2 {
			t.Errorf("%d failures and %d panics, want 2 of each", got.Failures, got.Panics)
		}
	})
}

func TestUntilEndsARegistrationAlsoWithinAnEmission(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](opts...)
		ctx, cancel := context.WithCancel(t.Context())
		s.AddListener(func(_ context.Context, v int) {
			if v == 2 {
				cancel()
			}
		})
		s.Subscribe(n.fails("a", nil), signals.Until(ctx), signals.Until(t.Context()), signals.Key("a"))
		for v := range 4 {
			s.Emit(t.Context(), v)
		}
		n.expect(t, "a0", "a1")
		eventually(t, "the removal", func() bool { return !s.HasKey("a") })
	})
}

func TestUntilAnEndedContextIsNeverCalled(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		sub := s.Subscribe(func(context.Context, int) error { t.Error("called"); return nil }, signals.Until(ended(t)))
		s.Emit(t.Context(), 1)
		settled(t, s)
		eventually(t, "the removal", func() bool { return s.Len() == 0 })
		sub.Unsubscribe()
	})
}

// slowToArm is a context whose AfterFunc returns when told to.
type slowToArm struct {
	context.Context
	arming  func()
	stopped atomic.Bool
}

func (c *slowToArm) Done() <-chan struct{} { return make(chan struct{}) }

func (c *slowToArm) AfterFunc(func()) func() bool {
	c.arming()
	return func() bool { return c.stopped.CompareAndSwap(false, true) }
}

func TestUntilLeavesNothingArmedOnceTheRegistrationHasEnded(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		lasting := &slowToArm{Context: t.Context(), arming: func() {}}
		sub := s.Subscribe(nothing, signals.Until(lasting))
		if lasting.stopped.Load() {
			t.Error("disarmed while the listener is registered")
		}
		sub.Unsubscribe()
		if !lasting.stopped.Load() {
			t.Error("still armed after Unsubscribe")
		}
		// Also if it is over before the second context is armed.
		late := &slowToArm{Context: t.Context(), arming: func() {
			eventually(t, "the end of the first context", func() bool { return s.Len() == 0 })
		}}
		s.Subscribe(nothing, signals.Until(ended(t)), signals.Until(late))
		eventually(t, "disarming", late.stopped.Load)
	})
}

func TestWaitIsForAsyncListeners(t *testing.T) {
	s := signals.NewSync[int](signals.Name("orders"))
	sub := s.Subscribe(nothing)
	wantError(t, sub.Wait(t.Context()), errors.ErrUnsupported, `signals: wait for a listener of "orders": unsupported operation`)
}

func TestOneFunctionRegisteredTwiceIsTwoListeners(t *testing.T) {
	everyKind(t, func(t *testing.T, s signals.Signal[int]) {
		var calls atomic.Int64
		fn := func(context.Context, int) error { calls.Add(1); return nil }
		one, two := s.Subscribe(fn), s.Subscribe(fn)
		one.Unsubscribe()
		one.Unsubscribe()
		s.Emit(t.Context(), 1)
		settled(t, s)
		if calls.Load() != 1 || s.Len() != 1 {
			t.Errorf("%d calls, %d listeners, want 1 of each", calls.Load(), s.Len())
		}
		two.Unsubscribe()
		if s.Len() != 0 {
			t.Errorf("%d listeners are left", s.Len())
		}
	})
}

func TestWhatATapMissesWhenItEndsIsNoDrop(t *testing.T) {
	bus := signals.NewBus()
	var told atomic.Int64
	bus.Observe(signals.Observer{Drop: func(_ *signals.ListenerInfo, n int) { told.Add(int64(n)) }})
	s := signals.Topic[int](bus, "orders")
	s.Subscribe(nothing)
	entered, free := make(chan struct{}, 10), make(chan struct{})
	tap := bus.Tap(func(context.Context, string, any) { entered <- struct{}{}; <-free })
	for v := range 5 {
		s.Emit(t.Context(), v)
	}
	await(t, entered, "the tap")
	tap.Unsubscribe()
	close(free)
	if err := errors.Join(tap.Wait(t.Context()), s.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.Drops != 0 || told.Load() != 0 || len(entered) != 0 {
		t.Errorf("%d drops counted, %d told, %d more calls", st.Drops, told.Load(), len(entered))
	}
}

package contract_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"

	"example.com/signals"
)

func TestAListenerMayEmitOnItsOwnSignal(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.New[int](opts...)
		last := make(chan int, 1)
		var got []int
		s.AddListener(func(ctx context.Context, v int) {
			got = append(got, v)
			if v == 300 {
				last <- v
				return
			}
			if v%2 == 0 {
				s.Emit(ctx, v+1)
			} else if err := s.Offer(ctx, v+1); err != nil {
				t.Error(err)
			}
			if got[len(got)-1] != v {
				t.Error("a call has begun within a call")
			}
		})
		s.Emit(t.Context(), 0)
		await(t, last, "the last of a chain")
		mustDrain(t, s)
		if len(got) != 301 || !slices.IsSorted(got) {
			t.Errorf("got %v", got)
		}
	})
}

func TestBoundedSignalsMayEmitIntoEachOtherFromTheirListeners(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		opts = append(opts, signals.Capacity(1, signals.Block))
		ping, pong := signals.New[int](opts...), signals.New[int](opts...)
		last := make(chan int, 1)
		ping.AddListener(func(ctx context.Context, v int) {
			if v >= 0 {
				ping.Emit(ctx, -1) // full: this very call is pending
				pong.Emit(ctx, -1)
				pong.Emit(ctx, v)
			}
		})
		pong.AddListener(func(ctx context.Context, v int) {
			switch {
			case v > 0:
				ping.Emit(ctx, v-1)
			case v == 0:
				last <- v
			}
		})
		ping.Emit(t.Context(), 50)
		await(t, last, "the last return")
		mustDrain(t, ping)
		mustDrain(t, pong)
		if n := ping.Stats().OverCapacity; n < 51 {
			t.Errorf("%d emissions above the bound were counted, want 51 or more", n)
		}
	})
}

func TestAListenerMayAddAndRemoveListenersAndReset(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.New[int](opts...)
		wait := func(v int) {
			t.Helper()
			if err := s.EmitWait(t.Context(), v); err != nil {
				t.Error(err)
			}
		}
		var self *signals.Subscription
		self = s.Subscribe(func(_ context.Context, v int) error {
			n.add("self%d", v)
			s.AddListener(n.says("b"), "b")
			if !s.HasKey("b") || s.AddListener(n.says("b"), "b") != -1 {
				t.Error("b is not there")
			}
			self.Unsubscribe()
			return nil
		})
		wait(1)
		n.expect(t, "self1")
		wait(2)
		n.expect(t, "b2")
		s.AddListener(func(_ context.Context, v int) {
			n.add("c%d", v)
			if left := s.RemoveListener("c"); left != 0 {
				t.Errorf("%d left, want 0", left)
			}
			s.AddListener(func(_ context.Context, v int) { n.add("d%d", v); s.Reset() }, "d")
		}, "c")
		s.RemoveListener("b")
		wait(3)
		n.expect(t, "c3")
		wait(4)
		n.expect(t, "d4")
		wait(5)
		n.expect(t)
		if !s.IsEmpty() {
			t.Errorf("left: %v", s.Keys())
		}
	})
}

func TestListenersComeAndGoWhileOthersEmit(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		const goroutines, rounds = 4, 200
		s := signals.New[int](opts...)
		always := 0
		s.AddListener(func(context.Context, int) { always++ }, "always")
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for i := range rounds {
					s.Emit(t.Context(), i)
				}
			})
			wg.Go(func() {
				for i := range rounds {
					var last int // of one listener, without a lock
					sub := s.Subscribe(func(context.Context, int) error { last++; return nil },
						signals.Priority(i%3), signals.Concurrency(1))
					if i%3 == 0 {
						runtime.Gosched()
					}
					sub.Unsubscribe()
					if err := sub.Wait(t.Context()); err != nil {
						t.Error(err)
					}
					if st := sub.Stats(); uint64(last) != st.Deliveries || st.Lag != 0 || st.InFlight != 0 {
						t.Errorf("%d calls, but %+v", last, st)
					}
				}
			})
		}
		wg.Wait()
		mustDrain(t, s)
		if always != goroutines*rounds {
			t.Errorf("the listener that was always there got %d of %d", always, goroutines*rounds)
		}
		if keys := s.Keys(); s.Len() != 1 || !slices.Equal(keys, []string{"always"}) {
			t.Errorf("%d listeners are left, keys %v", s.Len(), keys)
		}
	})
}

package contract_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"example.com/signals"
)

// removals are the ways of removing a listener: what the registration needs
// for it, and then the removal. That of Until is over when all is at rest.
var removals = map[string]func(*testing.T, *signals.AsyncSignal[int]) ([]signals.ListenerOption, func(*signals.Subscription)){
	"Unsubscribe": func(*testing.T, *signals.AsyncSignal[int]) ([]signals.ListenerOption, func(*signals.Subscription)) {
		return nil, (*signals.Subscription).Unsubscribe
	},
	"RemoveListener": func(t *testing.T, s *signals.AsyncSignal[int]) ([]signals.ListenerOption, func(*signals.Subscription)) {
		return []signals.ListenerOption{signals.Key("it")}, func(sub *signals.Subscription) {
			if s.RemoveListener(sub.Key()) < 0 {
				t.Error("it was not there")
			}
		}
	},
	"Reset": func(_ *testing.T, s *signals.AsyncSignal[int]) ([]signals.ListenerOption, func(*signals.Subscription)) {
		return nil, func(*signals.Subscription) { s.Reset() }
	},
	"Scope": func(t *testing.T, _ *signals.AsyncSignal[int]) ([]signals.ListenerOption, func(*signals.Subscription)) {
		var scope signals.Scope
		ctx := ended(t) // it removes all the same, and does not wait
		return []signals.ListenerOption{signals.In(&scope)}, func(*signals.Subscription) { _ = scope.Close(ctx) }
	},
	"Until": func(t *testing.T, _ *signals.AsyncSignal[int]) ([]signals.ListenerOption, func(*signals.Subscription)) {
		ctx, cancel := context.WithCancel(t.Context())
		return []signals.ListenerOption{signals.Until(ctx)}, func(*signals.Subscription) { cancel() }
	},
}

func TestWhatIsPendingForARemovedListenerIsDroppedAndFinished(t *testing.T) {
	for way, prepare := range removals {
		for name, c := range map[string]struct {
			opts   []signals.Option
			lo     []signals.ListenerOption
			flight int // calls in flight at the removal
		}{
			"plain":       {flight: 1},
			"capacity":    {opts: []signals.Option{signals.Capacity(1000, signals.Block)}, flight: 1},
			"counted":     {opts: []signals.Option{signals.Counted()}, flight: 1},
			"maxlag":      {lo: []signals.ListenerOption{signals.MaxLag(1000, signals.DropOldest)}, flight: 1},
			"concurrency": {lo: []signals.ListenerOption{signals.Concurrency(3)}, flight: 3},
			"filter":      {lo: []signals.ListenerOption{signals.Filter(func(int) bool { return true })}, flight: 1},
		} {
			t.Run(way+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDoor()
					s := signals.New[int](c.opts...)
					lo, remove := prepare(t, s)
					sub := s.Subscribe(d.pass, append(lo, c.lo...)...)
					for v := range 500 { // more than a chunk
						s.Emit(t.Context(), v)
					}
					drained, waited := make(chan error, 1), make(chan error, 1)
					go func() { waited <- s.EmitWait(t.Context(), 500) }()
					synctest.Wait()
					go func() { drained <- s.Drain(t.Context()) }()
					synctest.Wait()

					remove(sub)
					synctest.Wait()
					// Only the calls in flight are left, and hold up Drain alone.
					if n := s.Pending(); n != c.flight {
						t.Errorf("%d pending after the removal, want %d", n, c.flight)
					}
					if len(waited) != 1 || len(drained) != 0 {
						t.Fatalf("EmitWait returned: %v, Drain: %v; want true, false", len(waited) == 1, len(drained) == 1)
					}
					if err := <-waited; !errors.Is(err, signals.ErrDropped) {
						t.Errorf("EmitWait: %v", err)
					}
					st := sub.Stats()
					if st.Drops != uint64(501-c.flight) || st.InFlight != c.flight || st.Lag != 0 {
						t.Errorf("got %+v", st)
					}
					s.Emit(t.Context(), 501)
					d.open()
					synctest.Wait()
					if len(drained) != 1 || <-drained != nil {
						t.Error("Drain has not returned nil")
					}
					if n := len(d.in); n != c.flight {
						t.Errorf("%d calls, want %d", n, c.flight)
					}
					if st := s.Stats(); st.Pending != 0 || st.Deliveries != uint64(c.flight) || st.Drops != uint64(501-c.flight) || len(st.Listeners) != 0 {
						t.Errorf("got %+v", st)
					}
				})
			})
		}
	}
}

// TestNoCallStartsOnceAListenerIsRemoved removes while others emit. What the
// listener reads is written, without a lock, when the call in flight has ended.
func TestNoCallStartsOnceAListenerIsRemoved(t *testing.T) {
	for way, prepare := range removals {
		for _, conc := range []int{1, 3} {
			t.Run(fmt.Sprint(way, conc), func(t *testing.T) {
				s := signals.New[int]()
				stop := make(chan struct{})
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						for i := 0; ; i++ {
							select {
							case <-stop:
								return
							default:
								s.Emit(t.Context(), i)
								if i%64 == 0 {
									mustDrain(t, s)
								}
							}
						}
					})
				}
				for range 30 {
					removed := false
					begun := make(chan int, 1)
					lo, remove := prepare(t, s)
					sub := s.Subscribe(func(_ context.Context, v int) error {
						if removed {
							t.Error("called after its removal")
						}
						select {
						case begun <- v:
						default:
						}
						return nil
					}, append(lo, signals.Concurrency(conc))...)
					await(t, begun, "a call")
					remove(sub)
					for way == "Until" && !s.IsEmpty() {
						runtime.Gosched()
					}
					if err := sub.Wait(t.Context()); err != nil {
						t.Error(err)
					}
					removed = true
				}
				close(stop)
				wg.Wait()
				mustDrain(t, s)
			})
		}
	}
}

// The chunk of a call in flight leaves the log while the call runs.
func TestACallInFlightKeepsItsEmissionWhole(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		d := newDoor()
		s := signals.New[int](append(opts, signals.OnFailure(func(context.Context, signals.Failure) {}))...)
		sub := s.Subscribe(func(ctx context.Context, v int) error { _ = d.pass(ctx, v); return errNo })
		s.AddListener(func(context.Context, int) {})
		waited := make(chan error, 1)
		go func() { waited <- s.EmitWait(t.Context(), 7) }()
		await(t, d.in, "the call")
		for i := range 2000 {
			s.Emit(t.Context(), i)
		}
		sub.Unsubscribe()
		for i := range 2000 {
			s.Emit(t.Context(), i)
		}
		d.open()
		if err := await(t, waited, "EmitWait"); !errors.Is(err, errNo) {
			t.Errorf("got %v", err)
		}
		mustDrain(t, s)
	})
}

func TestAListenerThatRemovesItselfIsNotCalledAgain(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		d := newDoor()
		s := signals.New[int](opts...)
		var sub *signals.Subscription
		var got, others []int
		sub = s.Subscribe(func(ctx context.Context, v int) error {
			_ = d.pass(ctx, v)
			if got = append(got, v); v == 5 {
				sub.Unsubscribe()
			}
			return nil
		})
		s.AddListener(func(_ context.Context, v int) { others = append(others, v) })
		for v := range 50 { // a batch
			s.Emit(t.Context(), v)
		}
		d.open()
		mustDrain(t, s)
		if !slices.Equal(got, []int{0, 1, 2, 3, 4, 5}) || len(others) != 50 {
			t.Errorf("got %v, another listener %v", got, others)
		}
		if st := sub.Stats(); st.Deliveries != 6 || st.Drops != 44 {
			t.Errorf("got %+v", st)
		}
	})
}

func TestARemovalConcernsExactlyOneRegistration(t *testing.T) {
	var n notes
	s := signals.New[int]()
	fn := n.fails("a", nil)
	var subs []*signals.Subscription
	for range 4 { // the same function, many times
		subs = append(subs, s.Subscribe(fn))
	}
	for left := 3; left >= 0; left-- {
		subs[left].Unsubscribe()
		subs[left].Unsubscribe() // nothing more happens
		if s.Len() != left {
			t.Fatalf("%d listeners, want %d", s.Len(), left)
		}
		if err := s.EmitWait(t.Context(), left); err != nil {
			t.Error(err)
		}
		if got := n.take(); len(got) != left {
			t.Errorf("%d calls, want %d", len(got), left)
		}
	}
}

func TestRemovalKeepsTheOrderOfTheOthers(t *testing.T) {
	s := signals.New[int]()
	var kept [3][]int
	var subs []*signals.Subscription
	for i := range 9 {
		subs = append(subs, s.Subscribe(func(_ context.Context, v int) error {
			if i%3 == 0 {
				kept[i/3] = append(kept[i/3], v)
			}
			return nil
		}, signals.Key(fmt.Sprint(i))))
	}
	for v := range 2000 {
		s.Emit(t.Context(), v)
		if v%300 == 0 && v > 0 {
			i := v / 300
			subs[i+(i-1)/2].Unsubscribe() // 1 2 4 5 7 8
		}
	}
	mustDrain(t, s)
	if keys := s.Keys(); !slices.Equal(keys, []string{"0", "3", "6"}) {
		t.Errorf("left: %v", keys)
	}
	for i := range kept {
		if len(kept[i]) != 2000 || !slices.IsSorted(kept[i]) {
			t.Errorf("listener %d got %d emissions, in order: %v", 3*i, len(kept[i]), slices.IsSorted(kept[i]))
		}
	}
}

func TestOnceIsCalledOnceWhoeverEmits(t *testing.T) {
	for name, lo := range map[string][]signals.ListenerOption{
		"plain":       nil,
		"concurrency": {signals.Concurrency(4)},
		"maxlag":      {signals.MaxLag(3, signals.KeepLatest)},
	} {
		t.Run(name, func(t *testing.T) {
			onEachPath(t, func(t *testing.T, opts ...signals.Option) {
				s := signals.New[int](opts...)
				var calls [5]atomic.Int32
				var subs [5]*signals.Subscription
				for i := range calls {
					subs[i] = s.Subscribe(func(context.Context, int) error {
						calls[i].Add(1)
						if s.HasKey(fmt.Sprint(i)) {
							t.Error("still there in its call")
						}
						s.Emit(t.Context(), 0) // no second call by that
						return nil
					}, append(lo, signals.Once(), signals.Key(fmt.Sprint(i)))...)
				}
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						for v := range 20 {
							s.Emit(t.Context(), v)
						}
					})
				}
				wg.Wait()
				for s.Pending() > 0 { // what the listeners emit takes the place of what they were to get
					mustDrain(t, s)
				}
				for i := range calls {
					if n := calls[i].Load(); n != 1 || subs[i].Stats().Deliveries != 1 {
						t.Errorf("listener %d: %d calls, %+v", i, n, subs[i].Stats())
					}
				}
				if s.Len() != 0 {
					t.Errorf("left: %v", s.Keys())
				}
			})
		})
	}
}

func TestOnceDropsWhatIsPendingBehindItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		s := signals.New[int](signals.MaxWorkers(1))
		s.Subscribe(d.pass, signals.Priority(1)) // holds the worker
		var got []int
		sub := s.Subscribe(func(_ context.Context, v int) error { got = append(got, v); return nil },
			signals.Once(), signals.Filter(func(v int) bool { return v >= 3 }))
		for v := range 8 {
			s.Emit(t.Context(), v)
		}
		if l := sub.Stats(); l.Lag != 8 {
			t.Errorf("%d are pending, want 8", l.Lag)
		}
		d.open()
		mustDrain(t, s)
		if st := sub.Stats(); !slices.Equal(got, []int{3}) || st.Deliveries != 1 || st.Drops != 4 || st.Lag != 0 {
			t.Errorf("called with %v; %+v", got, st)
		}
		if s.Len() != 1 {
			t.Errorf("%d listeners are left, want the other", s.Len())
		}
	})
}

func TestAOnceThatFailsHasHadItsCall(t *testing.T) {
	for name, m := range misdeeds {
		t.Run(name, func(t *testing.T) {
			failures := 0
			s := signals.New[int](signals.OnFailure(func(context.Context, signals.Failure) { failures++ }))
			s.Subscribe(func(context.Context, int) error { return m.do() }, signals.Once())
			if err := s.EmitWait(t.Context(), 1); !m.is(err) {
				t.Errorf("got %v", err)
			}
			if err := s.EmitWait(t.Context(), 2); err != nil || failures != 1 {
				t.Errorf("got %v; %d failures", err, failures)
			}
		})
	}
}

func TestSeveralFiltersMustAllPass(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.New[int](opts...)
		s.Subscribe(n.fails("a", nil), signals.Filter(func(v int) bool { return v%2 == 0 }), signals.Filter(func(v int) bool { return v%3 == 0 }))
		for v := range 13 {
			s.Emit(t.Context(), v)
		}
		mustDrain(t, s)
		n.expect(t, "a0", "a6", "a12")
	})
}

func TestUntilIsNotCalledOnceItsContextHasEnded(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		ctx, cancel := context.WithCancel(t.Context())
		forever := context.Background()
		s := signals.New[int](opts...)
		d := newDoor()
		var got []int
		s.Subscribe(func(ctx context.Context, v int) error {
			_ = d.pass(ctx, v)
			if got = append(got, v); v == 2 {
				cancel() // from here on, at once
			}
			return nil
		}, signals.Until(forever), signals.Until(ctx))
		for v := range 10 {
			s.Emit(t.Context(), v)
		}
		d.open()
		mustDrain(t, s)
		if !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("got %v", got)
		}
		for !s.IsEmpty() {
			runtime.Gosched()
		}
		s.Subscribe(func(context.Context, int) error { t.Error("called"); return nil }, signals.Until(ctx))
		s.Emit(t.Context(), 10)
		mustDrain(t, s)
	})
}

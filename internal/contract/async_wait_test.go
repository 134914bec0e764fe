package contract_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

func TestEmitWaitReturnsWhenEveryListenerHasFinished(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.New[int](opts...)
		var got [5]int // unguarded: the calls must happen before EmitWait returns
		for i := range got {
			var lo []signals.ListenerOption
			if i == 1 {
				lo = append(lo, signals.Concurrency(2))
			}
			if i == 2 {
				lo = append(lo, signals.MaxLag(1, signals.KeepLatest))
			}
			s.Subscribe(func(_ context.Context, v int) error {
				for range i {
					runtime.Gosched()
				}
				got[i] = v
				return nil
			}, lo...)
		}
		for v := 1; v < 200; v++ {
			if err := s.EmitWait(t.Context(), v); err != nil {
				t.Fatal(err)
			}
			if got != [5]int{v, v, v, v, v} {
				t.Fatalf("after %d: %v", v, got)
			}
		}
	})
}

func TestEmitWaitPassesItsContextAsItIs(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		ctx, cancel := context.WithCancel(t.Context())
		s := signals.New[int](opts...)
		d := newDoor()
		s.Subscribe(func(got context.Context, v int) error {
			_ = d.pass(got, v)
			cancel()
			if got != ctx || got.Err() == nil {
				t.Errorf("the listener got %v with %v", got, got.Err())
			}
			return nil
		})
		d.open()
		if err := s.EmitWait(ctx, 1); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		mustDrain(t, s)
	})
}

func TestEmitWaitSaysThatAListenerWasDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		s := signals.New[int](signals.Name("orders"))
		stuck := s.Subscribe(d.pass, signals.Key("stuck"))
		lossy := s.Subscribe(d.pass, signals.Key("lossy"), signals.MaxLag(2, signals.DropOldest))
		s.Emit(t.Context(), 0)
		synctest.Wait()
		errs := make(chan error, 3)
		for v := 1; v <= 3; v++ {
			go func() { errs <- s.EmitWait(t.Context(), v) }()
			synctest.Wait()
		}
		if len(errs) != 0 {
			t.Fatal("EmitWait returned while a listener was stuck")
		}
		stuck.Unsubscribe() // finishes them, as far as it is concerned
		synctest.Wait()
		check := func(err error, keys ...string) {
			t.Helper()
			var le *signals.ListenerError
			if !errors.Is(err, signals.ErrDropped) || !errors.As(err, &le) || le.Signal != "orders" {
				t.Errorf("got %v", err)
				return
			}
			for _, key := range keys {
				if !strings.Contains(err.Error(), `"`+key+`"`) {
					t.Errorf("%q is not in: %v", key, err)
				}
			}
			if n := strings.Count(err.Error(), "signals: listener"); n != len(keys) {
				t.Errorf("%d listeners in: %v", n, err)
			}
		}
		if len(errs) != 1 { // 1 was dropped for both, 2 and 3 wait for lossy
			t.Fatalf("%d have returned, want 1", len(errs))
		}
		check(<-errs, "stuck", "lossy")
		d.open()
		check(<-errs, "stuck")
		check(<-errs, "stuck")
		if n := lossy.Stats().Drops; n != 1 {
			t.Errorf("lossy dropped %d, want 1", n)
		}
	})
}

func TestEmitWaitReturnsWhenItsContextEndsAndDeliveryGoesOn(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		d := newDoor()
		var n notes
		s := signals.New[int](append(opts, signals.Name("orders"), n.failures())...)
		s.AddListener(func(ctx context.Context, v int) {
			_ = d.pass(ctx, v)
			n.add("a%d", v)
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		errs := make(chan error)
		go func() { errs <- s.EmitWait(ctx, 1) }()
		await(t, d.in, "the call")
		cancel(errNo)
		err := await(t, errs, "EmitWait whose context has ended")
		if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), `signals: `) || !strings.Contains(err.Error(), `"orders"`) {
			t.Errorf("got %v", err)
		}
		if err := s.EmitWait(ctx, 2); !errors.Is(err, context.Canceled) { // accepted all the same
			t.Errorf("got %v", err)
		}
		d.open()
		mustDrain(t, s)
		n.expect(t, "a1", "a2")
	})
}

func TestDrainReturnsWhenAllCallsAndTheirHandlersHaveEnded(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		handled, calls := 0, [3]int{} // unguarded
		s := signals.New[int](append(opts, signals.OnFailure(func(context.Context, signals.Failure) { handled++ }))...)
		for i := range calls {
			s.AddListenerWithErr(func(context.Context, int) error {
				calls[i]++
				if i == 0 {
					return errNo
				}
				return nil
			})
		}
		for round := 1; round <= 50; round++ {
			for range 20 {
				s.Emit(t.Context(), round)
			}
			if err := s.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := 20 * round; calls != [3]int{n, n, n} || handled != n {
				t.Fatalf("after %d emissions: %v calls, %d failures handled", n, calls, handled)
			}
		}
	})
}

func TestDrainWaitsOnlyForWhatWasAcceptedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, opts := range [][]signals.Option{nil, {signals.Counted()}, {signals.Capacity(100, signals.Block)}} {
			d := newDoor()
			s := signals.New[int](opts...)
			s.Subscribe(d.pass)
			drained := make(chan error, 10)
			for v := range 3 {
				s.Emit(t.Context(), v)
				go func() { drained <- s.Drain(t.Context()) }()
				synctest.Wait()
			}
			s.AddListener(func(context.Context, int) {}) // has nothing to do with it
			for v := range 3 {
				if len(drained) != v {
					t.Fatalf("%d calls have ended, %d Drains returned", v, len(drained))
				}
				d.out <- struct{}{}
				synctest.Wait()
			}
			for range 3 {
				if err := <-drained; err != nil {
					t.Error(err)
				}
			}
			// An emission without end ahead does not hold up a Drain.
			s.Emit(t.Context(), 3)
			go func() { drained <- s.Drain(t.Context()) }()
			synctest.Wait()
			s.Emit(t.Context(), 4)
			d.out <- struct{}{}
			synctest.Wait()
			if len(drained) != 1 {
				t.Error("Drain waits for what came after it")
			}
			d.open()
			mustDrain(t, s)
			if err := <-drained; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestDrainSaysHowManyAreLeftAndCanBeCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		s := signals.New[int](signals.Name("orders"))
		s.Subscribe(d.pass)
		s.AddListener(func(context.Context, int) {})
		for v := range 7 {
			s.Emit(t.Context(), v)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := s.Drain(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), `signals: `) ||
					!strings.Contains(err.Error(), `"orders"`) || !strings.Contains(err.Error(), "7 emissions left") {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		d.out <- struct{}{}
		synctest.Wait()
		if err := s.Drain(ended(t)); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "6 emissions left") {
			t.Errorf("got %v", err)
		}
		d.open()
		mustDrain(t, s)
		if err := s.Drain(ended(t)); err != nil { // nothing to wait for
			t.Errorf("Drain of an idle signal: %v", err)
		}
	})
}

// waits are the calls that wait for a listener.
var waits = map[string]func(context.Context, *signals.AsyncSignal[int], *signals.Subscription) error{
	"Drain": func(ctx context.Context, s *signals.AsyncSignal[int], _ *signals.Subscription) error {
		return s.Drain(ctx)
	},
	"Close": func(ctx context.Context, s *signals.AsyncSignal[int], _ *signals.Subscription) error {
		return s.Close(ctx)
	},
	"EmitWait": func(ctx context.Context, s *signals.AsyncSignal[int], _ *signals.Subscription) error {
		return s.EmitWait(ctx, 2)
	},
	"Wait": func(ctx context.Context, _ *signals.AsyncSignal[int], sub *signals.Subscription) error {
		return sub.Wait(ctx)
	},
}

func TestAWaitInsideAListenerOfTheSameSignalSaysThatItWouldDeadlock(t *testing.T) {
	for name, wait := range waits {
		places := map[string]func(*signals.AsyncSignal[int], func(context.Context)){
			"listener": func(s *signals.AsyncSignal[int], try func(context.Context)) {
				s.AddListener(func(ctx context.Context, _ int) { try(ctx) })
			},
			"concurrent listener": func(s *signals.AsyncSignal[int], try func(context.Context)) {
				s.Subscribe(func(ctx context.Context, _ int) error { try(ctx); return nil }, signals.Concurrency(2))
			},
			"filter": func(s *signals.AsyncSignal[int], try func(context.Context)) {
				s.Subscribe(func(context.Context, int) error { return nil },
					signals.Filter(func(int) bool { try(context.Background()); return true }))
			},
			"nested sync signals": func(s *signals.AsyncSignal[int], try func(context.Context)) {
				inner, outer := signals.NewSync[int](), signals.NewSync[int](signals.Counted())
				inner.AddListener(func(ctx context.Context, _ int) { try(ctx) })
				outer.AddListenerWithErr(inner.TryEmit)
				s.AddListener(outer.Emit)
			},
			"failure handler": func(s *signals.AsyncSignal[int], _ func(context.Context)) {
				s.AddListenerWithErr(refuseAll)
			},
			"failure handler after Goexit": func(s *signals.AsyncSignal[int], _ func(context.Context)) {
				s.AddListener(func(context.Context, int) { runtime.Goexit() })
			},
		}
		for place, register := range places {
			t.Run(name+"/"+place, func(t *testing.T) {
				onEachPath(t, func(t *testing.T, opts ...signals.Option) {
					tries, closing := 0, false
					var s *signals.AsyncSignal[int]
					var other *signals.Subscription
					try := func(ctx context.Context) {
						if closing {
							return
						}
						tries++
						err := wait(ctx, s, other)
						if !errors.Is(err, signals.ErrWouldDeadlock) || !strings.HasPrefix(err.Error(), "signals: ") || !strings.Contains(err.Error(), `"orders"`) {
							t.Errorf("got %v", err)
						}
					}
					s = signals.New[int](append(opts, signals.Name("orders"), signals.OnFailure(func(ctx context.Context, f signals.Failure) {
						if strings.HasPrefix(place, "failure") {
							try(ctx)
						} else {
							t.Errorf("failure: %v", f.Err)
						}
					}))...)
					other = s.Subscribe(func(context.Context, int) error { return nil })
					register(s, try)
					s.Emit(t.Context(), 1)
					mustDrain(t, s)
					closing = true
					if st := s.Stats(); tries != 1 || st.Closed || st.Emissions != 1 || st.Refusals != 0 {
						t.Errorf("%d tries; %+v", tries, st)
					}
					if err := s.Offer(t.Context(), 3); err != nil {
						t.Errorf("afterwards: %v", err)
					}
					mustDrain(t, s)
				})
			})
		}
	}
}

func TestWaitsForAnotherSignalInsideAListenerAreAllowed(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			other, s := signals.New[int](), signals.New[int]()
			calls := 0
			sub := other.Subscribe(func(context.Context, int) error { calls++; return nil })
			s.AddListener(func(ctx context.Context, _ int) {
				other.Emit(ctx, 1)
				if err := wait(ctx, other, sub); err != nil {
					t.Error(err)
				}
			})
			if err := s.EmitWait(t.Context(), 1); err != nil {
				t.Error(err)
			}
			mustDrain(t, other)
			if want := map[bool]int{true: 2, false: 1}[name == "EmitWait"]; calls != want {
				t.Errorf("%d calls, want %d", calls, want)
			}
		})
	}
}

func TestACycleOfWaitsAcrossSignalsEndsWithItsContext(t *testing.T) {
	for name, wait := range waits {
		if name == "Wait" {
			continue // it has no second signal
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := signals.New[int](), signals.New[int]()
				var got error
				a.AddListener(func(ctx context.Context, v int) {
					if v == 1 {
						ctx, cancel := context.WithTimeout(ctx, time.Minute)
						defer cancel()
						_ = b.EmitWait(ctx, v)
					}
				})
				b.AddListener(func(ctx context.Context, _ int) {
					ctx, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					got = wait(ctx, a, nil) // a waits for this very call
				})
				a.Emit(t.Context(), 1)
				mustDrain(t, a)
				mustDrain(t, b)
				if !errors.Is(got, context.DeadlineExceeded) {
					t.Errorf("got %v", got)
				}
			})
		})
	}
}

func TestAGoroutineStartedByAListenerMayWait(t *testing.T) {
	s := signals.New[int]()
	var wg sync.WaitGroup
	var err error
	s.AddListener(func(context.Context, int) {
		wg.Go(func() { err = s.Drain(context.Background()) })
	})
	s.Emit(t.Context(), 1)
	mustDrain(t, s)
	wg.Wait()
	if err != nil {
		t.Error(err)
	}
}

func TestWaitReturnsWhenNoCallOfTheListenerIsInFlight(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		d := newDoor()
		s := signals.New[int](append(opts, signals.Name("orders"))...)
		open := true // what the listener uses, unguarded
		sub := s.Subscribe(func(ctx context.Context, v int) error {
			_ = d.pass(ctx, v)
			if !open {
				t.Error("torn down under the listener")
			}
			return nil
		})
		if err := sub.Wait(ended(t)); err != nil { // nothing to wait for
			t.Error(err)
		}
		for v := range 10 {
			s.Emit(t.Context(), v)
		}
		await(t, d.in, "the call")
		err := sub.Wait(ended(t))
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), `"orders"`) {
			t.Errorf("got %v", err)
		}
		sub.Unsubscribe()
		waited := make(chan error)
		go func() { waited <- sub.Wait(t.Context()) }()
		d.open()
		if err := await(t, waited, "Wait"); err != nil {
			t.Error(err)
		}
		open = false
		if err := sub.Wait(ended(t)); err != nil {
			t.Error(err)
		}
		if st := sub.Stats(); st.Deliveries != 1 || st.Drops != 9 || st.InFlight != 0 {
			t.Errorf("got %+v", st)
		}
	})
}

func TestMethodsOfANilSubscriptionDoNothing(t *testing.T) {
	var sub *signals.Subscription
	sub.Unsubscribe()
	st := sub.Stats()
	if err := sub.Wait(t.Context()); err != nil || sub.Key() != "" || st.Deliveries != 0 || st.Listener != "" {
		t.Errorf("error %v, key %q, %+v", err, sub.Key(), st)
	}
}

func TestManyEmitWaitsAtOnceEachGetTheirOwnFailures(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.New[int](append(opts, signals.OnFailure(func(context.Context, signals.Failure) {}))...)
		s.AddListenerWithErr(func(_ context.Context, v int) error {
			if v%3 == 0 {
				return errNo
			}
			return nil
		})
		var calls []int
		s.AddListener(func(_ context.Context, v int) { calls = append(calls, v) })
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 50 {
					v := g*50 + i
					if err := s.EmitWait(t.Context(), v); errors.Is(err, errNo) != (v%3 == 0) {
						t.Errorf("EmitWait of %d: %v", v, err)
					}
				}
			})
		}
		wg.Wait()
		slices.Sort(calls)
		if calls = slices.Compact(calls); len(calls) != 200 {
			t.Errorf("%d emissions were delivered, want 200", len(calls))
		}
	})
}

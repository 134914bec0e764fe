package contract_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"example.com/signals"
)

func TestARangeOverEventsSubscribesWhenItStarts(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.New[int](opts...)
		events := s.Events(t.Context(), signals.Key("loop"))
		s.Emit(t.Context(), 1) // nobody listens yet
		if !s.IsEmpty() {
			t.Error("Events subscribes before a range starts")
		}
		for round := range 2 { // each range anew
			var got []int
			started := make(chan struct{})
			go func() {
				for !s.HasKey("loop") {
					runtime.Gosched()
				}
				for v := range 3 {
					s.Emit(t.Context(), 10*round+v)
				}
				close(started)
			}()
			for v := range events {
				if got = append(got, v); len(got) == 2 {
					break
				}
			}
			await(t, started, "the emitter")
			if want := []int{10 * round, 10*round + 1}; !slices.Equal(got, want) {
				t.Errorf("round %d: got %v, want %v", round, got, want)
			}
			if !s.IsEmpty() {
				t.Error("the range has ended and still listens")
			}
		}
		mustDrain(t, s)
	})
}

// ranged collects what a range over events yields, in a goroutine of its own,
// until it ends.
func ranged(events iter.Seq[int], also func(int)) <-chan []int {
	got := make(chan []int, 1)
	go func() {
		vs := []int{}
		for v := range events {
			vs = append(vs, v)
			if also != nil {
				also(v)
			}
		}
		got <- vs
	}()
	return got
}

func TestSeveralRangesAtOnceEachGetEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := signals.New[int]()
		events := s.Events(t.Context())
		var all []<-chan []int
		for range 3 {
			all = append(all, ranged(events, nil))
		}
		synctest.Wait()
		var wg sync.WaitGroup
		for e := range 4 {
			wg.Go(func() {
				for v := range 300 {
					s.Emit(t.Context(), 1000*e+v)
				}
			})
		}
		wg.Wait()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		first := <-all[0]
		if len(first) != 1200 {
			t.Errorf("got %d, want 1200", len(first))
		}
		for _, ch := range all[1:] {
			if !slices.Equal(<-ch, first) {
				t.Error("two ranges saw another order")
			}
		}
	})
}

func TestAnEmissionIsFinishedWhenTheBodyOfTheLoopReturns(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		synctest.Test(t, func(t *testing.T) {
			s := signals.New[int](opts...)
			d := newDoor()
			handled := 0 // unguarded: the body happens before Drain and EmitWait return
			got := ranged(s.Events(t.Context(), signals.Key("loop")), func(v int) {
				_ = d.pass(t.Context(), v)
				handled++
			})
			synctest.Wait()
			for v := range 3 {
				s.Emit(t.Context(), v)
			}
			waited, drained := make(chan error, 1), make(chan error, 1)
			go func() { waited <- s.EmitWait(t.Context(), 3) }()
			go func() { drained <- s.Drain(t.Context()) }()
			synctest.Wait()
			l := s.Stats().Listeners[0]
			if n := s.Pending(); n != 4 || l.Key != "loop" || l.Lag != 4 || l.InFlight != 1 || l.Deliveries != 0 {
				t.Errorf("%d pending, want 4; %+v", n, l)
			}
			for left := 3; left > 0; left-- {
				d.out <- struct{}{}
				synctest.Wait()
				if n := s.Pending(); n != left || len(waited) != 0 {
					t.Errorf("%d pending, want %d; EmitWait returned: %v", n, left, len(waited) != 0)
				}
			}
			d.open()
			if err := errors.Join(<-waited, <-drained); err != nil || handled != 4 {
				t.Errorf("%d handled, want 4; error %v", handled, err)
			}
			synctest.Wait() // for the worker's end
			if l := s.Stats().Listeners[0]; l.Deliveries != 4 || l.Lag != 0 || l.InFlight != 0 || s.Stats().Workers != 0 {
				t.Errorf("got %+v", l)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if vs := <-got; !slices.Equal(vs, []int{0, 1, 2, 3}) {
				t.Errorf("got %v", vs)
			}
		})
	})
}

func TestARangeEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(t *testing.T, s *signals.AsyncSignal[int], cancel func())
		want []int
	}{
		"with its context":   {func(_ *testing.T, _ *signals.AsyncSignal[int], cancel func()) { cancel() }, []int{0}},
		"by its key":         {func(_ *testing.T, s *signals.AsyncSignal[int], _ func()) { s.RemoveListener("loop") }, []int{0}},
		"by Reset":           {func(_ *testing.T, s *signals.AsyncSignal[int], _ func()) { s.Reset() }, []int{0}},
		"after Close, whole": {func(t *testing.T, s *signals.AsyncSignal[int], _ func()) { _ = s.Close(ended(t)) }, []int{0, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			onEachPath(t, func(t *testing.T, opts ...signals.Option) {
				for _, busy := range []bool{true, false} {
					synctest.Test(t, func(t *testing.T) {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						s := signals.New[int](opts...)
						d := newDoor()
						got := ranged(s.Events(ctx, signals.Key("loop")), func(v int) { _ = d.pass(ctx, v) })
						synctest.Wait()
						want := []int{}
						if busy { // in its body, with more to come
							for v := range 3 {
								s.Emit(t.Context(), v)
							}
							synctest.Wait()
							want = c.want
						}
						c.end(t, s, cancel)
						synctest.Wait()
						if len(got) != 0 && busy {
							t.Fatal("ended within its body")
						}
						d.open()
						if vs := <-got; !slices.Equal(vs, want) {
							t.Errorf("busy %v: got %v, want %v", busy, vs, want)
						}
						if name != "after Close, whole" && s.Offer(t.Context(), 9) != nil {
							t.Error("the signal does not go on")
						}
						mustDrain(t, s)
						if st := s.Stats(); !s.IsEmpty() || st.Deliveries != uint64(len(want)) ||
							busy && st.Drops != uint64(3-len(want)) {
							t.Errorf("%d listeners left, %+v", s.Len(), st)
						}
					})
				}
			})
		})
	}
}

func TestARangeThatBreaksDropsWhatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := signals.New[int]()
		waited := make(chan error, 3)
		for v := range 3 {
			go func() {
				for s.IsEmpty() {
					runtime.Gosched()
				}
				waited <- s.EmitWait(t.Context(), v)
			}()
		}
		calls := 0
		for range s.Events(t.Context()) {
			synctest.Wait() // all three are pending
			calls++
			break
		}
		dropped := 0
		for range 3 {
			switch err := <-waited; {
			case errors.Is(err, signals.ErrDropped):
				dropped++
			case err != nil: // the body has run for one
				t.Error(err)
			}
		}
		if st := s.Stats(); calls != 1 || dropped != 2 || st.Deliveries != 1 || st.Drops != 2 || st.Pending != 0 {
			t.Errorf("%d calls, %d times ErrDropped, %+v", calls, dropped, st)
		}
	})
}

func TestARangeWhoseContextHasEndedOrWhoseSignalIsClosedHasNoBody(t *testing.T) {
	s := signals.New[int]()
	for range s.Events(ended(t)) {
		t.Error("the context had ended")
	}
	for range s.Events(t.Context(), signals.Until(ended(t))) {
		t.Error("Until had ended")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for range s.Events(t.Context()) {
		t.Error("the signal is closed")
	}
	if !s.IsEmpty() {
		t.Error("a range that has ended still listens")
	}
}

func TestWaitsInsideTheBodyOfALoopSayThatTheyWouldDeadlock(t *testing.T) {
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			s := signals.New[int](signals.Capacity(1, signals.Block))
			sub := s.Subscribe(func(context.Context, int) error { return nil })
			go func() {
				for s.Len() < 2 {
					runtime.Gosched()
				}
				s.Emit(t.Context(), 1)
			}()
			for v := range s.Events(t.Context()) {
				if err := wait(t.Context(), s, sub); !errors.Is(err, signals.ErrWouldDeadlock) {
					t.Errorf("got %v", err)
				}
				if v == 2 {
					break
				}
				s.Emit(t.Context(), 2) // full of 1, and does not wait
				if n := s.Stats().OverCapacity; n != 1 {
					t.Errorf("%d emissions above the bound, want 1", n)
				}
			}
			if st := s.Stats(); st.Closed || st.Emissions != 2 {
				t.Errorf("got %+v", st)
			}
			mustDrain(t, s) // after the loop it is allowed
		})
	}
}

func TestEventsTakesTheOptionsOfAListener(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		synctest.Test(t, func(t *testing.T) {
			var n notes
			s := signals.New[int](append(opts, signals.Name("orders"), n.failures())...)
			s.Subscribe(nothing, signals.Key("taken"))
			mustPanic(t, func() { s.Events(t.Context(), signals.Key("taken"))(nil) }, `"orders"`, "Events", "nil")
			ignore := func(int) bool { return true }
			mustPanic(t, func() { s.Events(t.Context(), signals.Key("taken"))(ignore) }, `"orders"`, `"taken"`)
			mustPanic(t, func() { s.Events(t.Context(), signals.Concurrency(2))(ignore) }, `"orders"`, "Concurrency(2)")

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			until := ranged(s.Events(t.Context(), signals.Until(ctx)), nil)
			once := ranged(s.Events(t.Context(), signals.Once(), signals.Filter(func(v int) bool { return v > 2 })), nil)
			even := ranged(s.Events(t.Context(), signals.Key("even"), signals.Filter(func(v int) bool {
				if v == 5 {
					panic("filter")
				}
				return v%2 == 0
			})), nil)
			synctest.Wait()
			for v := range 10 {
				if v == 7 {
					cancel()
					synctest.Wait()
				}
				err := s.EmitWait(t.Context(), v)
				var p *signals.PanicError
				if errors.As(err, &p) != (v == 5) {
					t.Errorf("EmitWait of %d: %v", v, err)
				}
			}
			n.expect(t, "even: panic: filter")
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			for name, c := range map[string]struct {
				got  []int
				want []int
			}{
				"Until":  {<-until, []int{0, 1, 2, 3, 4, 5, 6}},
				"Once":   {<-once, []int{3}},
				"Filter": {<-even, []int{0, 2, 4, 6, 8}},
			} {
				if !slices.Equal(c.got, c.want) {
					t.Errorf("%s: got %v, want %v", name, c.got, c.want)
				}
			}
		})
	})
}

func TestASlowLoopDelaysNobodyAndLosesNothingWithoutMaxLag(t *testing.T) {
	for name, c := range map[string]struct {
		lo   []signals.ListenerOption
		want []int
	}{
		"unbounded":  {nil, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"drops":      {[]signals.ListenerOption{signals.MaxLag(3, signals.DropOldest)}, []int{0, 7, 8, 9}},
		"keeps last": {[]signals.ListenerOption{signals.MaxLag(3, signals.KeepLatest)}, []int{0, 7, 8, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := signals.New[int]()
				d := newDoor()
				others := 0
				s.AddListener(func(context.Context, int) { others++ })
				got := ranged(s.Events(t.Context(), c.lo...), func(v int) { _ = d.pass(t.Context(), v) })
				synctest.Wait()
				for v := range 10 {
					s.Emit(t.Context(), v)
					synctest.Wait()
				}
				st := s.Stats()
				if others != 10 || st.Drops != uint64(10-len(c.want)) || st.Pending != len(c.want) {
					t.Errorf("another listener got %d; %+v", others, st)
				}
				d.open()
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if vs := <-got; !slices.Equal(vs, c.want) {
					t.Errorf("got %v, want %v", vs, c.want)
				}
			})
		})
	}
}

func TestALoopThatPanicsOrEndsItsGoroutineFinishesItsEmission(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("body") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			onEachPath(t, func(t *testing.T, opts ...signals.Option) {
				s := signals.New[int](append(opts, signals.OnFailure(func(context.Context, signals.Failure) {
					t.Error("whoever ranges has the panic, and no handler")
				}))...)
				went := make(chan any, 1)
				go func() {
					defer func() { went <- recover() }()
					for range s.Events(t.Context()) {
						end()
					}
				}()
				for s.IsEmpty() {
					runtime.Gosched()
				}
				if err := s.EmitWait(t.Context(), 1); !errors.Is(err, signals.ErrDropped) {
					t.Errorf("EmitWait: %v", err)
				}
				if v := await(t, went, "the loop"); name == "panic" && v != "body" {
					t.Errorf("recovered %v", v)
				}
				mustDrain(t, s)
				if st := s.Stats(); !s.IsEmpty() || st.Pending != 0 {
					t.Errorf("%d listeners left, %+v", s.Len(), st)
				}
			})
		})
	}
}

// A pulled sequence finishes an emission when the next one is asked for.
func TestEventsMayBePulled(t *testing.T) {
	s := signals.New[int]()
	next, stop := iter.Pull(s.Events(t.Context()))
	go func() {
		for s.IsEmpty() {
			runtime.Gosched()
		}
		s.Emit(t.Context(), 0)
		s.Emit(t.Context(), 1)
		s.Emit(t.Context(), 2)
	}()
	for want := range 2 {
		if v, ok := next(); v != want || !ok {
			t.Fatalf("got %d, %v; want %d", v, ok, want)
		}
	}
	if l := s.Stats().Listeners[0]; l.Deliveries != 1 || l.InFlight != 1 {
		t.Errorf("got %+v", l)
	}
	stop()
	mustDrain(t, s)
	if !s.IsEmpty() {
		t.Error("a sequence that was stopped still listens")
	}
}

package contract_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// rest receives until the channel is closed.
func rest[T any](ch <-chan T) []T {
	all := []T{}
	for v := range ch {
		all = append(all, v)
	}
	return all
}

func TestAChannelIsRegisteredWhenChanReturnsAndGetsEverythingInOrder(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.New[int](opts...)
		ch := s.Chan(t.Context(), signals.Key("chan"))
		if cap(ch) != 0 || !s.HasKey("chan") {
			t.Errorf("room for %d; registered: %v", cap(ch), s.HasKey("chan"))
		}
		const n = 1000
		var wg sync.WaitGroup
		wg.Go(func() {
			for v := range n {
				s.Emit(t.Context(), v)
			}
			if err := s.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		for want := range n {
			if v, ok := <-ch; v != want || !ok {
				t.Fatalf("got %d, %v; want %d", v, ok, want)
			}
		}
		if v, ok := <-ch; ok {
			t.Errorf("got %d behind the last", v)
		}
		wg.Wait()
		if st := s.Stats(); !s.IsEmpty() || st.Deliveries != n || st.Drops != 0 {
			t.Errorf("%d listeners left, %+v", s.Len(), st)
		}
	})
}

func TestAnEmissionIsFinishedWhenItsValueIsReceived(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		synctest.Test(t, func(t *testing.T) {
			s := signals.New[int](opts...)
			ch := s.Chan(t.Context(), signals.Key("chan"))
			for v := range 3 {
				s.Emit(t.Context(), v)
			}
			waited, drained, closed := make(chan error, 1), make(chan error, 1), make(chan error, 1)
			go func() { waited <- s.EmitWait(t.Context(), 3) }()
			synctest.Wait()
			go func() { drained <- s.Drain(t.Context()) }()
			synctest.Wait()
			go func() { closed <- s.Close(t.Context()) }()
			synctest.Wait()
			l := s.Stats().Listeners[0]
			if n := s.Pending(); n != 4 || l.Key != "chan" || l.Lag != 4 || l.InFlight != 1 || l.Deliveries != 0 {
				t.Errorf("%d pending, want 4; %+v", n, l)
			}
			if !strings.Contains(l.Listener, "TestAnEmissionIsFinished") || !strings.Contains(l.Site, "chan_test.go") {
				t.Errorf("it is called %q, registered at %q", l.Listener, l.Site)
			}
			for left := 3; left >= 0; left-- {
				if len(waited)+len(drained)+len(closed) > 0 {
					t.Errorf("with %d to be received: EmitWait, Drain or Close has returned", left+1)
				}
				if v := <-ch; v != 3-left {
					t.Errorf("got %d, want %d", v, 3-left)
				}
				synctest.Wait()
				if n := s.Pending(); n != left {
					t.Errorf("%d pending, want %d", n, left)
				}
			}
			if err := errors.Join(<-waited, <-drained, <-closed); err != nil {
				t.Error(err)
			}
			if _, ok := <-ch; ok {
				t.Error("closed and received, and the channel is open")
			}
		})
	})
}

func TestAChannelIsClosedHoweverItsRegistrationEnds(t *testing.T) {
	type ends struct {
		s      *signals.AsyncSignal[int]
		cancel func()
		until  func()
		scope  *signals.Scope
	}
	for name, end := range map[string]func(t *testing.T, e ends){
		"with its context": func(_ *testing.T, e ends) { e.cancel() },
		"Until":            func(_ *testing.T, e ends) { e.until(); synctest.Wait() },
		"by its key":       func(_ *testing.T, e ends) { e.s.RemoveListener("chan") },
		"by Reset":         func(_ *testing.T, e ends) { e.s.Reset() },
		"with its scope": func(t *testing.T, e ends) {
			if err := e.scope.Close(t.Context()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEachPath(t, func(t *testing.T, opts ...signals.Option) {
				for _, busy := range []bool{true, false} {
					synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
						e := ends{s: signals.New[int](opts...), scope: new(signals.Scope)}
						var ctx, until context.Context
						ctx, e.cancel = context.WithCancel(t.Context())
						until, e.until = context.WithCancel(t.Context())
						defer e.cancel()
						defer e.until()
						ch := e.s.Chan(ctx, signals.Key("chan"), signals.Until(until), signals.In(e.scope))
						waited, drops := make(chan error, 1), uint64(0)
						if busy { // one in hand, and two that wait
							e.s.Emit(t.Context(), 0)
							e.s.Emit(t.Context(), 1)
							go func() { waited <- e.s.EmitWait(t.Context(), 2) }()
							drops = 3
						} else {
							waited <- signals.ErrDropped
						}
						synctest.Wait()
						end(t, e)
						if got := rest(ch); len(got) != 0 {
							t.Errorf("got %v of what was dropped", got)
						}
						if err := <-waited; !errors.Is(err, signals.ErrDropped) {
							t.Errorf("EmitWait returned %v", err)
						}
						if err := e.s.Close(t.Context()); err != nil {
							t.Error(err)
						}
						if st := e.s.Stats(); !e.s.IsEmpty() || st.Deliveries != 0 || st.Drops != drops || len(st.Leaving) != 0 {
							t.Errorf("busy %v: %d listeners left, %+v", busy, e.s.Len(), st)
						}
					})
				}
			})
		})
	}
}

// The trap of a listener that sends on a channel by hand: nobody receives.
func TestNobodyReceivesAndNothingHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := signals.New[int](signals.Name("ticks"), signals.MaxWorkers(1))
		ch := s.Chan(ctx)
		others := 0
		s.AddListener(func(context.Context, int) { others++ })
		for v := range 10 {
			s.Emit(t.Context(), v)
		}
		synctest.Wait()
		if others != 10 {
			t.Errorf("another listener of the one worker got %d of 10", others)
		}
		soon, done := context.WithTimeout(t.Context(), time.Second)
		defer done()
		for name, wait := range map[string]func(context.Context) error{"Drain": s.Drain, "Close": s.Close} {
			if err := wait(soon); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "chan_test.go") {
				t.Errorf("%s returned %v", name, err)
			}
		}
		cancel()
		if err := s.Close(t.Context()); err != nil { // nobody is in the way any more
			t.Error(err)
		}
		if got := rest(ch); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

func TestAfterACloseThatGaveUpTheRestIsReceived(t *testing.T) {
	s := signals.New[int]()
	ch := s.Chan(t.Context())
	for v := range 3 {
		s.Emit(t.Context(), v)
	}
	if err := s.Close(ended(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("Close returned %v", err)
	}
	if got := rest(ch); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("got %v", got)
	}
}

func TestAChannelThatNeverBeginsIsClosed(t *testing.T) {
	s := signals.New[int](signals.Retain(3))
	s.Emit(t.Context(), 1)
	var scope signals.Scope
	if err := scope.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for name, ch := range map[string]<-chan int{
		"its context has ended": s.Chan(ended(t)),
		"Until has ended":       s.Chan(t.Context(), signals.Until(ended(t))),
		"the scope is closed":   s.Chan(t.Context(), signals.In(&scope)),
	} {
		if got := rest(ch); len(got) != 0 {
			t.Errorf("%s: got %v", name, got)
		}
	}
	mustDrain(t, s)
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := rest(s.Chan(t.Context())); len(got) != 0 {
		t.Errorf("of a closed signal: got %v", got)
	}
	if !s.IsEmpty() {
		t.Error("a channel that is closed still listens")
	}
}

func TestChanTakesTheOptionsOfAListener(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		synctest.Test(t, func(t *testing.T) {
			var n notes
			s := signals.New[int](append(opts, signals.Name("orders"), signals.Retain(2), n.failures(),
				signals.Around(func(context.Context, *signals.ListenerInfo, func(context.Context) error) error {
					t.Error("Around does not wrap Chan")
					return nil
				}))...)
			held := s.Chan(t.Context(), signals.Key("taken"))
			mustPanic(t, func() { s.Chan(t.Context(), signals.Key("taken")) }, `"orders"`, `"taken"`)
			mustPanic(t, func() { s.Chan(t.Context(), signals.Concurrency(2)) }, `"orders"`, "Concurrency(2)")
			mustPanic(t, func() { s.Chan(t.Context(), signals.Cancellable()) }, `"orders"`, "Chan", "Cancellable")
			mustPanic(t, func() { s.Chan(t.Context(), signals.MaxBatch(2)) }, `"orders"`, "Chan", "MaxBatch")
			s.RemoveListener("taken")
			if got := rest(held); len(got) != 0 {
				t.Errorf("got %v", got)
			}

			for v := range 5 {
				s.Emit(t.Context(), v) // 3 and 4 are retained
			}
			var nobody context.Context
			channels := map[string]<-chan int{
				"retained":   s.Chan(nobody, signals.Priority(3)),
				"FromNow":    s.Chan(t.Context(), signals.FromNow()),
				"Once":       s.Chan(t.Context(), signals.Once(), signals.Key("once")),
				"DropOldest": s.Chan(t.Context(), signals.MaxLag(2, signals.DropOldest)),
				"KeepLatest": s.Chan(t.Context(), signals.MaxLag(2, signals.KeepLatest)),
				"Filter": s.Chan(t.Context(), signals.Key("filter"), signals.Filter(func(v int) bool {
					switch v {
					case 6:
						panic("filter")
					case 7:
						runtime.Goexit()
					}
					return v%2 == 0
				})),
			}
			synctest.Wait()
			for v := 5; v < 11; v++ {
				s.Emit(t.Context(), v)
				synctest.Wait()
			}
			closed := make(chan error, 1)
			go func() { closed <- s.Close(t.Context()) }()
			synctest.Wait()
			for name, want := range map[string][]int{
				"retained":   {3, 4, 5, 6, 7, 8, 9, 10},
				"FromNow":    {5, 6, 7, 8, 9, 10},
				"Once":       {3},
				"DropOldest": {3, 9, 10}, // 3 is in hand
				"KeepLatest": {3, 10},    // the third that waits leaves only itself: 6, 8, 10
				"Filter":     {4, 8, 10}, // 4 is in hand when 6 and 7 come
			} {
				if got := rest(channels[name]); !slices.Equal(got, want) {
					t.Errorf("%s: got %v, want %v", name, got, want)
				}
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
			if got := strings.Join(n.take(), "; "); !strings.Contains(got, "filter: panic: filter") || !strings.Contains(got, "Goexit") {
				t.Errorf("failures: %s", got)
			}
		})
	})
}

func TestAFilterOfAChannelKnowsThatItIsInside(t *testing.T) {
	s := signals.New[int]()
	inside := make(chan error, 1)
	ch := s.Chan(t.Context(), signals.Filter(func(int) bool {
		inside <- s.Close(t.Context())
		return true
	}))
	s.Emit(t.Context(), 1)
	if err := <-inside; !errors.Is(err, signals.ErrWouldDeadlock) {
		t.Errorf("Close in a Filter returned %v", err)
	}
	<-ch
	if err := s.Drain(t.Context()); err != nil { // whoever receives is not
		t.Error(err)
	}
	s.Reset()
	rest(ch)
}

func TestObserversAreToldWhatBecameOfAValueInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		s := signals.New[int](signals.Observe(signals.Observer{
			ListenerBegin: func(ctx context.Context, l *signals.ListenerInfo) context.Context {
				n.add("%s begins", l.Key)
				return ctx
			},
			ListenerEnd: func(_ context.Context, l *signals.ListenerInfo, took time.Duration, err error) {
				n.add("%s ends after %v: %v", l.Key, took, errors.Is(err, signals.ErrDropped))
			},
			ListenerAdded:   func(l *signals.ListenerInfo) { n.add("%s is there", l.Key) },
			ListenerRemoved: func(l *signals.ListenerInfo) { n.add("%s is gone", l.Key) },
			Drop:            func(l *signals.ListenerInfo, d int) { n.add("%s loses %d", l.Key, d) },
		}))
		ch := s.Chan(t.Context(), signals.Key("chan"))
		s.Emit(t.Context(), 1)
		s.Emit(t.Context(), 2)
		time.Sleep(time.Second) // of the bubble
		<-ch
		synctest.Wait()
		s.Reset()
		rest(ch)
		synctest.Wait()
		want := []string{"chan is there", "chan begins", "chan ends after 1s: false", "chan begins",
			"chan ends after 0s: true", "chan loses 1", "chan is gone"}
		if got := n.take(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("got %q", got)
		}
	})
}

// A consumer that selects over several sources, one of which runs dry.
func TestOneConsumerSelectsOverSeveralSignals(t *testing.T) {
	orders, payments := signals.New[int](), signals.New[string]()
	a, b := orders.Chan(t.Context()), payments.Chan(t.Context())
	var emit sync.WaitGroup
	for i := range 4 {
		emit.Go(func() {
			for n := range 100 {
				orders.Emit(t.Context(), n)
				payments.Emit(t.Context(), fmt.Sprint(i, n))
			}
		})
	}
	go func() {
		emit.Wait()
		_ = orders.Close(context.Background())
		_ = payments.Close(context.Background())
	}()
	sum, seen := 0, 0
	for a != nil || b != nil {
		select {
		case n, ok := <-a:
			if sum += n; !ok {
				a = nil
			}
		case _, ok := <-b:
			if seen++; !ok {
				seen, b = seen-1, nil
			}
		}
	}
	if sum != 4*99*100/2 || seen != 400 {
		t.Errorf("sum %d, %d payments", sum, seen)
	}
}

// While a channel comes and goes, receives and does not, every emission is
// received or counted as a drop, and EmitWait says which.
func TestConservationOfChannelsThatComeAndGo(t *testing.T) {
	s := signals.New[int]()
	const n = 300
	var emit, consume sync.WaitGroup
	var mu sync.Mutex
	dropped := 0
	for range 2 {
		emit.Go(func() {
			for v := range n {
				if v%3 == 0 {
					s.Emit(t.Context(), v)
					continue
				}
				switch err := s.EmitWait(t.Context(), v); {
				case errors.Is(err, signals.ErrDropped):
					mu.Lock()
					dropped++
					mu.Unlock()
				case err != nil:
					t.Error(err)
				}
			}
		})
	}
	got := uint64(0)
	for i := range 3 {
		consume.Go(func() {
			for round := 0; ; round++ {
				ctx, cancel := context.WithCancel(t.Context())
				ch := s.Chan(ctx, signals.Key(fmt.Sprint(i)))
				last := true
				for range 1 + round%7 {
					_, ok := <-ch
					if last = !ok; last {
						break
					}
					mu.Lock()
					got++
					mu.Unlock()
				}
				switch round % 3 {
				case 0:
					s.RemoveListener(fmt.Sprint(i))
				case 1:
					cancel()
				}
				cancel()
				for range ch { // a value that was received while it ended
					mu.Lock()
					got++
					mu.Unlock()
				}
				if last {
					return
				}
			}
		})
	}
	emit.Wait()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	consume.Wait()
	eventually(t, "the last channel is gone", s.IsEmpty)
	if st := s.Stats(); st.Deliveries != got || st.Emissions != 2*n || st.Pending != 0 || st.Drops < uint64(dropped) {
		t.Errorf("%d received, EmitWait told of %d drops; %+v", got, dropped, st)
	}
}

// A goroutine of a channel ends when there is nothing to hand over.
func TestAnIdleChannelHasNoGoroutine(t *testing.T) {
	s := signals.New[int]()
	before := runtime.NumGoroutine()
	ch := s.Chan(t.Context())
	for v := range 5 {
		s.Emit(t.Context(), v)
		<-ch
	}
	mustDrain(t, s)
	eventually(t, "its goroutine has ended", func() bool { return runtime.NumGoroutine() <= before })
	s.Reset()
	rest(ch)
}

package contract_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"example.com/signals"
)

// What is known to go wrong in other libraries of events, each with a test.

// tallied is a signal of any kind.
type tallied interface {
	signals.Signal[int]
	Stats() signals.SignalStats
}

var kinds = map[string]func() tallied{
	"sync":    func() tallied { return signals.NewSync[int]() },
	"async":   func() tallied { return signals.New[int]() },
	"sharded": func() tallied { return signals.NewSharded(3, func(n int) uint64 { return uint64(n) }) },
}

// onEachKind runs a test on a signal of each kind, in a bubble: a deadlock
// fails at once.
func onEachKind(t *testing.T, test func(t *testing.T, s tallied)) {
	t.Helper()
	for kind, make := range kinds {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, make()) })
		})
	}
}

func TestPublishingInAListenerDoesNotDeadlock(t *testing.T) {
	onEachKind(t, func(t *testing.T, s tallied) {
		var calls atomic.Int64
		for range 2 {
			s.AddListener(func(ctx context.Context, n int) {
				calls.Add(1)
				if n > 0 {
					s.Emit(ctx, n-1)
				}
			})
		}
		s.Emit(t.Context(), 6)
		synctest.Wait()
		if want := int64(1<<8 - 2); calls.Load() != want { // 2 + 4 + ... + 128
			t.Errorf("%d calls; want %d", calls.Load(), want)
		}
	})
}

func TestPublishingInAListenerOfAFullSignalDoesNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ping := signals.New[int](signals.Capacity(1, signals.Block))
		pong := signals.New[int](signals.Capacity(1, signals.Block))
		var calls atomic.Int64
		to := func(other *signals.AsyncSignal[int]) func(context.Context, int) {
			return func(ctx context.Context, n int) {
				if calls.Add(1); n > 0 {
					other.Emit(ctx, n-1)
					other.Emit(ctx, n-1)
				}
			}
		}
		ping.AddListener(to(pong))
		pong.AddListener(to(ping))
		ping.Emit(t.Context(), 9)
		synctest.Wait()
		if want := int64(1<<10 - 1); calls.Load() != want {
			t.Errorf("%d calls; want %d", calls.Load(), want)
		}
	})
}

func TestThePublisherMayHoldAMutexThatTheListenerWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		s := signals.New[int]()
		got := 0
		listener := func(context.Context, int) { mu.Lock(); defer mu.Unlock(); got++ }
		s.AddListener(listener)
		s.AddListener(listener, "second")
		mu.Lock()
		for n := range 500 { // several chunks of the log
			s.Emit(t.Context(), n)
		}
		if err := s.Offer(t.Context(), 500); err != nil {
			t.Error(err)
		}
		s.AddListener(listener, "third") // its lock is no other's
		s.RemoveListener("third")
		if n := s.Stats().Emissions; n != 501 || s.Pending() == 0 {
			t.Errorf("%d emissions, %d pending; want 501, some", n, s.Pending())
		}
		mu.Unlock()
		synctest.Wait()
		if got != 2*501 {
			t.Errorf("%d calls; want %d", got, 2*501)
		}
	})
}

func TestAListenerMayWaitForAGoroutineThatChangesItsSignal(t *testing.T) {
	onEachKind(t, func(t *testing.T, s tallied) {
		other := s.Subscribe(func(context.Context, int) error { return nil }, signals.Priority(-1))
		calls := 0
		s.AddListener(func(context.Context, int) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.AddListener(func(context.Context, int) {}, "new")
				s.RemoveListener("new")
				other.Unsubscribe()
				s.Stats()
				s.Reset()
			}()
			<-done
			calls++
		})
		s.Emit(t.Context(), 1)
		synctest.Wait()
		if calls != 1 || s.Len() != 0 {
			t.Errorf("%d calls, %d listeners left; want 1, 0", calls, s.Len())
		}
	})
}

func TestUnsubscribingOneClosureRemovesThatOneOnly(t *testing.T) {
	onEachKind(t, func(t *testing.T, s tallied) {
		const n = 10
		var got [n]int
		var subs []*signals.Subscription
		for i := range n { // one function literal, and one named function besides
			subs = append(subs, s.Subscribe(func(context.Context, int) error { got[i]++; return nil }))
			s.Subscribe(doNothing)
		}
		var want [n]int
		left := 2 * n
		for _, gone := range []int{4, 0, 9, 5} {
			subs[gone].Unsubscribe()
			subs[gone].Unsubscribe()
			subs[gone] = nil
			if left--; s.Len() != left {
				t.Errorf("%d listeners after removing %d; want %d", s.Len(), gone, left)
			}
			s.Emit(t.Context(), 1)
			synctest.Wait()
			for i, sub := range subs {
				if sub != nil {
					want[i]++
				}
			}
			if got != want {
				t.Errorf("after removing %d: calls %v; want %v", gone, got, want)
			}
		}
	})
}

func doNothing(context.Context, int) error { return nil }

func TestSeveralOnceListenersRunOnceEach(t *testing.T) {
	onEachKind(t, func(t *testing.T, s tallied) {
		const onces, emitters, emissions = 20, 8, 50
		var once [onces]atomic.Int64
		var always [onces]atomic.Int64
		for i := range onces {
			s.Subscribe(func(context.Context, int) error { once[i].Add(1); return nil }, signals.Once())
			s.Subscribe(func(context.Context, int) error { always[i].Add(1); return nil })
		}
		var wg sync.WaitGroup
		for e := range emitters {
			wg.Go(func() {
				for n := range emissions {
					s.Emit(t.Context(), e+n)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		for i := range onces {
			if o, a := once[i].Load(), always[i].Load(); o != 1 || a != emitters*emissions {
				t.Errorf("once listener %d ran %d times, the one behind it %d; want 1 and %d", i, o, a, emitters*emissions)
			}
		}
		if s.Len() != onces {
			t.Errorf("%d listeners left; want %d", s.Len(), onces)
		}
	})
}

func TestUnsubscribingLeavesNoGoroutineAndNoClosure(t *testing.T) {
	for kind, make := range kinds {
		t.Run(kind, func(t *testing.T) {
			before := goroutines()
			s := make()
			s.Subscribe(doNothing)
			ctx, cancel := context.WithCancel(t.Context()) // lives on
			defer cancel()
			left := new(atomic.Int64)
			const n = 200
			left.Store(n)
			for range n {
				held := &mark{}
				runtime.AddCleanup(held, func(left *atomic.Int64) { left.Add(-1) }, left)
				sub := s.Subscribe(func(context.Context, int) error { runtime.KeepAlive(held); return nil }, signals.Until(ctx))
				for n := range 3 {
					s.Emit(t.Context(), n)
				}
				sub.Unsubscribe()
			}
			collectUntil(t, "all closures are collected", func() bool { return left.Load() == 0 })
			if leaks(before) != 0 {
				t.Error("goroutines are left")
			}
			if s.Len() != 1 {
				t.Errorf("%d listeners left; want 1", s.Len())
			}
		})
	}
}

func TestUnsubscribingWhileManyGoroutinesEmit(t *testing.T) {
	for _, capacity := range []signals.Option{signals.Counted(), signals.Capacity(3, signals.Block)} {
		s := signals.New[int](capacity)
		var all atomic.Int64
		s.AddListener(func(context.Context, int) { all.Add(1) })
		var emitting, changing sync.WaitGroup
		stop := make(chan struct{})
		var emitted atomic.Int64
		for e := range 4 {
			emitting.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						s.Emit(t.Context(), e)
						emitted.Add(1)
					}
				}
			})
		}
		for range 4 {
			changing.Go(func() {
				for range 50 {
					var removed, late atomic.Bool
					sub := s.Subscribe(func(context.Context, int) error {
						if removed.Load() {
							late.Store(true)
						}
						return nil
					})
					s.Emit(t.Context(), 9)
					emitted.Add(1)
					sub.Unsubscribe()
					if err := sub.Wait(t.Context()); err != nil { // a call in flight completes
						t.Error(err)
					}
					removed.Store(true)
					s.Emit(t.Context(), 9)
					emitted.Add(1)
					if late.Load() {
						t.Error("a call after Unsubscribe and Wait")
					}
				}
			})
		}
		changing.Wait()
		close(stop)
		emitting.Wait()
		drained(t, s)
		if all.Load() != emitted.Load() {
			t.Errorf("the listener that stays got %d of %d", all.Load(), emitted.Load())
		}
	}
}

func TestRemovalKeepsTheOrderOfSyncListeners(t *testing.T) {
	s := signals.NewSync[int]()
	var trace []int
	subs := map[int]*signals.Subscription{}
	for i := range 10 {
		subs[i] = s.Subscribe(func(context.Context, int) error { trace = append(trace, i); return nil })
	}
	want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for _, gone := range []int{0, 5, 9, 3} {
		subs[gone].Unsubscribe()
		want = slices.DeleteFunc(want, func(i int) bool { return i == gone })
		trace = nil
		s.Emit(t.Context(), 1)
		if !slices.Equal(trace, want) {
			t.Errorf("after removing %d: order %v; want %v", gone, trace, want)
		}
	}
}

func TestRemovalKeepsTheOrderOfEmissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const listeners, emissions = 6, 600
		s := signals.New[int]()
		var got [listeners][]int
		var subs []*signals.Subscription
		for i := range listeners {
			subs = append(subs, s.Subscribe(func(_ context.Context, n int) error { got[i] = append(got[i], n); return nil }))
		}
		for n := range emissions {
			s.Emit(t.Context(), n)
			if n%150 == 140 { // with much pending
				subs[n/150].Unsubscribe()
			}
		}
		synctest.Wait()
		for i := range listeners {
			for n, v := range got[i] {
				if n != v {
					t.Fatalf("listener %d got %d in place of %d", i, v, n)
				}
			}
			if i >= 4 && len(got[i]) != emissions {
				t.Errorf("listener %d, which was not removed, got %d; want %d", i, len(got[i]), emissions)
			}
		}
	})
}

func TestAPanicDoesNotKillTheConsumer(t *testing.T) {
	for kind, make := range map[string]func(...signals.Option) tallied{
		"sync":  func(opts ...signals.Option) tallied { return signals.NewSync[int](opts...) },
		"async": func(opts ...signals.Option) tallied { return signals.New[int](opts...) },
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var failures atomic.Int64
				s := make(signals.Counted(), signals.OnFailure(func(context.Context, signals.Failure) {
					failures.Add(1)
					panic("in the handler, too")
				}), signals.Logger(newLogged().Logger))
				var got [2][]int
				for i := range got {
					s.AddListener(func(_ context.Context, n int) {
						got[i] = append(got[i], n)
						if n%3 == i {
							panic(fmt.Sprint("no ", n))
						}
					})
				}
				const emissions = 300
				for n := range emissions {
					s.Emit(t.Context(), n)
				}
				synctest.Wait()
				for i := range got {
					if len(got[i]) != emissions || !slices.IsSorted(got[i]) {
						t.Errorf("listener %d got %d; want %d, in order", i, len(got[i]), emissions)
					}
				}
				// A recovered panic is no success.
				st := s.Stats()
				if failures.Load() != 200 || st.Failures != 200 || st.Panics != 200 || st.Deliveries != 2*emissions {
					t.Errorf("the handler got %d, counted are %d failures, %d panics, %d deliveries; want 200, 200, 200, %d",
						failures.Load(), st.Failures, st.Panics, st.Deliveries, 2*emissions)
				}
				for i, l := range st.Listeners {
					if l.Failures != 100 || l.Panics != 100 {
						t.Errorf("listener %d: %d failures, %d panics; want 100", i, l.Failures, l.Panics)
					}
				}
			})
		})
	}
}

func TestARecoveredPanicIsReturnedAsAFailure(t *testing.T) {
	boom := func(context.Context, int) { panic("boom") }
	quick, later := signals.NewSync[int](), signals.New[int](signals.Logger(newLogged().Logger))
	quick.AddListener(boom)
	later.AddListener(boom)
	for name, err := range map[string]error{
		"TryEmit":    quick.TryEmit(t.Context(), 1),
		"TryEmitAll": quick.TryEmitAll(t.Context(), 1),
		"EmitWait":   later.EmitWait(t.Context(), 1),
	} {
		if p, ok := errors.AsType[*signals.PanicError](err); !ok || p.Value != "boom" || len(p.Stack) == 0 {
			t.Errorf("%s returns %v; want the panic with its stack", name, err)
		}
	}
	for _, st := range []signals.SignalStats{quick.Stats(), later.Stats()} {
		if st.Panics == 0 || st.Panics != st.Failures {
			t.Errorf("%d panics of %d failures of %s", st.Panics, st.Failures, st.Kind)
		}
	}
}

func TestNothingIsLostAtShutdown(t *testing.T) {
	const emitters, emissions, links = 4, 200, 5
	bus := signals.NewBus()
	var ends atomic.Int64
	next := func(context.Context, int) { ends.Add(1) }
	for link := range links { // from the last link to the first
		s := signals.Topic[int](bus, fmt.Sprint("link ", links-link), signals.MaxWorkers(1+link))
		s.AddListener(next)
		next = s.Emit
	}
	var accepted atomic.Int64
	first := signals.Topic[int](bus, "link 1")
	var emitting sync.WaitGroup
	enough := make(chan struct{})
	for range emitters {
		emitting.Go(func() {
			for n := range emissions {
				if first.Offer(t.Context(), n) == nil && accepted.Add(1) == emissions {
					close(enough)
				}
			}
		})
	}
	await(t, enough, "some emissions")
	if err := bus.Close(t.Context()); err != nil { // while they go on
		t.Error(err)
	}
	got := ends.Load()
	emitting.Wait()
	if want := accepted.Load(); got != want || ends.Load() != want {
		t.Errorf("%d came to the end of the chain before Close returned, %d in all; %d were accepted", got, ends.Load(), want)
	}
}

func TestOneSlowSubscriberDoesNotBlockTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := signals.New[int]()
		release := make(chan struct{})
		var got [10]int
		for i := range got {
			s.AddListener(func(context.Context, int) {
				if i == 0 {
					<-release
				}
				got[i]++
			})
		}
		const emissions = 1000
		for n := range emissions {
			s.Emit(t.Context(), n)
		}
		synctest.Wait()
		want := [10]int{0, emissions, emissions, emissions, emissions, emissions, emissions, emissions, emissions, emissions}
		if got != want {
			t.Errorf("calls %v; want %v", got, want)
		}
		close(release)
		synctest.Wait()
		if got[0] != emissions {
			t.Errorf("the slow one got %d; want %d", got[0], emissions)
		}
	})
}

func TestASecondCloseDoesNotPanic(t *testing.T) {
	bus := signals.NewBus()
	var scope signals.Scope
	signals.Topic[int](bus, "on a bus").Subscribe(doNothing, signals.In(&scope))
	var zero signals.AsyncSignal[int]
	for name, c := range map[string]interface{ Close(context.Context) error }{
		"async": signals.New[int](), "zero": &zero, "sharded": signals.NewSharded[int](2, nil),
		"bus": bus, "scope": &scope,
	} {
		t.Run(name, func(t *testing.T) {
			var closing sync.WaitGroup
			for range 4 {
				closing.Go(func() {
					for range 3 {
						if err := c.Close(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
			}
			closing.Wait()
		})
	}
}

func TestEmitAfterCloseDoesNotHang(t *testing.T) {
	for name, opt := range map[string]signals.Option{
		"unbounded": signals.Counted(), "block": signals.Capacity(1, signals.Block), "reject": signals.Capacity(1, signals.Reject),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refused := 0
				s := signals.New[int](opt, signals.OnFailure(func(_ context.Context, f signals.Failure) {
					if errors.Is(f.Err, signals.ErrClosed) && f.Listener == "" {
						refused++
					}
				}))
				calls := 0
				s.AddListener(func(context.Context, int) { calls++ })
				s.Emit(t.Context(), 1)
				if err := s.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					s.Emit(t.Context(), 2)
					for call, err := range map[string]error{
						"Offer": s.Offer(t.Context(), 3), "EmitWait": s.EmitWait(t.Context(), 4),
					} {
						if !errors.Is(err, signals.ErrClosed) {
							t.Errorf("%s after Close: %v; want ErrClosed", call, err)
						}
					}
				}
				for range s.Events(t.Context()) {
					t.Error("an event after Close")
				}
				if st := s.Stats(); calls != 1 || refused != 3 || st.Refusals != 9 {
					t.Errorf("%d calls, %d failures, %d refusals; want 1, 3, 9", calls, refused, st.Refusals)
				}
			})
		})
	}
}

func TestAListenersDatabaseCallOutlivesTheRequest(t *testing.T) {
	db := sql.OpenDB(memory{})
	defer db.Close()
	type user struct{}
	signed := signals.New[*http.Request]()
	result := make(chan error, 2)
	signed.AddListenerWithErr(func(ctx context.Context, r *http.Request) error {
		<-r.Context().Done() // the response is out
		if _, err := db.ExecContext(r.Context(), "insert"); err == nil {
			t.Error("the request's own context still serves; the test is wrong")
		}
		_, err := db.ExecContext(ctx, "insert")
		if who := ctx.Value(user{}); err == nil && who != "alice" {
			err = fmt.Errorf("the listener's context says %v; want alice", who)
		}
		if _, ok := ctx.Deadline(); ok {
			err = errors.New("the listener's context has a deadline")
		}
		result <- err
		return err
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), user{}, "alice"), patience)
		defer cancel()
		signed.Emit(ctx, r)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	response, err := server.Client().Post(server.URL, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if err := await(t, result, "the listener"); err != nil {
		t.Error(err)
	}
	drained(t, signed)
}

// memory is a database that accepts every statement.
type memory struct{}

func (memory) Connect(context.Context) (driver.Conn, error) { return memory{}, nil }
func (memory) Driver() driver.Driver                        { return nil }
func (memory) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (memory) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }
func (memory) Close() error                                 { return nil }

func (memory) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), nil
}

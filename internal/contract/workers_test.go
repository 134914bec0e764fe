package contract_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// In a bubble, synctest.Wait returns when every goroutine but the caller has
// ended or is blocked, and no time has passed: what has not happened by then
// waits for a blocked call, or for a timer.

func TestOthersRunWhileTenOfAHundredListenersBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all, emissions = 100, 500
		s := signals.New[int](signals.MaxWorkers(16))
		release := make(chan struct{})
		var got [all]int
		blocks := func(i int) bool { return i%10 == 3 }
		for i := range all {
			s.AddListener(func(context.Context, int) {
				if blocks(i) {
					<-release
				}
				got[i]++
			})
		}
		began := time.Now()
		for n := range emissions {
			s.Emit(t.Context(), n)
		}
		for more := range 3 { // the second and later ones find the ten blocked
			synctest.Wait()
			for i, n := range got {
				want := emissions + more
				if blocks(i) {
					want = 0
				}
				if n != want {
					t.Fatalf("listener %d has run %d times while ten are blocked; want %d", i, n, want)
				}
			}
			if n := s.Stats().Workers; n != 10 {
				t.Fatalf("%d workers while ten listeners are blocked and nothing else is to do; want 10", n)
			}
			s.Emit(t.Context(), emissions+more)
		}
		synctest.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("the others waited %v for a timer", took)
		}
		close(release)
		synctest.Wait()
		for i, n := range got {
			if n != emissions+3 {
				t.Errorf("listener %d has run %d times in all; want %d", i, n, emissions+3)
			}
		}
	})
}

func TestABlockedListenerDelaysNoneOfNinetyNineOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const all, rounds, burst = 100, 20, 150
		s := signals.New[int]()
		release := make(chan struct{})
		var got [all]int
		for i := range all {
			s.AddListener(func(_ context.Context, v int) {
				if i == 42 {
					<-release
				}
				if v != got[i] {
					t.Errorf("listener %d got %d; want %d", i, v, got[i])
				}
				got[i]++
			})
		}
		for n := range rounds {
			for k := range burst {
				s.Emit(t.Context(), n*burst+k)
			}
			synctest.Wait()
			for i := range all {
				if i != 42 && got[i] != (n+1)*burst {
					t.Fatalf("round %d: listener %d has run %d times; want %d", n, i, got[i], (n+1)*burst)
				}
			}
			if w := s.Stats().Workers; w != 1 {
				t.Fatalf("%d workers for one blocked call; want 1", w)
			}
		}
		if got[42] != 0 {
			t.Fatal("the blocked listener went on")
		}
		close(release)
		synctest.Wait()
		if got[42] != rounds*burst {
			t.Errorf("the released listener got %d; want %d", got[42], rounds*burst)
		}
	})
}

// bubbled counts the goroutines of the bubble in which it is called.
func bubbled() (n int) {
	for _, stack := range goroutines() {
		if header, _, _ := strings.Cut(stack, "\n"); strings.Contains(header, "synctest bubble") {
			n++
		}
	}
	return n
}

func TestAnIdleSignalHasNoGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := bubbled()
		var zero signals.AsyncSignal[int]
		all := []signals.Signal[int]{
			&zero,
			signals.New[int](),
			signals.New[int](signals.MaxWorkers(4), signals.Capacity(9, signals.Block)),
			signals.New[int](signals.SlowAfter(time.Second)),
			signals.NewSharded[int](4, nil, signals.MaxWorkers(2)),
		}
		var calls atomic.Int64
		for _, s := range all {
			for range 5 {
				s.Subscribe(func(context.Context, int) error { calls.Add(1); return nil },
					signals.Concurrency(3))
			}
		}
		synctest.Wait()
		if n := bubbled(); n != before {
			t.Fatalf("%d goroutines before the first emission; want %d", n, before)
		}
		for round := range 3 {
			for _, s := range all {
				for n := range 100 {
					s.Emit(t.Context(), n)
				}
			}
			synctest.Wait() // none of them is closed or drained
			if n := bubbled(); n != before {
				t.Fatalf("%d goroutines after the work of round %d; want %d", n, round, before)
			}
		}
		if want := int64(len(all) * 5 * 300); calls.Load() != want {
			t.Errorf("%d calls; want %d", calls.Load(), want)
		}
	})
}

func TestThereIsAtMostOneWorkerForEachCallThatMayRun(t *testing.T) {
	for name, c := range map[string]struct{ listeners, concurrency int }{
		"one":                       {1, 1},
		"three":                     {3, 1},
		"three of four at the time": {3, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := signals.New[int]()
			most := func(max *atomic.Int64, n int64) {
				for old := max.Load(); n > old && !max.CompareAndSwap(old, n); old = max.Load() {
				}
			}
			var workers atomic.Int64
			inside, together := make([]atomic.Int64, c.listeners), make([]atomic.Int64, c.listeners)
			for i := range c.listeners {
				s.Subscribe(func(context.Context, int) error {
					most(&together[i], inside[i].Add(1))
					defer inside[i].Add(-1)
					most(&workers, int64(s.Stats().Workers))
					runtime.Gosched()
					return nil
				}, signals.Concurrency(c.concurrency))
			}
			var emitters sync.WaitGroup
			for range 4 {
				emitters.Go(func() {
					for n := range 250 {
						s.Emit(t.Context(), n)
					}
				})
			}
			emitters.Wait()
			if err := s.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i := range together {
				if n := together[i].Load(); n > int64(c.concurrency) {
					t.Errorf("%d calls of a listener at the same time; want at most %d", n, c.concurrency)
				}
			}
			// One more, which has not begun.
			if n, max := workers.Load(), int64(c.listeners*c.concurrency+1); n < 1 || n > max {
				t.Errorf("up to %d workers; want 1 to %d", n, max)
			}
		})
	}
}

func TestStatsCountTheWorkersThatBlockedCallsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ listeners, concurrency, max, want int }{
			{1, 1, 0, 1}, {7, 1, 0, 7}, {1, 3, 0, 3}, {2, 3, 0, 6}, {20, 1, 4, 4}, {2, 8, 5, 5},
		} {
			var opts []signals.Option
			if c.max > 0 {
				opts = append(opts, signals.MaxWorkers(c.max))
			}
			s := signals.New[int](opts...)
			release := make(chan struct{})
			var calls atomic.Int64
			for range c.listeners {
				s.Subscribe(func(context.Context, int) error { <-release; calls.Add(1); return nil },
					signals.Concurrency(c.concurrency))
			}
			for n := range 30 {
				s.Emit(t.Context(), n)
			}
			synctest.Wait()
			st := s.Stats()
			inFlight := 0
			for _, l := range st.Listeners {
				inFlight += l.InFlight
			}
			if st.Workers != c.want || inFlight != c.want {
				t.Errorf("%+v: %d workers, %d calls in flight", c, st.Workers, inFlight)
			}
			close(release)
			synctest.Wait()
			if n := s.Stats().Workers; n != 0 {
				t.Errorf("%+v: %d workers when idle", c, n)
			}
			if calls.Load() != int64(30*c.listeners) {
				t.Errorf("%+v: %d calls; want %d", c, calls.Load(), 30*c.listeners)
			}
		}
	})
}

// runs returns how often each value follows itself in a row.
func runs(trace []int) (lengths []int) {
	for i, v := range trace {
		if i == 0 || v != trace[i-1] {
			lengths = append(lengths, 0)
		}
		lengths[len(lengths)-1]++
	}
	return lengths
}

// bulky is a payload of which a chunk of the log holds the least: 8.
type bulky [512]byte

func TestUnderMaxWorkersAWorkerLeavesAListenerAfterOneChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const listeners, emissions = 3, 100
		s := signals.New[bulky](signals.MaxWorkers(1))
		release := make(chan struct{})
		var trace []int
		for i := range listeners {
			s.AddListener(func(context.Context, bulky) { <-release; trace = append(trace, i) })
		}
		for range emissions {
			s.Emit(t.Context(), bulky{})
		}
		synctest.Wait()
		close(release)
		synctest.Wait()
		if len(trace) != listeners*emissions {
			t.Fatalf("%d calls; want %d", len(trace), listeners*emissions)
		}
		if n := slices.Max(runs(trace)); n > 8 {
			t.Errorf("a listener had the only worker for %d calls in a row; want 8 at most", n)
		}
	})
}

func TestUnderMaxWorkersAWorkerLeavesAShardAfterOneChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards, emissions = 4, 100
		var trace []int
		release := make(chan struct{})
		s := signals.NewSharded(shards, func(v bulky) uint64 { return uint64(v[0]) }, signals.MaxWorkers(1))
		s.AddListener(func(_ context.Context, v bulky) { <-release; trace = append(trace, int(v[0])) })
		for shard := range shards {
			for range emissions {
				s.Emit(t.Context(), bulky{byte(shard)})
			}
		}
		synctest.Wait()
		close(release)
		synctest.Wait()
		if len(trace) != shards*emissions {
			t.Fatalf("%d calls; want %d", len(trace), shards*emissions)
		}
		if n := slices.Max(runs(trace)); n > 8 {
			t.Errorf("a shard had the only worker for %d calls in a row; want 8 at most", n)
		}
	})
}

func TestMaxWorkersIsSharedByAllShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards, listeners, emissions, workers = 8, 3, 200, 2
		s := signals.NewSharded(shards, func(v int) uint64 { return uint64(v) }, signals.MaxWorkers(workers))
		step := make(chan struct{})
		var inside, calls int64
		var mu sync.Mutex
		for range listeners {
			s.AddListener(func(context.Context, int) {
				mu.Lock()
				if inside++; inside > workers {
					t.Errorf("%d calls at the same time; want %d at most", inside, workers)
				}
				mu.Unlock()
				<-step
				mu.Lock()
				inside--
				calls++
				mu.Unlock()
			})
		}
		for n := range emissions {
			s.Emit(t.Context(), n)
		}
		for range 10 {
			synctest.Wait()
			if n := s.Stats().Workers; n != workers {
				t.Fatalf("%d workers with work on every shard; want %d", n, workers)
			}
			step <- struct{}{}
		}
		close(step)
		synctest.Wait()
		if calls != emissions*listeners {
			t.Errorf("%d calls; want %d", calls, emissions*listeners)
		}
		if n := s.Stats().Workers; n != 0 {
			t.Errorf("%d workers when idle", n)
		}
	})
}

func TestWorkersPickListenersByPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := signals.New[int](signals.MaxWorkers(1))
		var trace []string
		release := make(chan struct{})
		for _, l := range []struct {
			name     string
			priority int
		}{{"low", -3}, {"gate", 9}, {"zero", 0}, {"high1", 5}, {"high2", 5}, {"zero2", 0}} {
			s.Subscribe(func(context.Context, int) error {
				if l.name == "gate" {
					<-release
				}
				trace = append(trace, l.name)
				return nil
			}, signals.Priority(l.priority))
		}
		want := []string{"gate", "high1", "high2", "zero", "zero2", "low"}
		for range 3 {
			trace = nil
			s.Emit(t.Context(), 1)
			synctest.Wait()
			release <- struct{}{}
			synctest.Wait()
			if !slices.Equal(trace, want) {
				t.Errorf("order %q; want %q", trace, want)
			}
		}
		// A listener whose work comes while another of lower priority waits
		// goes first all the same.
		trace = nil
		s.Emit(t.Context(), 1)
		s.Emit(t.Context(), 2)
		synctest.Wait()
		close(release)
		synctest.Wait()
		want = []string{"gate", "gate", "high1", "high1", "high2", "high2", "zero", "zero", "zero2", "zero2", "low", "low"}
		if !slices.Equal(trace, want) {
			t.Errorf("order %q; want %q", trace, want)
		}
	})
}

func TestGoexitReplacesTheWorker(t *testing.T) {
	for _, where := range []string{"listener", "handler", "both"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const emissions = 300
				var failures []error
				s := signals.New[int](signals.MaxWorkers(1), signals.OnFailure(func(_ context.Context, f signals.Failure) {
					failures = append(failures, f.Err)
					if where != "listener" {
						runtime.Goexit()
					}
				}))
				var got []int
				errOdd := errors.New("odd")
				s.AddListenerWithErr(func(_ context.Context, v int) error {
					got = append(got, v)
					if v%7 != 0 {
						return nil
					}
					if where != "handler" {
						runtime.Goexit()
					}
					return errOdd
				})
				var others int
				s.AddListener(func(context.Context, int) { others++ })
				for n := range emissions {
					s.Emit(t.Context(), n)
				}
				if err := s.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(got) != emissions || !slices.IsSorted(got) {
					t.Errorf("got %d emissions, in order: %v; want %d, in order", len(got), slices.IsSorted(got), emissions)
				}
				if others != emissions {
					t.Errorf("the other listener got %d; want %d", others, emissions)
				}
				want := signals.ErrGoexit
				if where == "handler" {
					want = errOdd
				}
				count := 0
				for _, err := range failures {
					if errors.Is(err, want) {
						count++
					}
				}
				if n := (emissions + 6) / 7; count != n {
					t.Errorf("%d failures are %v; want %d", count, want, n)
				}
				synctest.Wait()
				if st := s.Stats(); st.Workers != 0 || st.Pending != 0 {
					t.Errorf("%d workers and %d pending when idle", st.Workers, st.Pending)
				}
				if err := s.EmitWait(t.Context(), 7); !errors.Is(err, want) && where != "handler" {
					t.Errorf("EmitWait: %v; want %v", err, want)
				}
			})
		})
	}
}

// It is called on the goroutine of the worker that was to make the call.
func TestAnObserverThatIsSlowToBeToldOfADropHoldsUpNoOtherListener(t *testing.T) {
	severalProcessors(t)
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		told := false
		s := signals.New[int](signals.Observe(signals.Observer{Drop: func(*signals.ListenerInfo, int) {
			told = true
			<-goOn
		}}))
		asked := make(chan struct{})
		leaves := s.Subscribe(nothing, signals.Filter(func(int) bool { <-asked; return true }))
		sum := 0
		s.AddListener(func(_ context.Context, n int) { sum += n })
		s.Emit(t.Context(), 1)
		synctest.Wait()
		leaves.Unsubscribe() // what its filter looks at will be dropped
		close(asked)
		synctest.Wait()
		s.Emit(t.Context(), 2)
		synctest.Wait()
		if !told || sum != 3 {
			t.Errorf("told %v, and the other listener got %d, want 3", told, sum)
		}
		close(goOn)
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// severalProcessors is for what one processor has no use of.
func severalProcessors(t *testing.T) {
	old := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(old, 2))
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

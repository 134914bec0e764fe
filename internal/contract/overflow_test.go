package contract_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"example.com/signals"
)

// gate is a listener that holds each call until it is let through.
type gate struct {
	in   chan int      // payloads of the calls begun
	out  chan func()   // run inside the call, before it ends
	free chan struct{} // closed: no call is held any more
}

func newGate() *gate {
	return &gate{in: make(chan int, 1000), out: make(chan func()), free: make(chan struct{})}
}

func (g *gate) listen(_ context.Context, v int) error {
	g.in <- v
	select {
	case f := <-g.out:
		f()
	case <-g.free:
	}
	return nil
}

// pass lets the call that is held end.
func (g *gate) pass() { g.out <- func() {} }

// begun returns the payloads of the calls begun since it was last asked.
func (g *gate) begun() (got []int) {
	for {
		select {
		case v := <-g.in:
			got = append(got, v)
		default:
			return got
		}
	}
}

// want compares a value in a bubble where all has come to rest.
func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// queued is a signal of that capacity, filled with 1 to capacity, which its
// only listener holds, and n emissions more that wait, each with its context.
type queued struct {
	s       *signals.AsyncSignal[int]
	gate    *gate
	sub     *signals.Subscription
	cancel  []context.CancelFunc
	results []error // of those that wait; errWaits until they return
	mu      sync.Mutex
}

var errWaits = errors.New("still waits")

func newQueued(t *testing.T, capacity, n int, opts ...signals.ListenerOption) *queued {
	q := &queued{s: signals.New[int](signals.Name("bounded"), signals.Capacity(capacity, signals.Block)), gate: newGate()}
	q.sub = q.s.Subscribe(q.gate.listen, opts...)
	for i := range capacity {
		q.s.Emit(t.Context(), i+1)
		synctest.Wait()
	}
	for i := range n {
		ctx, cancel := context.WithCancel(context.Background())
		q.cancel = append(q.cancel, cancel)
		q.results = append(q.results, errWaits)
		go func() {
			err := q.s.Offer(ctx, capacity+1+i)
			q.mu.Lock()
			defer q.mu.Unlock()
			q.results[i] = err
		}()
		synctest.Wait()
	}
	return q
}

// waiting returns which of the emissions still wait.
func (q *queued) waiting() (left []int) {
	synctest.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, err := range q.results {
		if err == errWaits { //nolint:errorlint // the very value
			left = append(left, i)
		}
	}
	return left
}

func (q *queued) end(t *testing.T) {
	close(q.gate.free)
	synctest.Wait()
	for _, cancel := range q.cancel {
		cancel()
	}
	if err := q.s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func numbers(from, to int) (n []int) {
	for i := from; i <= to; i++ {
		n = append(n, i)
	}
	return n
}

func TestBlockedEmissionsAreServedInOrderAsCallsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t, 3, 20)
		for i := range 20 {
			want(t, "waiting", q.waiting(), numbers(i, 19))
			want(t, "pending", q.s.Pending(), 3)
			q.gate.pass()
		}
		want(t, "waiting", q.waiting(), numbers(1, 0))
		q.end(t)
		want(t, "delivered", q.gate.begun(), numbers(1, 23))
		want(t, "refused", q.s.Stats().Refusals, 0)
	})
}

func TestRemovingTheStuckListenerMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t, 3, 5)
		other := newGate()
		q.s.Subscribe(other.listen)
		q.sub.Unsubscribe() // drops 2 and 3; 1 is in flight, and pending
		want(t, "waiting", q.waiting(), numbers(2, 4))
		want(t, "pending", q.s.Pending(), 3)
		want(t, "drops", q.s.Stats().Drops, 2)
		q.gate.pass()
		want(t, "waiting", q.waiting(), numbers(3, 4))
		close(other.free)
		want(t, "waiting", q.waiting(), numbers(1, 0))
		q.end(t)
		want(t, "delivered", other.begun(), numbers(4, 8))
		want(t, "delivered to the removed one", q.gate.begun(), []int{1})
	})
}

func TestRemovingTheLastListenerLetsAllIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t, 2, 5)
		q.s.Reset()
		want(t, "waiting", q.waiting(), numbers(1, 0))
		q.gate.pass()
		synctest.Wait()
		want(t, "pending", q.s.Pending(), 0)
		want(t, "accepted", q.s.Stats().Emissions, 7)
		q.end(t)
	})
}

func TestBlockedEmissionWhoseContextEndsLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t, 1, 4)
		q.cancel[0]()
		q.cancel[2]()
		want(t, "waiting", q.waiting(), []int{1, 3})
		for _, i := range []int{0, 2} {
			if !errors.Is(q.results[i], context.Canceled) {
				t.Errorf("emission %d: %v", i, q.results[i])
			}
		}
		q.gate.pass()
		want(t, "waiting", q.waiting(), []int{3})
		q.gate.pass()
		want(t, "waiting", q.waiting(), numbers(1, 0))
		q.end(t)
		want(t, "delivered", q.gate.begun(), []int{1, 3, 5})
		want(t, "refused", q.s.Stats().Refusals, 2)

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		full := newQueued(t, 1, 0)
		if err := full.s.Offer(ended, 2); !errors.Is(err, context.Canceled) {
			t.Errorf("Offer that would wait, with a context that has ended: %v", err)
		}
		full.end(t)
	})
}

func TestCloseReleasesBlockedEmissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failures atomic.Int32
		s := signals.New[int](signals.Capacity(1, signals.Block), signals.OnFailure(func(_ context.Context, f signals.Failure) {
			if f.Listener == "" && f.Payload == 2 && errors.Is(f.Err, signals.ErrClosed) {
				failures.Add(1)
			}
		}))
		g := newGate()
		s.Subscribe(g.listen)
		s.Emit(t.Context(), 1)
		emitted, waited, closed := make(chan bool), make(chan error, 1), make(chan error, 1)
		go func() {
			s.Emit(context.Background(), 2)
			close(emitted)
		}()
		go func() { waited <- s.EmitWait(context.Background(), 3) }()
		synctest.Wait()
		go func() { closed <- s.Close(context.Background()) }()
		<-emitted
		if err := <-waited; !errors.Is(err, signals.ErrClosed) {
			t.Errorf("EmitWait: %v", err)
		}
		want(t, "failures", failures.Load(), 1)
		want(t, "refused", s.Stats().Refusals, 2)
		want(t, "pending", s.Pending(), 1)
		want(t, "closed before it was drained", len(closed), 0)
		g.pass()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		want(t, "delivered", g.begun(), []int{1})
	})
}

// KeepLatest drops two and keeps the one that came: there is room for one more.
func TestDropsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueued(t, 3, 2, signals.MaxLag(2, signals.KeepLatest)) // 1 in flight, 2 and 3 wait
		goOn := make(chan bool)
		q.gate.out <- func() {
			q.s.Emit(context.Background(), 100)
			<-goOn
		}
		want(t, "waiting", q.waiting(), []int{1})
		want(t, "drops", q.s.Stats().Drops, 2)
		want(t, "pending", q.s.Pending(), 3)
		want(t, "over capacity", q.s.Stats().OverCapacity, 1)
		close(goOn)
		want(t, "waiting", q.waiting(), numbers(1, 0))
		q.end(t)
		want(t, "delivered", q.gate.begun(), []int{1, 5}) // 100 and 4 waited as 5 came
		want(t, "drops", q.s.Stats().Drops, 4)
	})
}

func TestBlockNeverWaitsInsideAListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 50
		s := signals.New[int](signals.Capacity(1, signals.Block))
		var got []int
		s.AddListener(func(ctx context.Context, v int) {
			got = append(got, v)
			if v == 0 {
				for i := range n {
					s.Emit(ctx, i+1)
				}
			}
		})
		s.Emit(t.Context(), 0)
		synctest.Wait()
		want(t, "delivered", got, numbers(0, n))
		want(t, "over capacity", s.Stats().OverCapacity, n)
	})
	synctest.Test(t, func(t *testing.T) {
		const n = 50
		s := signals.New[int](signals.Capacity(1, signals.Block))
		var got []int
		s.AddListener(func(ctx context.Context, v int) {
			got = append(got, v)
			if v < n {
				s.Emit(ctx, v+1)
			}
		})
		s.Emit(t.Context(), 0)
		synctest.Wait()
		want(t, "delivered", got, numbers(0, n))
		want(t, "over capacity", s.Stats().OverCapacity, n)
	})
}

func TestTwoFullSignalsThatEmitIntoEachOtherDoNotDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newQueued(t, 1, 2), newQueued(t, 1, 2)
		bDone := make(chan bool)
		go func() {
			b.gate.out <- func() { a.s.Emit(context.Background(), 100) }
			close(bDone)
		}()
		a.gate.out <- func() { b.s.Emit(context.Background(), 200) }
		<-bDone
		synctest.Wait()
		want(t, "over capacity", []uint64{a.s.Stats().OverCapacity, b.s.Stats().OverCapacity}, []int{1, 1})
		a.end(t)
		b.end(t)
		for _, q := range []*queued{a, b} {
			want(t, "number delivered", len(q.gate.begun()), 4)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		const n, emitters = 40, 3
		ping := signals.New[int](signals.Name("ping"), signals.Capacity(1, signals.Block))
		pong := signals.New[int](signals.Name("pong"), signals.Capacity(1, signals.Block))
		var pings, pongs int
		ping.AddListener(func(ctx context.Context, v int) {
			pings++
			if v < n {
				pong.Emit(ctx, v+1)
				pong.Emit(ctx, n)
			}
		})
		pong.AddListener(func(ctx context.Context, v int) {
			pongs++
			if v < n {
				ping.Emit(ctx, v+1)
			}
		})
		for range emitters {
			go ping.Emit(context.Background(), 0)
		}
		synctest.Wait()
		want(t, "pings", pings, emitters*(n/2+1))
		want(t, "pongs", pongs, emitters*n)
		want(t, "pending", ping.Pending()+pong.Pending(), 0)
	})
}

func TestRejectRefusesAlsoInsideAListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failures []signals.Failure
		s := signals.New[int](signals.Name("strict"), signals.Capacity(2, signals.Reject),
			signals.OnFailure(func(_ context.Context, f signals.Failure) { failures = append(failures, f) }))
		g := newGate()
		s.Subscribe(g.listen)
		s.Emit(t.Context(), 1)
		s.Emit(t.Context(), 2)
		synctest.Wait()
		s.Emit(t.Context(), 3)
		want(t, "refused", s.Stats().Refusals, 1)
		for _, refuse := range []func(context.Context, int) error{s.Offer, s.EmitWait} {
			if err := refuse(t.Context(), 4); !errors.Is(err, signals.ErrOverflow) {
				t.Errorf("refused with %v", err)
			}
		}
		g.out <- func() {
			if err := s.Offer(t.Context(), 5); !errors.Is(err, signals.ErrOverflow) {
				t.Errorf("inside a listener: %v", err)
			}
			s.Emit(t.Context(), 6)
		}
		g.pass()
		synctest.Wait()
		want(t, "delivered", g.begun(), []int{1, 2})
		st := s.Stats()
		want(t, "refused, over, accepted, failures", []any{st.Refusals, st.OverCapacity, st.Emissions, st.Failures}, []any{5, 0, 2, 0})
		if len(failures) != 2 || failures[0].Payload != 3 || failures[1].Payload != 6 {
			t.Fatalf("failures %+v", failures)
		}
		for _, f := range failures {
			if f.Listener != "" || f.Signal != "strict" || !errors.Is(f.Err, signals.ErrOverflow) {
				t.Errorf("failure %+v", f)
			}
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// n counts what waits, not the call in flight, and for this listener only.
func TestMaxLagDropsForOneListenerOnly(t *testing.T) {
	for _, c := range []struct {
		policy    signals.LagPolicy
		n, emit   int
		delivered []int
	}{
		{signals.DropOldest, 3, 4, []int{1, 2, 3, 4}},
		{signals.DropOldest, 3, 10, []int{1, 8, 9, 10}},
		{signals.DropOldest, 1, 200, []int{1, 200}},
		{signals.DropOldest, 150, 700, append([]int{1}, numbers(551, 700)...)},
		{signals.KeepLatest, 1, 10, []int{1, 10}},
		{signals.KeepLatest, 3, 4, []int{1, 2, 3, 4}},
		{signals.KeepLatest, 3, 5, []int{1, 5}},
		{signals.KeepLatest, 3, 7, []int{1, 5, 6, 7}},
		{signals.KeepLatest, 3, 8, []int{1, 8}},
	} {
		t.Run(fmt.Sprint(c.policy, c.n, c.emit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := map[string]int{}
				s := signals.New[int](signals.Observe(signals.Observer{
					Drop: func(l *signals.ListenerInfo, n int) { told[l.Key] += n },
				}))
				bounded, free := newGate(), newGate()
				sub := s.Subscribe(bounded.listen, signals.Key("bounded"), signals.MaxLag(c.n, c.policy))
				all := s.Subscribe(free.listen, signals.Key("free"))
				for i := range c.emit {
					s.Emit(t.Context(), i+1)
					synctest.Wait()
				}
				drops := c.emit - len(c.delivered)
				want(t, "lag", sub.Stats().Lag, len(c.delivered))
				want(t, "lag of the other", all.Stats().Lag, c.emit)
				want(t, "pending", s.Pending(), c.emit)
				close(bounded.free)
				close(free.free)
				if err := s.Drain(t.Context()); err != nil {
					t.Fatal(err)
				}
				want(t, "delivered", bounded.begun(), c.delivered)
				want(t, "delivered to the other", free.begun(), numbers(1, c.emit))
				want(t, "drops", sub.Stats().Drops, drops)
				want(t, "drops of the other", all.Stats().Drops, 0)
				want(t, "drops in all", s.Stats().Drops, drops)
				want(t, "told", told["bounded"], drops)
				want(t, "told of the other", told["free"], 0)
			})
		})
	}
}

// The log does not trim at each emission. Whenever it does, what is kept must be
// what trimming at each would have kept.
func TestMaxLagKeepsWhatOneByOneWouldKeep(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	first := rand.Uint64()
	for i := range rounds {
		seed := first + uint64(i)
		rng := rand.New(rand.NewPCG(seed, 0))
		synctest.Test(t, func(t *testing.T) {
			n, policy := 1+rng.IntN(12), signals.LagPolicy(rng.IntN(2))
			s := signals.New[wide]() // few fit a chunk
			g := newGate()
			sub := s.Subscribe(func(ctx context.Context, w wide) error { return g.listen(ctx, w.n) }, signals.MaxLag(n, policy))
			s.Emit(t.Context(), wide{n: 0})
			synctest.Wait()
			got, calls, line, drops := g.begun(), []int{0}, []int(nil), 0
			for v := 1; v < 80; v++ {
				s.Emit(t.Context(), wide{n: v})
				if line = append(line, v); len(line) > n {
					keep := line[1:]
					if policy == signals.KeepLatest {
						keep = line[n:]
					}
					drops += len(line) - len(keep)
					line = slices.Clone(keep)
				}
				switch rng.IntN(12) {
				case 0:
					if st := sub.Stats(); st.Lag != 1+len(line) || st.Drops != uint64(drops) {
						t.Errorf("lag %d, drops %d; want %d, %d", st.Lag, st.Drops, 1+len(line), drops)
					}
				case 1, 2: // the call ends, the next begins
					g.pass()
					synctest.Wait()
					calls, line = append(calls, line[0]), line[1:]
					if got = append(got, g.begun()...); !slices.Equal(got, calls) {
						t.Errorf("delivered %v, want %v", got, calls)
					}
				}
				if len(line) == 0 { // there must be a call to end
					s.Emit(t.Context(), wide{n: -v})
					line = append(line, -v)
				}
			}
			close(g.free)
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if got = append(got, g.begun()...); !slices.Equal(got, append(calls, line...)) {
				t.Errorf("delivered %v, want %v", got, append(calls, line...))
			}
			if t.Failed() {
				t.Fatalf("seed %d, MaxLag(%d, %d)", seed, n, policy)
			}
		})
		if t.Failed() {
			return
		}
	}
}

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

func identity(v int) uint64 { return uint64(v) }

// begun returns the payloads of the calls that have begun at a door when all
// is at rest, sorted.
func (d *door) begun() []int {
	synctest.Wait()
	vs := []int{}
	for len(d.in) > 0 {
		vs = append(vs, <-d.in)
	}
	slices.Sort(vs)
	return vs
}

// TestOrderOfAKeyIsKeptOnItsShard has listeners that write, for each key, to a
// variable of its own without a lock.
func TestOrderOfAKeyIsKeptOnItsShard(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		const keys, each = 8, 300
		type event struct{ key, n int }
		s := signals.NewSharded(3, func(e event) uint64 { return uint64(e.key) * 7919 }, opts...)
		var got [2][keys][]int
		for i := range got {
			s.AddListener(func(_ context.Context, e event) { got[i][e.key] = append(got[i][e.key], e.n) })
		}
		var wg sync.WaitGroup
		for k := range keys {
			wg.Go(func() {
				for n := range each {
					s.Emit(t.Context(), event{k, n})
				}
			})
		}
		wg.Wait()
		mustDrain(t, s)
		for i := range got {
			for k := range keys {
				if len(got[i][k]) != each || !slices.IsSorted(got[i][k]) {
					t.Errorf("listener %d got %d of key %d, in order: %v", i, len(got[i][k]), k, slices.IsSorted(got[i][k]))
				}
			}
		}
	})
}

func TestAListenerRunsOnSeveralShardsAtOnceAndOneAtATimeOnEach(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		synctest.Test(t, func(t *testing.T) {
			d := newDoor()
			s := signals.NewSharded(4, identity, opts...)
			sub := s.Subscribe(d.pass, signals.Key("it"))
			for v := range 12 { // three a shard
				s.Emit(t.Context(), v)
			}
			if got := d.begun(); !slices.Equal(got, []int{0, 1, 2, 3}) {
				t.Errorf("began with %v, want the first of each shard", got)
			}
			if l := sub.Stats(); l.InFlight != 4 || l.Lag != 12 || s.Pending() != 12 {
				t.Errorf("%d pending, %+v", s.Pending(), l)
			}
			d.out <- struct{}{}
			next := d.begun()
			if len(next) != 1 || next[0] < 4 || next[0] > 7 {
				t.Errorf("then began %v, want one that comes next on its shard", next)
			}
			d.open()
			mustDrain(t, s)
			if l := sub.Stats(); l.InFlight != 0 || l.Lag != 0 || l.Deliveries != 12 {
				t.Errorf("got %+v", l)
			}
		})
	})
}

func TestWithoutAKeyShardsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		s := signals.NewSharded[int](3, nil)
		s.Subscribe(d.pass)
		for v := range 9 {
			s.Emit(t.Context(), v)
		}
		if got := d.begun(); !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("began with %v, want 0, 1 and 2", got)
		}
		d.open()
		mustDrain(t, s)
		if got := d.begun(); !slices.Equal(got, []int{3, 4, 5, 6, 7, 8}) {
			t.Errorf("then came %v", got)
		}
	})
}

func TestARegistrationOnAShardedSignalIsOneListener(t *testing.T) {
	s := signals.NewSharded(4, identity, signals.Name("moves"))
	if n := s.AddListener(func(context.Context, int) {}, "a"); n != 1 {
		t.Errorf("AddListener returned %d, want 1", n)
	}
	if n := s.AddListenerWithErr(nothing, "b"); n != 2 {
		t.Errorf("AddListenerWithErr returned %d, want 2", n)
	}
	if s.AddListener(func(context.Context, int) {}, "a") != -1 || s.Len() != 2 || !slices.Equal(s.Keys(), []string{"a", "b"}) {
		t.Errorf("%d listeners, keys %v", s.Len(), s.Keys())
	}
	if sub, err := s.TrySubscribe(nothing, signals.Key("b")); sub != nil || !errors.Is(err, signals.ErrKeyTaken) {
		t.Errorf("TrySubscribe returned %v, %v", sub, err)
	}
	for v := range 8 {
		s.Emit(t.Context(), v)
	}
	mustDrain(t, s)
	st := s.Stats()
	if st.Name != "moves" || st.Kind != signals.KindSharded || st.Emissions != 8 || st.Deliveries != 16 || len(st.Listeners) != 2 || st.Listeners[0].Deliveries != 8 {
		t.Errorf("got %+v", st)
	}
	if n := s.RemoveListener("a"); n != 1 || s.HasKey("a") {
		t.Errorf("RemoveListener returned %d, want 1", n)
	}
	s.Reset()
	if !s.IsEmpty() {
		t.Errorf("after Reset: %v", s.Keys())
	}
}

func TestOnceIsOnceInAllShards(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		for range 10 {
			s := signals.NewSharded(4, identity, opts...)
			var calls [3]atomic.Int32
			for i := range calls {
				s.Subscribe(func(context.Context, int) error { calls[i].Add(1); return nil }, signals.Once(), signals.Concurrency(1+i))
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for v := range 8 {
						s.Emit(t.Context(), v)
					}
				})
			}
			wg.Wait()
			mustDrain(t, s)
			for i := range calls {
				if n := calls[i].Load(); n != 1 {
					t.Errorf("listener %d was called %d times", i, n)
				}
			}
			if !s.IsEmpty() {
				t.Errorf("%d are still registered", s.Len())
			}
		}
	})
}

func TestCapacityAndMaxLagCountPerShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		s := signals.NewSharded(2, identity, signals.Name("moves"), signals.Capacity(3, signals.Reject))
		s.Subscribe(d.pass)
		lossy := s.Subscribe(d.pass, signals.MaxLag(1, signals.KeepLatest))
		for shard := range 2 { // the one that is full refuses nothing for the other
			for i := range 3 {
				if err := s.Offer(t.Context(), 2*i+shard); err != nil {
					t.Error(err)
				}
				synctest.Wait()
			}
			if err := s.Offer(t.Context(), 6+shard); !errors.Is(err, signals.ErrOverflow) {
				t.Errorf("emission 4 on shard %d: %v", shard, err)
			}
		}
		st := s.Stats()
		if st.Pending != 6 || st.Refusals != 2 || st.Emissions != 6 {
			t.Errorf("got %+v", st)
		}
		// Of three on each shard one is under way and one waits.
		if l := lossy.Stats(); l.Drops != 2 || l.Lag != 4 || l.InFlight != 2 {
			t.Errorf("got %+v", l)
		}
		d.open()
		mustDrain(t, s)
	})
}

func TestEmitWaitOfAShardedSignal(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.NewSharded(3, identity, append(opts, signals.Name("moves"), signals.OnFailure(func(context.Context, signals.Failure) {}))...)
		var got [3][]int // by shard, without locks
		s.Subscribe(func(_ context.Context, v int) error {
			got[v%3] = append(got[v%3], v)
			if v == 5 {
				return errNo
			}
			return nil
		}, signals.Key("it"))
		for v := range 30 {
			err := s.EmitWait(t.Context(), v)
			var le *signals.ListenerError
			if errors.Is(err, errNo) != (v == 5) || errors.As(err, &le) != (v == 5) {
				t.Errorf("EmitWait of %d: %v", v, err)
			}
			if vs := got[v%3]; len(vs) == 0 || vs[len(vs)-1] != v {
				t.Errorf("EmitWait of %d has not waited: %v", v, vs)
			}
		}
		s.AddListenerWithErr(func(ctx context.Context, v int) error {
			return errors.Join(s.EmitWait(ctx, v+1), s.Drain(ctx), s.Close(ctx)) // also on another shard
		})
		before := s.Stats().Emissions
		err := s.EmitWait(t.Context(), 30)
		if n := strings.Count(err.Error(), signals.ErrWouldDeadlock.Error()); n != 3 || !errors.Is(err, signals.ErrWouldDeadlock) {
			t.Errorf("%d of 3 would deadlock: %v", n, err)
		}
		if st := s.Stats(); st.Emissions != before+1 || st.Closed {
			t.Errorf("got %+v", st)
		}
	})
}

func TestDrainAndCloseOfAShardedSignalWaitForEveryShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		s := signals.NewSharded(3, identity, signals.Name("moves"))
		s.Subscribe(d.pass)
		for v := range 7 {
			s.Emit(t.Context(), v)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for name, wait := range map[string]func(context.Context) error{"Drain": s.Drain, "Close": s.Close} {
			if err := wait(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `"moves"`) || !strings.Contains(err.Error(), "7 emissions left") {
				t.Errorf("%s: %v", name, err)
			}
		}
		for v := range 3 {
			if err := s.Offer(t.Context(), v); !errors.Is(err, signals.ErrClosed) {
				t.Errorf("shard %d: %v", v, err)
			}
		}
		errs := make(chan error, 4)
		for range 2 {
			go func() { errs <- s.Close(t.Context()) }()
			go func() { errs <- s.Drain(t.Context()) }()
		}
		for range 6 {
			d.out <- struct{}{}
			synctest.Wait()
			if len(errs) != 0 {
				t.Fatal("returned before every shard was done")
			}
		}
		d.open()
		for range 4 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if st := s.Stats(); st.Deliveries != 7 || !st.Closed || st.Pending != 0 {
			t.Errorf("got %+v", st)
		}
		if sub, err := s.TrySubscribe(nothing); sub != nil || !errors.Is(err, signals.ErrClosed) {
			t.Errorf("TrySubscribe returned %v, %v", sub, err)
		}
		if sub := s.Subscribe(nothing); sub == nil || s.Len() != 2 {
			t.Error("Subscribe on a closed signal must succeed")
		}
	})
}

func TestConservationWhileAShardedSignalCloses(t *testing.T) {
	for name, key := range map[string]func(int) uint64{"keys": identity, "round robin": nil} {
		t.Run(name, func(t *testing.T) {
			s := signals.NewSharded(3, key, signals.Capacity(50, signals.Block))
			var delivered, accepted atomic.Int64
			s.AddListener(func(context.Context, int) { delivered.Add(1) })
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for v, refused := 0, 0; refused < 10; v++ {
						switch err := s.Offer(t.Context(), v); {
						case err == nil:
							accepted.Add(1)
						case errors.Is(err, signals.ErrClosed):
							refused++
						default:
							t.Error(err)
							return
						}
					}
				})
			}
			for accepted.Load() < 1000 {
				runtime.Gosched()
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			atClose := delivered.Load()
			wg.Wait()
			if n := accepted.Load(); atClose != n || delivered.Load() != n || s.Stats().Emissions != uint64(n) {
				t.Errorf("accepted %d, delivered %d when Close returned and %d at last", n, atClose, delivered.Load())
			}
		})
	}
}

func TestRemovalOnAShardedSignalEndsTheCallsOfEveryShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		s := signals.NewSharded(3, identity)
		sub := s.Subscribe(d.pass)
		for v := range 12 {
			s.Emit(t.Context(), v)
		}
		d.begun()
		sub.Unsubscribe()
		waited := make(chan error, 1)
		go func() { waited <- sub.Wait(t.Context()) }()
		for range 3 {
			synctest.Wait()
			if len(waited) != 0 {
				t.Fatal("Wait returned while a call was in flight")
			}
			d.out <- struct{}{}
		}
		if err := <-waited; err != nil {
			t.Error(err)
		}
		mustDrain(t, s)
		if l := sub.Stats(); len(d.begun()) != 0 || l.Deliveries != 3 || l.Drops != 9 {
			t.Errorf("got %+v", l)
		}
	})
}

func TestListenersOfAShardedSignalGetTheValuesOfAContextAndNeverItsEnd(t *testing.T) {
	type key struct{}
	s := signals.NewSharded[int](2, nil)
	s.AddListener(func(ctx context.Context, v int) {
		if ctx.Err() != nil || v >= 0 && ctx.Value(key{}) != v || v < 0 && ctx != context.Background() {
			t.Errorf("%d: value %v, err %v", v, ctx.Value(key{}), ctx.Err())
		}
	})
	for v := range 4 {
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, v))
		cancel()
		s.Emit(ctx, v)
	}
	var none context.Context
	s.Emit(none, -1)
	if err := errors.Join(s.Offer(none, -2), s.EmitWait(none, -3), s.Drain(none), s.Close(none)); err != nil {
		t.Error(err)
	}
	if n := s.Stats().Deliveries; n != 7 {
		t.Errorf("%d deliveries, want 7", n)
	}
}

func TestTheZeroShardedSignalHasOneShard(t *testing.T) {
	var s signals.ShardedSignal[int]
	s.Emit(t.Context(), 1)
	var got []int // one shard: no lock
	s.AddListener(func(_ context.Context, v int) { got = append(got, v) })
	for v := range 300 {
		s.Emit(t.Context(), v)
	}
	if err := errors.Join(s.EmitWait(t.Context(), 300), s.Drain(t.Context()), s.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if len(got) != 301 || !slices.IsSorted(got) {
		t.Errorf("got %v", got)
	}
	if err := s.Offer(t.Context(), 1); !errors.Is(err, signals.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

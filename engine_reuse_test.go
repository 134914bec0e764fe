package signals

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// The list of claims grows out of the reader when calls run at once: what lies
// where it began must not be kept.
func TestAListenerThatRanSeveralCallsAtOnceKeepsNoClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New[int](OnFailure(func(context.Context, Failure) {}))
		release := make(chan struct{})
		sub := s.Subscribe(func(context.Context, int) error { <-release; return errors.New("no") }, Concurrency(2))
		for i := range 2 {
			go func() { _ = s.EmitWait(t.Context(), i) }()
		}
		synctest.Wait()
		close(release)
		synctest.Wait()
		r := sub.reg.(*entry[int]).readers[0]
		kept := append(r.claims[:cap(r.claims):cap(r.claims)], r.first[:]...)
		for _, cl := range kept {
			if cl.c != nil || cl.wait != nil {
				t.Errorf("kept: %+v", cl)
			}
		}
	})
}

// Workers of several shards, which go from one to the other and are used again,
// are all accounted for when there is nothing to do, whatever the listeners
// did to them.
func TestWorkersThatRestKeepNothing(t *testing.T) {
	const emitters, each = 3, 200
	s := NewSharded(3, func(v int) uint64 { return uint64(v) }, MaxWorkers(2), OnFailure(func(context.Context, Failure) {}))
	var calls atomic.Int64
	do := func(v int) error {
		switch v % 9 {
		case 1:
			return errors.New("no")
		case 2:
			panic("no")
		case 3:
			runtime.Goexit()
		}
		return nil
	}
	stays := []*Subscription{
		s.Subscribe(func(_ context.Context, v int) error { calls.Add(1); return do(v) }, Key("one")),
		s.Subscribe(func(_ context.Context, v int) error { calls.Add(1); return do(v) }, Key("four"), Concurrency(4)),
		s.Subscribe(func(_ context.Context, v int) error { calls.Add(1); return do(v) }, Key("newest"), MaxLag(2, DropOldest)),
	}
	var emit sync.WaitGroup
	for by := range emitters {
		emit.Go(func() {
			for n := range each {
				v := by*each + n
				key := fmt.Sprint("guest ", v)
				s.AddListenerWithErr(func(_ context.Context, got int) error {
					if got != v { // it removes itself
						s.RemoveListener(key)
					}
					return do(got)
				}, key)
				if n%4 > 0 {
					s.Emit(t.Context(), v)
				} else if err := s.EmitWait(t.Context(), v); (v%9 == 1 || v%9 == 2 || v%9 == 3) && err == nil {
					t.Errorf("EmitWait(%d) has no failure", v)
				}
				s.RemoveListener(key)
			}
		})
	}
	emit.Wait()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	delivered := uint64(0)
	for _, sub := range stays {
		st := sub.Stats()
		delivered += st.Deliveries
		if st.Deliveries+st.Drops != emitters*each || st.Lag != 0 || st.InFlight != 0 {
			t.Errorf("%q: %+v of %d emissions", sub.Key(), st, emitters*each)
		}
	}
	if n := uint64(calls.Load()); n != delivered || s.Pending() != 0 {
		t.Errorf("%d calls, %d deliveries, %d pending", n, delivered, s.Pending())
	}
	b := s.all()[0].budget
	for used := 1; used > 0; { // Stats does not count a worker between two shards
		runtime.Gosched()
		b.mu.Lock()
		used = b.used
		b.mu.Unlock()
	}
	for i, g := range s.all() {
		g.mu.Lock()
		if g.spare != 0 || g.ready != 0 || g.claims != 0 || g.waits != 0 || len(g.leaving) != 0 {
			t.Errorf("shard %d: %d spare, %d ready, %d claims, %d waits, %d leaving", i, g.spare, g.ready, g.claims, g.waits, len(g.leaving))
		}
		n := 0
		for w := g.resting; w != nil; w = w.behind {
			n++
			if w.g != nil || w.r != nil || w.cl != (claim[int]{}) || w.err != nil || w.failure != nil {
				t.Errorf("shard %d: a worker that rests keeps %+v", i, w)
			}
		}
		if n != g.rested || n > g.procs {
			t.Errorf("shard %d: %d workers rest; counted %d, of at most %d", i, n, g.rested, g.procs)
		}
		g.mu.Unlock()
	}
	if n := s.Stats().Workers; n != 0 || len(b.queue) != 0 {
		t.Errorf("%d workers, %d shards wait for one", n, len(b.queue))
	}
}

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
	"time"

	"example.com/signals"
)

// sent is a payload: the n-th of an emitter.
type sent struct{ by, n int }

// asynchronous is what AsyncSignal and ShardedSignal have in common.
type asynchronous[T any] interface {
	signals.Signal[T]
	SubscribeBatch(func(context.Context, []T) error, ...signals.ListenerOption) *signals.Subscription
	Offer(context.Context, T) error
	EmitWait(context.Context, T) error
	Drain(context.Context) error
	Close(context.Context) error
	Pending() int
	Stats() signals.SignalStats
}

const emitters = 4

// receiver is a listener that notes what it gets.
type receiver struct {
	name    string
	sub     *signals.Subscription // nil: a range over Events, or a Chan
	well    bool                  // it does not fail
	behind  bool                  // a Chan: what it has received it notes when EmitWait may have returned
	loses   bool                  // MaxLag
	unorder bool                  // Concurrency

	mu      sync.Mutex
	got     []sent
	latest  [emitters]atomic.Int64 // the last n of each emitter
	running [emitters]atomic.Int32 // calls under way
	alike   atomic.Int32           // calls that met one with a payload of the same emitter
	any     atomic.Int32           // calls that met one
}

func (r *receiver) listen(_ context.Context, v sent) error {
	if r.running[v.by].Add(1) > 1 {
		r.alike.Add(1)
	}
	defer r.running[v.by].Add(-1)
	for i := range r.running {
		if i != v.by && r.running[i].Load() > 0 {
			r.any.Add(1)
		}
	}
	r.mu.Lock()
	r.got = append(r.got, v)
	r.mu.Unlock()
	r.latest[v.by].Store(int64(v.n))
	switch v.n % 97 {
	case 13:
		return errors.New("failed")
	case 31:
		panic("failed")
	}
	return nil
}

// listenBatch notes a batch, and does not fail.
func (r *receiver) listenBatch(ctx context.Context, batch []sent) error {
	for _, v := range batch {
		r.quietly(ctx, v)
	}
	return nil
}

// quietly notes one, and does not fail.
func (r *receiver) quietly(ctx context.Context, v sent) {
	defer func() { _ = recover() }()
	_ = r.listen(ctx, v)
}

func failing(v sent) bool { return v.n%97 == 13 || v.n%97 == 31 }

// accepted are the n of each emitter that its signal accepted.
type accepted [emitters][]int

func (a *accepted) total() (n int) {
	for _, ns := range a {
		n += len(ns)
	}
	return n
}

// compare compares what a receiver got, when all is over, with what was accepted.
func (h *hammer) compare(r *receiver, stayed bool) {
	t, all, ordered := h.t, &h.all, h.ordered
	var by accepted
	for _, v := range r.got {
		by[v.by] = append(by[v.by], v.n)
	}
	for i, got := range by {
		want := all[i]
		if !ordered || r.unorder {
			got = slices.Sorted(slices.Values(got))
		}
		switch {
		case r.loses || !stayed && !ordered:
			if !within(got, want) {
				t.Errorf("%s: what emitter %d sent came twice, out of order or from nowhere", r.name, i)
			}
		case stayed:
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %d of emitter %d, in whatever order; want all %d in order", r.name, len(got), i, len(want))
			}
		case len(got) > 0: // it came and went: a piece without a hole
			at, _ := slices.BinarySearch(want, got[0])
			if !slices.Equal(got, want[at:min(at+len(got), len(want))]) {
				t.Errorf("%s: emitter %d: %v is not a piece of what was accepted", r.name, i, got)
			}
		}
	}
	if alike, others := r.alike.Load(), r.any.Load(); !r.unorder && (h.ordered && alike > 0 || h.one && others > 0) {
		t.Errorf("%s: of its calls %d met one for the same emitter, %d one for another", r.name, alike, others)
	}
	if r.sub == nil {
		return
	}
	st := r.sub.Stats()
	if st.Deliveries != uint64(len(r.got)) || st.InFlight != 0 || stayed && (st.Lag != 0 || st.Deliveries+st.Drops != uint64(all.total())) {
		t.Errorf("%s: %d calls of %d accepted, and stats %+v", r.name, len(r.got), all.total(), st)
	}
	failures := 0
	for _, v := range r.got {
		if failing(v) && !r.well {
			failures++
		}
	}
	if st.Failures != uint64(failures) {
		t.Errorf("%s: %d failures; want %d", r.name, st.Failures, failures)
	}
}

// within reports whether part is part of whole, in its order.
func within(part, whole []int) bool {
	for _, v := range whole {
		if len(part) > 0 && part[0] == v {
			part = part[1:]
		}
	}
	return len(part) == 0
}

// hammer emits from many goroutines while others come, go and look.
type hammer struct {
	t *testing.T
	s asynchronous[sent]
	n int // emissions of each emitter
	conditions

	stay    []*receiver
	mu      sync.Mutex
	came    []*receiver // and went
	all     accepted
	refused [emitters]int
	ended   atomic.Bool
}

type conditions struct {
	ordered bool // each listener gets what one emitter sends in order
	one     bool // all listeners get all in one order
	resets  bool // nobody stays
	close   bool // in the middle
}

func (h *hammer) add(name string, opts ...signals.ListenerOption) *receiver {
	r := &receiver{name: name}
	r.sub = h.s.Subscribe(r.listen, opts...)
	return r
}

func (h *hammer) run() {
	ctx := context.Background()
	if !h.resets {
		h.stay = append(h.stay, h.add("first"), h.add("second", signals.Priority(1)),
			h.add("filter", signals.Filter(func(sent) bool { return true })),
			h.add("three at once", signals.Concurrency(3)),
			h.add("newest three", signals.MaxLag(3, signals.DropOldest)),
			h.add("latest", signals.MaxLag(20, signals.KeepLatest), signals.Priority(-1)))
		h.stay[3].unorder, h.stay[4].loses, h.stay[5].loses = true, true, true
		h.stay = append(h.stay, h.add("cancellable", signals.Cancellable()))
		batches := &receiver{name: "batches", well: true}
		batches.sub = h.s.SubscribeBatch(batches.listenBatch, signals.MaxBatch(5))
		h.stay = append(h.stay, batches)
	}
	once := h.add("once", signals.Once())
	var ranges sync.WaitGroup
	if s, ok := h.s.(*signals.AsyncSignal[sent]); ok && !h.resets {
		r := &receiver{name: "events"}
		h.stay = append(h.stay, r)
		began := s.Len()
		ranges.Go(func() {
			for v := range s.Events(ctx) {
				r.got = append(r.got, v)
				r.latest[v.by].Store(int64(v.n))
			}
		})
		for s.Len() == began {
			runtime.Gosched()
		}
		c := &receiver{name: "channel", behind: true}
		h.stay = append(h.stay, c)
		ch := s.Chan(ctx)
		ranges.Go(func() {
			for v := range ch {
				c.got = append(c.got, v)
			}
		})
	}
	var emit, others sync.WaitGroup
	for by := range emitters {
		emit.Go(func() { h.emit(ctx, by) })
	}
	for i := range 3 {
		others.Go(func() { h.comeAndGo(ctx, i) })
	}
	others.Go(func() {
		for !h.ended.Load() {
			if st := h.s.Stats(); st.Deliveries > st.Emissions*uint64(1000) || h.s.Pending() < 0 {
				h.t.Errorf("stats %+v", st)
			}
			if h.resets {
				h.s.Reset()
			}
			runtime.Gosched()
		}
	})
	emit.Wait()
	h.ended.Store(true)
	others.Wait()
	if err := h.s.Close(ctx); err != nil {
		h.t.Error(err)
	}
	ranges.Wait()
	h.check(once)
}

// emit is one emitter. It notes what was accepted, and checks what a Drain and
// an EmitWait promise.
func (h *hammer) emit(ctx context.Context, by int) {
	for n := range h.n {
		if n%8 == 0 {
			runtime.Gosched() // so that others run meanwhile on one processor
		}
		v := sent{by, n}
		if h.close && by == 0 && n == h.n/2 {
			go func() { _ = h.s.Close(ctx) }() // run looks at the error of its own
		}
		var err error
		waited := n%50 == 7
		if waited {
			if err = h.s.EmitWait(ctx, v); err != nil && !errors.Is(err, signals.ErrClosed) && !errors.Is(err, signals.ErrOverflow) {
				err = nil // a listener failed, or dropped it
			}
		} else {
			err = h.s.Offer(ctx, v)
		}
		if err != nil {
			waited = false
			h.refused[by]++
		} else {
			h.all[by] = append(h.all[by], n)
		}
		if n%100 == 70 && len(h.all[by]) > 0 {
			n = h.all[by][len(h.all[by])-1]
			waited = true
			if err := h.s.Drain(ctx); err != nil {
				h.t.Error(err)
			}
		}
		for _, r := range h.stay {
			if waited && !r.loses && !r.unorder && !r.behind && h.ordered && r.latest[by].Load() < int64(n) {
				h.t.Errorf("%s has not got what was waited for", r.name)
			}
		}
	}
}

// comeAndGo registers listeners and removes them again, in several ways.
func (h *hammer) comeAndGo(ctx context.Context, i int) {
	for n := 0; n < 10 || !h.ended.Load(); n++ {
		key := fmt.Sprintf("guest %d.%d", i, n)
		r := h.add(key, signals.Key(key), signals.Priority(n%3-1))
		h.mu.Lock()
		h.came = append(h.came, r)
		h.mu.Unlock()
		if n%2 == 0 {
			runtime.Gosched()
		} else if err := h.s.Drain(ctx); err != nil {
			h.t.Error(err)
		}
		if n%3 == 0 {
			h.s.RemoveListener(key)
		} else {
			r.sub.Unsubscribe()
		}
		if n%4 == 0 {
			if err := r.sub.Wait(ctx); err != nil {
				h.t.Error(err)
			}
		}
	}
}

// check is what must be true when all is over.
func (h *hammer) check(once *receiver) {
	t, st := h.t, h.s.Stats()
	refused := 0
	for _, n := range h.refused {
		refused += n
	}
	if st.Emissions != uint64(h.all.total()) || st.Refusals != uint64(refused) || st.Pending != 0 || h.s.Pending() != 0 || !st.Closed {
		t.Errorf("%d accepted, %d refused; stats %+v", h.all.total(), refused, st)
	}
	calls, drops := 0, uint64(0)
	for _, r := range append(slices.Clone(h.came), once) {
		h.compare(r, false)
	}
	for _, r := range h.stay {
		h.compare(r, true)
		if h.one && !r.unorder && !r.loses && !slices.Equal(r.got, h.stay[0].got) {
			t.Errorf("%s got them in another order than %s", r.name, h.stay[0].name)
		}
	}
	for _, r := range append(append(slices.Clone(h.came), once), h.stay...) {
		calls += len(r.got)
		if r.sub != nil {
			drops += r.sub.Stats().Drops
		}
	}
	if st.Deliveries != uint64(calls) || st.Drops != drops {
		t.Errorf("%d calls and %d drops; stats %d and %d", calls, drops, st.Deliveries, st.Drops)
	}
	if n := len(once.got); n > 1 || n == 0 && !h.resets {
		t.Errorf("once was called %d times", n)
	}
}

// Whatever goes on besides, each listener that stays gets everything that was
// accepted exactly once, in order, and what one loses is counted.
func TestConservationUnderHammer(t *testing.T) {
	n := 600
	if testing.Short() {
		n = 200
	}
	quiet := signals.OnFailure(func(context.Context, signals.Failure) {})
	byEmitter := func(v sent) uint64 { return uint64(v.by) }
	for _, c := range []struct {
		name string
		s    asynchronous[sent]
		how  conditions
	}{
		{"plain", signals.New[sent](quiet), conditions{ordered: true, one: true}},
		{"observed", signals.New[sent](quiet, signals.Observe(signals.Observer{
			ListenerEnd: func(context.Context, *signals.ListenerInfo, time.Duration, error) {},
		})), conditions{ordered: true, one: true}},
		{"Retain", signals.New[sent](quiet, signals.Retain(60)), conditions{ordered: true, one: true}},
		{"Around", signals.New[sent](quiet, signals.Around(func(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
			return next(ctx)
		})), conditions{ordered: true, one: true}},
		{"Capacity 1", signals.New[sent](quiet, signals.Capacity(1, signals.Block)), conditions{ordered: true, one: true}},
		{"Capacity 8", signals.New[sent](quiet, signals.Capacity(8, signals.Block)), conditions{ordered: true, one: true}},
		{"Reject", signals.New[sent](quiet, signals.Capacity(8, signals.Reject)), conditions{ordered: true, one: true}},
		{"MaxWorkers", signals.New[sent](quiet, signals.MaxWorkers(2)), conditions{ordered: true, one: true}},
		{"reset", signals.New[sent](quiet), conditions{ordered: true, one: true, resets: true}},
		{"reset, Capacity", signals.New[sent](quiet, signals.Capacity(2, signals.Block)), conditions{ordered: true, one: true, resets: true}},
		{"close", signals.New[sent](quiet), conditions{ordered: true, one: true, close: true}},
		{"close, Capacity", signals.New[sent](quiet, signals.Capacity(2, signals.Block)), conditions{ordered: true, one: true, close: true}},
		{"sharded", signals.NewSharded[sent](3, byEmitter, quiet), conditions{ordered: true}},
		{"sharded, MaxWorkers", signals.NewSharded[sent](3, byEmitter, quiet, signals.MaxWorkers(2), signals.Capacity(4, signals.Block)), conditions{ordered: true}},
		{"round robin", signals.NewSharded[sent](3, nil, quiet, signals.Capacity(4, signals.Block)), conditions{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			(&hammer{t: t, s: c.s, n: n, conditions: c.how}).run()
		})
	}
}

// A loop over Events that was told of an emission, and has not run yet, must
// still find it when the other listeners are through.
func TestConservationOfEventsBesideAQuickListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		s := signals.New[int]()
		var got []int
		ended := make(chan bool)
		go func() {
			defer close(ended)
			for v := range s.Events(t.Context()) {
				got = append(got, v)
			}
		}()
		synctest.Wait()
		s.AddListener(func(context.Context, int) {})
		want := make([]int, n)
		for i := range n {
			want[i] = i + 1
			s.Emit(t.Context(), i+1)
			synctest.Wait()
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-ended
		if !slices.Equal(got, want) {
			t.Errorf("Events gave %v; want 1 to %d", got, n)
		}
	})
}

// What a batch has done counts at once, also when its listener is removed.
func TestConservationOfCountsWhenAListenerIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := signals.New[int]()
		g := newGate()
		sub := s.Subscribe(g.listen)
		for i := range 9 {
			s.Emit(t.Context(), i)
			synctest.Wait()
		}
		for range 4 { // the second call is the first of a batch
			g.pass()
			synctest.Wait()
		}
		want(t, "deliveries", s.Stats().Deliveries, 4)
		sub.Unsubscribe()
		want(t, "deliveries after the removal", s.Stats().Deliveries, 4)
		want(t, "its own", sub.Stats().Deliveries, 4)
		want(t, "drops", s.Stats().Drops, 4)
		g.pass()
		synctest.Wait()
		want(t, "deliveries in the end", s.Stats().Deliveries, 5)
	})
}

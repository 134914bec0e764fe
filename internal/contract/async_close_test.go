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

func TestCloseDeliversWhatWasAcceptedAndRefusesTheRest(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var refused []any
		s := signals.New[int](append(opts, signals.Name("orders"), signals.OnFailure(func(_ context.Context, f signals.Failure) {
			refused = append(refused, f.Payload)
		}))...)
		d := newDoor()
		var got []int // unguarded: the calls must happen before Close returns
		s.Subscribe(func(ctx context.Context, v int) error {
			_ = d.pass(ctx, v)
			got = append(got, v)
			return nil
		})
		for v := range 500 {
			s.Emit(t.Context(), v)
		}
		closed := make(chan error)
		go func() { closed <- s.Close(t.Context()) }()
		for !s.Stats().Closed {
			runtime.Gosched()
		}
		s.Emit(t.Context(), 500) // while it drains
		d.open()
		if err := await(t, closed, "Close"); err != nil {
			t.Error(err)
		}
		s.Emit(t.Context(), 501)
		if err := s.Offer(t.Context(), 502); !errors.Is(err, signals.ErrClosed) || err.Error() != `signals: emit on "orders": signal is closed` {
			t.Errorf("Offer: %v", err)
		}
		if err := s.EmitWait(t.Context(), 503); !errors.Is(err, signals.ErrClosed) {
			t.Errorf("EmitWait: %v", err)
		}
		mustDrain(t, s)
		if len(got) != 500 || !slices.IsSorted(got) {
			t.Errorf("%d were delivered, want 500", len(got))
		}
		if !slices.Equal(refused, []any{500, 501}) {
			t.Errorf("refused %v, want 500 and 501", refused)
		}
	})
}

// TestConservationWhileClosing counts at every emitter what was accepted.
func TestConservationWhileClosing(t *testing.T) {
	for name, opts := range map[string][]signals.Option{
		"unbounded": nil,
		"observed":  {signals.Observe(signals.Observer{EmitEnd: func(context.Context, *signals.SignalInfo, error) {}})},
		"block":     {signals.Capacity(3, signals.Block)},
		"reject":    {signals.Capacity(3, signals.Reject)},
	} {
		t.Run(name, func(t *testing.T) {
			const emitters = 4
			s := signals.New[[2]int](opts...)
			var got [3][emitters][]int // each written by one listener, without a lock
			for i := range got {
				s.AddListener(func(_ context.Context, v [2]int) { got[i][v[0]] = append(got[i][v[0]], v[1]) })
			}
			var accepted [emitters][]int
			var total atomic.Int64
			var wg sync.WaitGroup
			for e := range emitters {
				wg.Go(func() {
					for v, closed := 0, 0; closed < 10; v++ {
						switch err := s.Offer(t.Context(), [2]int{e, v}); {
						case err == nil:
							if closed > 0 {
								t.Error("accepted after a refusal by Close")
							}
							accepted[e] = append(accepted[e], v)
							total.Add(1)
						case errors.Is(err, signals.ErrClosed):
							closed++
						case errors.Is(err, signals.ErrOverflow):
							runtime.Gosched()
						default:
							t.Error(err)
						}
					}
				})
			}
			for total.Load() < 1000 {
				runtime.Gosched()
			}
			for range 2 {
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			delivered := got // all of it, and nothing comes later
			wg.Wait()
			for i := range got {
				for e := range emitters {
					if !slices.Equal(delivered[i][e], accepted[e]) {
						t.Errorf("listener %d got %d of emitter %d when Close returned; %d were accepted", i, len(delivered[i][e]), e, len(accepted[e]))
					}
				}
			}
			if st := s.Stats(); st.Emissions != uint64(total.Load()) || st.Deliveries != 3*st.Emissions || st.Drops != 0 || st.Pending != 0 {
				t.Errorf("%d accepted, %+v", total.Load(), st)
			}
		})
	}
}

func TestCloseMayBeCalledAgainAndByManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		s := signals.New[int](signals.Name("orders"))
		s.Subscribe(d.pass)
		for v := range 5 {
			s.Emit(t.Context(), v)
		}
		synctest.Wait()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := s.Close(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "signals: ") ||
					!strings.Contains(err.Error(), `"orders"`) || !strings.Contains(err.Error(), "5 emissions left") {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if err := s.Offer(t.Context(), 5); !errors.Is(err, signals.ErrClosed) {
			t.Errorf("a Close whose context ended leaves the signal open: %v", err)
		}
		d.out <- struct{}{}
		synctest.Wait()
		if err := s.Close(ended(t)); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "4 emissions left") {
			t.Errorf("got %v", err)
		}
		errs := make(chan error, 6)
		for range 3 {
			go func() { errs <- s.Close(t.Context()) }()
			go func() { errs <- s.Drain(t.Context()) }()
		}
		synctest.Wait()
		if len(errs) != 0 {
			t.Fatalf("Close or Drain returned early: %v", <-errs)
		}
		d.open()
		for range 6 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(ended(t)); err != nil { // nothing is left to wait for
			t.Error(err)
		}
		if n := len(d.in); n != 5 {
			t.Errorf("%d deliveries, want 5", n)
		}
	})
}

func TestCloseReleasesEmissionsThatWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		refused := make(chan signals.Failure, 10)
		s := signals.New[int](signals.Capacity(1, signals.Block),
			signals.OnFailure(func(_ context.Context, f signals.Failure) { refused <- f }))
		s.Subscribe(d.pass)
		s.Emit(t.Context(), 0)
		errs, emitted := make(chan error, 10), make(chan struct{})
		go func() { errs <- s.Offer(t.Context(), 1) }()
		go func() { errs <- s.EmitWait(t.Context(), 2) }()
		go func() { s.Emit(t.Context(), 3); close(emitted) }()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- s.Close(t.Context()) }()
		synctest.Wait()
		if len(closed) != 0 {
			t.Fatal("Close returned while a call was in flight")
		}
		for range 2 {
			if err := <-errs; !errors.Is(err, signals.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
		<-emitted
		if f := <-refused; !errors.Is(f.Err, signals.ErrClosed) || f.Payload != 3 || f.Listener != "" {
			t.Errorf("got %+v", f)
		}
		d.open()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if st := s.Stats(); len(d.in) != 1 || st.Refusals != 3 {
			t.Errorf("%d calls, %+v", len(d.in), st)
		}
	})
}

func TestRegisteringOnAClosedSignalSucceedsAndIsNeverCalled(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.New[int](append(opts, signals.Name("orders"), signals.OnFailure(func(context.Context, signals.Failure) {}))...)
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		called := func(context.Context, int) error { t.Error("called"); return nil }
		sub := s.Subscribe(called, signals.Key("a"), signals.Once(), signals.Until(t.Context()), signals.MaxLag(1, signals.KeepLatest))
		if sub == nil || sub.Key() != "a" {
			t.Fatalf("got %v", sub)
		}
		if n := s.AddListenerWithErr(called, "b"); n != 2 {
			t.Errorf("AddListenerWithErr returned %d, want 2", n)
		}
		if n := s.AddListener(func(context.Context, int) { t.Error("called") }, "b"); n != -1 {
			t.Errorf("AddListener with a taken key returned %d, want -1", n)
		}
		if none, err := s.TrySubscribe(called); none != nil || !errors.Is(err, signals.ErrClosed) || !strings.Contains(err.Error(), `"orders"`) {
			t.Errorf("TrySubscribe returned %v, %v", none, err)
		}
		s.Emit(t.Context(), 1)
		mustDrain(t, s)
		if err := sub.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if st := sub.Stats(); st.Deliveries != 0 || st.Lag != 0 || st.Drops != 0 {
			t.Errorf("got %+v", st)
		}
		sub.Unsubscribe()
		if n := s.RemoveListener("b"); n != 0 {
			t.Errorf("RemoveListener returned %d, want 0", n)
		}
	})
}

func TestAListenerThatEmitsWhileItsSignalClosesIsTold(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		d := newDoor()
		s := signals.New[int](append(opts, signals.Capacity(5, signals.Block))...)
		s.Subscribe(func(ctx context.Context, v int) error {
			_ = d.pass(ctx, v)
			if err := s.Offer(ctx, v+10); !errors.Is(err, signals.ErrClosed) {
				t.Errorf("got %v", err)
			}
			return nil
		})
		s.Emit(t.Context(), 1)
		s.Emit(t.Context(), 2)
		if err := s.Close(ended(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		d.open()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if st := s.Stats(); st.Deliveries != 2 || st.Refusals != 2 {
			t.Errorf("got %+v", st)
		}
	})
}

// A chain of signals is closed from its beginning: nothing is lost.
func TestChainedEmissionsSurviveCloseInTheirOrder(t *testing.T) {
	first, second := signals.New[int](), signals.New[int](signals.Capacity(2, signals.Block))
	var got []int
	first.AddListener(second.Emit)
	second.AddListener(func(_ context.Context, v int) { got = append(got, v) })
	for v := range 1000 {
		first.Emit(t.Context(), v)
	}
	if err := errors.Join(first.Close(t.Context()), second.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if len(got) != 1000 || !slices.IsSorted(got) {
		t.Errorf("%d came through the chain, want 1000 in order", len(got))
	}
}

func TestAListenerMayCloseAnotherSignal(t *testing.T) {
	s, other := signals.New[int](), signals.New[int]()
	calls := 0
	other.AddListener(func(context.Context, int) { calls++ })
	s.AddListenerWithErr(func(ctx context.Context, _ int) error {
		other.Emit(ctx, 1)
		return other.Close(ctx)
	})
	if err := s.EmitWait(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if !other.Stats().Closed || calls != 1 {
		t.Errorf("closed: %v, %d calls", other.Stats().Closed, calls)
	}
}

func TestListenersMayGoWhileASignalCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		s := signals.New[int]()
		sub := s.Subscribe(d.pass)
		for v := range 10 {
			s.Emit(t.Context(), v)
		}
		closed := make(chan error, 1)
		go func() { closed <- s.Close(t.Context()) }()
		synctest.Wait()
		sub.Unsubscribe()
		d.out <- struct{}{} // the call in flight
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if st := sub.Stats(); st.Deliveries != 1 || st.Drops != 9 {
			t.Errorf("got %+v", st)
		}
	})
}

package contract_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/signals"
)

// heldBatch makes a signal with a listener of batches that is in its first call, of 0,
// until release is called.
func heldBatch(t *testing.T, fn func(context.Context, []int) error, on []signals.Option, opts ...signals.ListenerOption) (s *signals.AsyncSignal[int], sub *signals.Subscription, release func()) {
	t.Helper()
	s = signals.New[int](on...)
	entered, goOn := make(chan int, 1), make(chan struct{})
	sub = s.SubscribeBatch(func(ctx context.Context, batch []int) error {
		if batch[0] == 0 {
			entered <- 0
			<-goOn
			return nil
		}
		return fn(ctx, batch)
	}, opts...)
	s.Emit(t.Context(), 0)
	await(t, entered, "the first batch")
	return s, sub, func() { close(goOn) }
}

func TestABatchIsWhatCameMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		on   []signals.Option
		opts []signals.ListenerOption
		want [][]int
	}{
		"all":      {nil, nil, [][]int{{1, 2, 3, 4, 5}}},
		"MaxBatch": {nil, []signals.ListenerOption{signals.MaxBatch(2)}, [][]int{{1, 2}, {3, 4}, {5}}},
		"Filter":   {nil, []signals.ListenerOption{signals.Filter(func(v int) bool { return v%2 == 0 })}, [][]int{{2, 4}}},
		"MaxLag":   {nil, []signals.ListenerOption{signals.MaxLag(2, signals.DropOldest)}, [][]int{{4, 5}}},
		"Capacity": {[]signals.Option{signals.Capacity(6, signals.Reject)}, nil, [][]int{{1, 2, 3, 4, 5}}},
	} {
		var got [][]int
		s, sub, release := heldBatch(t, func(_ context.Context, batch []int) error {
			got = append(got, slices.Clone(batch))
			return nil
		}, test.on, test.opts...)
		for v := 1; v <= 5; v++ {
			s.Emit(t.Context(), v)
		}
		release()
		if err := s.Close(t.Context()); err != nil {
			t.Error(name, err)
		}
		if !slices.EqualFunc(got, test.want, slices.Equal) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
		n := uint64(1)
		for _, b := range test.want {
			n += uint64(len(b))
		}
		if d := sub.Stats().Deliveries; d != n {
			t.Errorf("%s: %d deliveries, want %d", name, d, n)
		}
	}
}

func TestAFailedBatchFailsOnceAndAnswersEachEmitWait(t *testing.T) {
	errBad := errors.New("bad")
	for name, test := range map[string]struct {
		fn   func()
		want error
	}{
		"error":  {func() {}, errBad},
		"panic":  {func() { panic(errBad) }, errBad},
		"Goexit": {runtime.Goexit, signals.ErrGoexit},
	} {
		failures := make(chan signals.Failure, 9)
		s, sub, release := heldBatch(t, func(_ context.Context, batch []int) error {
			defer clear(batch) // the failure has a slice of its own
			test.fn()
			return errBad
		}, []signals.Option{signals.OnFailure(func(_ context.Context, f signals.Failure) { failures <- f })},
			signals.Filter(func(v int) bool { return v < 9 }))
		outcomes := make(chan error, 9)
		for v := 1; v <= 3; v++ {
			go func() { outcomes <- s.EmitWait(t.Context(), 7) }()
		}
		in := make(chan error, 1)
		go func() { in <- s.EmitWait(t.Context(), 9) }() // turned away by the filter
		for s.Pending() < 5 {
			runtime.Gosched()
		}
		release()
		for range 3 {
			if err := await(t, outcomes, name); !errors.Is(err, test.want) {
				t.Errorf("%s: EmitWait: %v", name, err)
			}
		}
		if err := await(t, in, name); err != nil {
			t.Errorf("%s: EmitWait of what is not in the batch: %v", name, err)
		}
		f := await(t, failures, name)
		if got, ok := f.Payload.([]int); !ok || !slices.Equal(got, []int{7, 7, 7}) || !errors.Is(f.Err, test.want) {
			t.Errorf("%s: %v of %v", name, f.Err, f.Payload)
		}
		if err := s.Close(t.Context()); err != nil || len(failures) > 0 || sub.Stats().Failures != 1 || sub.Stats().Deliveries != 4 {
			t.Errorf("%s: %v, %d more failures, %+v", name, err, len(failures), sub.Stats())
		}
	}
}

func TestAFilterThatPanicsFailsItsEmissionAndNotTheBatch(t *testing.T) {
	failures := make(chan signals.Failure, 9)
	var got []int
	s, _, release := heldBatch(t, func(_ context.Context, batch []int) error {
		got = append(got, batch...)
		return nil
	}, []signals.Option{signals.OnFailure(func(_ context.Context, f signals.Failure) { failures <- f })},
		signals.Filter(func(v int) bool { return 6/(v-2) != 99 }))
	for v := 1; v <= 3; v++ {
		s.Emit(t.Context(), v)
	}
	release()
	_ = s.Close(t.Context())
	if f := await(t, failures, "the filter's"); !slices.Equal(f.Payload.([]int), []int{2}) || !slices.Equal(got, []int{1, 3}) {
		t.Errorf("failed %v, batch %v", f.Payload, got)
	}
}

func TestBatchOptionsThatMakeNoSensePanic(t *testing.T) {
	s, sharded, sync := signals.New[int](), signals.NewSharded[int](2, nil), signals.NewSync[int]()
	batch := func(context.Context, []int) error { return nil }
	one := func(context.Context, int) error { return nil }
	for name, f := range map[string]func(){
		"nil":         func() { s.SubscribeBatch(nil) },
		"Once":        func() { s.SubscribeBatch(batch, signals.Once()) },
		"Concurrency": func() { sharded.SubscribeBatch(batch, signals.Concurrency(2)) },
		"MaxBatch(0)": func() { s.SubscribeBatch(batch, signals.MaxBatch(0)) },
		"Subscribe":   func() { s.Subscribe(one, signals.MaxBatch(2)) },
		"sync":        func() { sync.Subscribe(one, signals.MaxBatch(2)) },
		"Events": func() {
			for range s.Events(t.Context(), signals.MaxBatch(2)) {
			}
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestBatchesHaveEachEmissionOnceUnderAllThatHappens(t *testing.T) {
	for _, on := range [][]signals.Option{nil, {signals.Capacity(50, signals.Block)}, {signals.MaxWorkers(1)}} {
		s := signals.NewSharded(2, func(v int) uint64 { return uint64(v) }, on...)
		var sum, calls atomic.Int64
		sub := s.SubscribeBatch(func(_ context.Context, batch []int) error {
			calls.Add(1)
			for _, v := range batch {
				sum.Add(int64(v))
			}
			return nil
		}, signals.MaxBatch(7))
		var all sync.WaitGroup
		const emitters, each = 4, 500
		for range emitters {
			all.Go(func() {
				for v := 1; v <= each; v++ {
					if v%50 == 0 {
						if err := s.EmitWait(t.Context(), v); err != nil && !errors.Is(err, signals.ErrDropped) {
							t.Error(err)
						}
						gone := s.SubscribeBatch(func(context.Context, []int) error { return nil })
						s.Emit(t.Context(), 0)
						gone.Unsubscribe()
						continue
					}
					s.Emit(t.Context(), v)
				}
			})
		}
		all.Wait()
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		st := sub.Stats()
		if want := int64(emitters * each * (each + 1) / 2); sum.Load() != want || st.Deliveries != emitters*(each+each/50) || st.Drops != 0 {
			t.Errorf("sum %d, want %d; %+v", sum.Load(), want, st)
		}
		if s.Pending() != 0 {
			t.Errorf("%d pending", s.Pending())
		}
	}
}

func TestABatchHasTheValuesOfItsFirstEmissionAndNobodysEnd(t *testing.T) {
	var value any
	var ended error
	s, _, release := heldBatch(t, func(ctx context.Context, _ []int) error {
		value, ended = ctx.Value(trailKey{}), ctx.Err()
		return nil
	}, nil)
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), trailKey{}, "first"))
	gaveUp := make(chan error, 1)
	go func() { gaveUp <- s.EmitWait(ctx, 1) }()
	for s.Pending() < 2 {
		runtime.Gosched()
	}
	s.Emit(t.Context(), 2)
	cancel()
	if err := await(t, gaveUp, "EmitWait"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	if err := s.Close(t.Context()); err != nil || value != "first" || ended != nil {
		t.Errorf("%v; value %v, %v", err, value, ended)
	}
}

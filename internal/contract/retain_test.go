package contract_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"weak"

	"example.com/signals"
)

func TestRetainGivesANewListenerTheLastEmissions(t *testing.T) {
	for name, c := range map[string]struct {
		opts []signals.ListenerOption
		want string
	}{
		"all":     {nil, "[8 9 10 11]"},
		"FromNow": {[]signals.ListenerOption{signals.FromNow()}, "[11]"},
		"Filter":  {[]signals.ListenerOption{signals.Filter(func(v int) bool { return v%2 == 0 })}, "[8 10]"},
		"Once":    {[]signals.ListenerOption{signals.Once()}, "[8]"},
		"MaxLag":  {[]signals.ListenerOption{signals.MaxLag(1, signals.DropOldest)}, "[10 11]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := signals.New[int](signals.Retain(3))
			for v := 1; v <= 10; v++ {
				s.Emit(t.Context(), v) // nobody is there
			}
			var n notes
			s.Subscribe(func(_ context.Context, v int) error { n.add("%d", v); return nil }, c.opts...)
			if err := s.Drain(t.Context()); err != nil { // waits for the replay
				t.Fatal(err)
			}
			s.Reset() // forgets nothing
			var late notes
			s.Subscribe(func(_ context.Context, v int) error { late.add("%d", v); return nil }, c.opts...)
			_ = s.Drain(t.Context())
			s.Emit(t.Context(), 11)
			_ = s.Close(t.Context())
			if got := fmt.Sprint(late.take()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			s.Subscribe(func(context.Context, int) error { t.Error("called on a closed signal"); return nil })
		})
	}
}

func TestRetainIsPerShardAndServesEvents(t *testing.T) {
	sharded := signals.NewSharded(2, func(v int) uint64 { return uint64(v) }, signals.Retain(2))
	s := signals.New[int](signals.Retain(2))
	for v := range 10 {
		sharded.Emit(t.Context(), v)
		s.Emit(t.Context(), v)
	}
	var mu sync.Mutex
	var got []int
	sharded.Subscribe(func(_ context.Context, v int) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, v)
		return nil
	})
	_ = sharded.Close(t.Context())
	if slices.Sort(got); !slices.Equal(got, []int{6, 7, 8, 9}) {
		t.Errorf("the shards gave %v", got)
	}
	var seen []int
	for v := range s.Events(t.Context()) {
		if seen = append(seen, v); len(seen) == 2 {
			break
		}
	}
	if !slices.Equal(seen, []int{8, 9}) {
		t.Errorf("the range began with %v", seen)
	}
}

func TestAReplayGetsTheValuesOfAContextAndNoEmitWaitWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		s := signals.New[int](signals.Retain(1))
		gate, stuck := make(chan int), make(chan int)
		s.Subscribe(func(context.Context, int) error { <-gate; return nil })
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
		done := make(chan error, 1)
		go func() { done <- s.EmitWait(ctx, 1) }()
		synctest.Wait()
		var n notes
		s.Subscribe(func(ctx context.Context, _ int) error {
			n.add("%v %v", ctx.Value(key{}), ctx.Done() == nil)
			<-stuck
			return signals.Veto(fmt.Errorf("not for the EmitWait"))
		})
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("EmitWait returned %v", err)
		}
		cancel()
		if p := s.Pending(); p != 1 {
			t.Errorf("%d pending, want the replay", p)
		}
		close(stuck)
		_ = s.Close(t.Context())
		if got := fmt.Sprint(n.take()); got != "[v true]" {
			t.Errorf("the replay saw %s", got)
		}
	})
}

func TestRetainedPayloadsAreHeldUntilOthersComeOrTheSignalIsClosed(t *testing.T) {
	s := signals.New[*[64]int](signals.Retain(1))
	emit := func() weak.Pointer[[64]int] {
		p := new([64]int)
		s.Emit(t.Context(), p)
		return weak.Make(p)
	}
	first, second := emit(), emit()
	runtime.GC()
	if first.Value() != nil || second.Value() == nil {
		t.Errorf("the one before the last is held: %v; the last: %v", first.Value() != nil, second.Value() != nil)
	}
	_ = s.Close(t.Context())
	runtime.GC()
	if second.Value() != nil {
		t.Error("a closed signal holds what it retained")
	}
	runtime.KeepAlive(s)
}

// Listeners come and go while goroutines emit: each gets a run without a gap and
// without a repetition, which begins with what is retained.
func TestRetainHammerLeavesNoGapAndRepeatsNothing(t *testing.T) {
	const retain, emissions = 100, 3000
	s := signals.New[int](signals.Retain(retain))
	var wg, emitters sync.WaitGroup
	var mu sync.Mutex
	next := 0
	for range 2 {
		emitters.Go(func() {
			for {
				mu.Lock() // numbered in the order of acceptance
				if next == emissions {
					mu.Unlock()
					return
				}
				s.Emit(t.Context(), next)
				next++
				mu.Unlock()
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			for range 30 {
				mu.Lock()
				before := next
				mu.Unlock()
				var got []int
				sub := s.Subscribe(func(_ context.Context, v int) error { got = append(got, v); return nil })
				if err := s.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				sub.Unsubscribe()
				_ = sub.Wait(t.Context())
				for i := range got {
					if got[i] != got[0]+i {
						t.Errorf("%d follows %d", got[i], got[i-1])
					}
				}
				if before > 0 && (len(got) < min(before, retain) || got[0] < max(0, before-retain)) {
					t.Errorf("%d emissions before, and it got %d, from %v", before, len(got), got[:min(len(got), 1)])
				}
			}
		})
	}
	emitters.Wait()
	wg.Wait()
	_ = s.Close(t.Context())
}

func TestRetainThatMakesNoSensePanics(t *testing.T) {
	mustPanic(t, func() { signals.New[int](signals.Retain(0)) }, "Retain(0): want 1 or more")
	mustPanic(t, func() { signals.NewSync[int](signals.Retain(1)) }, "Retain is an option of async signals")
	mustPanic(t, func() { signals.NewSync[int]().Subscribe(nothing, signals.FromNow()) }, "FromNow is an option of async signals")
	b := signals.NewBus(signals.Retain(2))
	signals.NewSync[int](signals.OnBus(b), signals.Name("sync")) // a default serves those that can have it
	signals.Topic[int](b, "a", signals.Retain(2))
	mustPanic(t, func() { signals.Topic[int](b, "a", signals.Retain(3)) }, "Retain(3) where there is 2")
}

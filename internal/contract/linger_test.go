package contract_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

// Those of these that wait are on the real clock: in a bubble no time passes
// while a worker looks for work.

// onGoroutine makes a listener that notes the goroutine that runs it.
func onGoroutine(at *string) func(context.Context, int) {
	return func(context.Context, int) {
		buf := make([]byte, 64)
		*at, _, _ = strings.Cut(string(buf[:runtime.Stack(buf, false)]), " [")
	}
}

func severalProcessors(t *testing.T) {
	old := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(old, 2)) // on one processor no worker lingers
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

func TestAWorkerThatLingersTakesTheNextEmission(t *testing.T) {
	severalProcessors(t)
	s := signals.New[int](signals.Linger(time.Hour))
	var at string
	s.AddListener(onGoroutine(&at))
	first := ""
	for n := range 20 {
		if err := s.EmitWait(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = at
		}
		if at != first {
			t.Fatalf("emission %d ran on %s, those before on %s", n, at, first)
		}
		for range 100 {
			runtime.Gosched() // a worker that does not linger would be gone
		}
	}
	if n := s.Stats().Workers; n != 1 {
		t.Errorf("%d workers, want the one that lingers", n)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the worker", func() bool { return s.Stats().Workers == 0 })
}

// lingers makes an emission, and waits until its worker has nothing to do but to
// look for the next one.
func lingers(t *testing.T, s *signals.AsyncSignal[int]) {
	t.Helper()
	if err := s.EmitWait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		runtime.Gosched()
	}
	if n := s.Stats().Workers; n != 1 {
		t.Fatalf("%d workers, want the one that lingers", n)
	}
}

func TestAWorkerThatLingersReplaysWhatIsRetained(t *testing.T) {
	severalProcessors(t)
	s := signals.New[int](signals.Linger(time.Hour), signals.Retain(1))
	s.AddListener(func(context.Context, int) {})
	lingers(t, s)
	replayed := make(chan int, 1)
	s.AddListener(func(_ context.Context, n int) { replayed <- n })
	await(t, replayed, "the emission that is retained")
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNobodyLingersBehindCloseOrTheLastListener(t *testing.T) {
	severalProcessors(t)
	for end, ends := range map[string]func(*signals.AsyncSignal[int]){
		"Close":                   func(s *signals.AsyncSignal[int]) { _ = s.Close(t.Context()) },
		"Close inside":            nil, // while the worker runs a listener
		"Reset":                   func(s *signals.AsyncSignal[int]) { s.Reset() },
		"the last RemoveListener": func(s *signals.AsyncSignal[int]) { s.RemoveListener("a"); s.RemoveListener("b") },
	} {
		s := signals.New[int](signals.Linger(time.Hour))
		called, goOn := make(chan int, 1), make(chan struct{})
		s.AddListener(func(context.Context, int) {}, "a")
		s.AddListener(func(_ context.Context, n int) {
			if n > 0 {
				called <- n
				<-goOn
			}
		}, "b")
		if lingers(t, s); ends != nil {
			ends(s)
		} else {
			s.Emit(t.Context(), 1)
			await(t, called, "the call")
			closed := make(chan error)
			go func() { closed <- s.Close(t.Context()) }()
			eventually(t, "Close", func() bool { return s.Stats().Closed })
			close(goOn)
			await(t, closed, "the end of Close")
		}
		eventually(t, "the end of the worker behind "+end, func() bool { return s.Stats().Workers == 0 })
	}
}

func TestAWorkerMayLingerForEver(t *testing.T) {
	severalProcessors(t)
	s := signals.New[int](signals.Linger(math.MaxInt64))
	s.AddListener(func(context.Context, int) {})
	lingers(t, s)
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What others take is no reason to end: here the range over Events.
func TestAWorkerLingersBehindEachEmission(t *testing.T) {
	severalProcessors(t)
	s := signals.New[int](signals.Linger(time.Hour))
	ended := make(chan int, 1)
	go func() {
		sum := 0
		for n := range s.Events(t.Context()) {
			sum += n
		}
		ended <- sum
	}()
	eventually(t, "the range", func() bool { return s.Len() == 1 })
	for range 10 {
		lingers(t, s)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	await(t, ended, "the end of the range")
	eventually(t, "the end of the worker", func() bool { return s.Stats().Workers == 0 })
}

func TestAWorkerThatLingersKeepsNothingAlive(t *testing.T) {
	severalProcessors(t)
	type request struct{ id [1 << 10]int }
	type key struct{}
	s := signals.New[*request](signals.Linger(time.Hour), signals.OnFailure(func(context.Context, signals.Failure) {}))
	removed := new(request)
	s.Subscribe(func(context.Context, *request) error { return fmt.Errorf("%p", removed) }, signals.Key("removed"))
	s.Subscribe(func(_ context.Context, r *request) error { panic(r) })
	kept := map[string]*atomic.Bool{"what a removed listener holds": onceCollected(removed)}
	emit := func(how string, emit func(ctx context.Context, r *request)) {
		r, value := new(request), new(request)
		kept["the payload of "+how] = onceCollected(r)
		kept["the context of "+how] = onceCollected(value)
		emit(context.WithValue(t.Context(), key{}, value), r)
		settled(t, s)
	}
	expect := func() {
		t.Helper()
		for what, collected := range kept {
			collectUntil(t, what+" is collected", collected.Load)
		}
		eventually(t, "only the worker that lingers", func() bool { return s.Stats().Workers == 1 })
	}
	emit("EmitWait", func(ctx context.Context, r *request) { _ = s.EmitWait(ctx, r) })
	s.RemoveListener("removed")
	removed = nil
	expect()
	emit("Emit", func(ctx context.Context, r *request) { s.Emit(ctx, r) })
	expect()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// With MaxWorkers(1) the worker that lingers is the only one there may be.
func TestAWorkerDoesNotLingerWhereAnotherShardHasWork(t *testing.T) {
	severalProcessors(t)
	s := signals.NewSharded(3, func(n int) uint64 { return uint64(n) }, signals.MaxWorkers(1), signals.Linger(time.Hour))
	sum := 0
	s.AddListener(func(_ context.Context, n int) { sum += n })
	for n := range 30 {
		if err := s.EmitWait(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(t.Context()); err != nil || sum != 29*30/2 {
		t.Errorf("%d, %v", sum, err)
	}
}

func TestLingeringEndsWhereNoTimePasses(t *testing.T) {
	severalProcessors(t)
	synctest.Test(t, func(t *testing.T) {
		s := signals.New[int](signals.Linger(time.Millisecond))
		s.AddListener(func(context.Context, int) {})
		s.Emit(t.Context(), 1)
		synctest.Wait()
		if st := s.Stats(); st.Workers != 0 || st.Deliveries != 1 {
			t.Errorf("%+v", st)
		}
	})
}

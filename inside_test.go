package signals

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// ids returns the ids that running finds, innermost first.
func ids() []uint32 { return slices.Collect(running) }

func TestEveryIDIsReadBackAsItWasSpelled(t *testing.T) {
	try := []uint32{math.MaxUint32, math.MaxUint32 - 1, 1 << 31}
	for id := range uint32(300) {
		try = append(try, id)
	}
	for bit := range 32 {
		try = append(try, 1<<bit, 1<<bit-1)
	}
	for digit := range uint32(16) { // each digit in each place, others the same or 0
		for place := 0; place < 32; place += 4 {
			try = append(try, digit<<place, digit*0x11111111&^(15<<place))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		try = append(try, r.Uint32())
	}
	for _, id := range try {
		var got []uint32
		var own, other bool
		markTop(id, func() { got, own, other = ids(), insideOf(id), insideOf(id+1) })
		if !slices.Equal(got, []uint32{id}) || !own || other {
			t.Fatalf("id %#x is read as %#x; inside it: %v, inside the next: %v", id, got, own, other)
		}
	}
}

func TestNestedIDsAreReadInnermostFirst(t *testing.T) {
	nest := []uint32{7, math.MaxUint32, 0, 7, 0x10, 0x100}
	var got []uint32
	fn := func() { got = ids() }
	for _, id := range nest { // the first is the innermost
		inner := fn
		fn = func() { markTop(id, inner) }
	}
	fn()
	if !slices.Equal(got, nest) {
		t.Errorf("got %v; want %v", got, nest)
	}
	if got := ids(); len(got) != 0 {
		t.Errorf("a plain goroutine is inside %v", got)
	}
}

func TestRunningStopsWhenToldTo(t *testing.T) {
	markTop(1, func() {
		markTop(2, func() {
			var got []uint32
			for id := range running {
				got = append(got, id)
				break
			}
			if !slices.Equal(got, []uint32{2}) {
				t.Errorf("got %v; want the innermost, 2", got)
			}
		})
	})
}

//go:noinline
func deep(n int, fn func()) {
	if n == 0 {
		fn()
		return
	}
	deep(n-1, fn)
}

func TestIDsAreFoundBelowStacksDeeperThanTheBuffer(t *testing.T) {
	for _, depth := range []int{1, 40, 50, 60, 63, 64, 65, 70, 255, 256, 257, 1000, 5000} {
		var got []uint32
		markTop(0xABC, func() {
			deep(depth, func() { markTop(5, func() { deep(depth, func() { got = ids() }) }) })
		})
		if !slices.Equal(got, []uint32{5, 0xABC}) {
			t.Errorf("%d calls deep: got %#x; want 5 and 0xabc", depth, got)
		}
		deep(depth, func() {
			if insideAny() {
				t.Errorf("%d calls deep, a plain goroutine is inside a listener", depth)
			}
		})
	}
}

// caller is an async signal that runs its payloads, and its id.
func caller(opts ...Option) (*AsyncSignal[func()], uint32) {
	s := New[func()](opts...)
	s.AddListener(func(_ context.Context, fn func()) { fn() })
	return s, s.conf.Load().id
}

// in runs fn in a listener of s.
func in(t *testing.T, s *AsyncSignal[func()], fn func()) {
	t.Helper()
	done := make(chan struct{})
	s.Emit(t.Context(), func() { defer close(done); fn() })
	<-done
}

func expectIDs(t *testing.T, place string, want ...uint32) {
	t.Helper()
	if got := ids(); !slices.Equal(got, want) {
		t.Errorf("%s is inside %v; want %v", place, got, want)
	}
	if insideAny() != (len(want) > 0) {
		t.Errorf("%s: insideAny is %v", place, insideAny())
	}
	for _, id := range want {
		if !insideOf(id) || insideOf(id+1000) {
			t.Errorf("%s is not inside %d, or inside %d", place, id, id+1000)
		}
	}
}

func TestAListenerIsInsideItsOwnSignalOnly(t *testing.T) {
	a, ida := caller()
	b, idb := caller()
	expectIDs(t, "a plain goroutine")
	in(t, a, func() {
		expectIDs(t, "a listener", ida)
		deep(3000, func() { expectIDs(t, "a listener that called deep", ida) })
		in(t, b, func() { expectIDs(t, "a listener that another one waits for", idb) })
		done := make(chan struct{})
		go func() { defer close(done); expectIDs(t, "a goroutine that a listener started") }()
		<-done
	})
	expectIDs(t, "the goroutine that emitted")
}

func TestASyncListenerIsInsideTheAsyncSignalThatItIsCalledFrom(t *testing.T) {
	a, id := caller()
	nested := NewSync[func()]()
	nested.AddListener(func(_ context.Context, fn func()) { fn() })
	for range 2 {
		in(t, a, func() {
			nested.Emit(t.Context(), func() { expectIDs(t, "a sync listener in an async one", id) })
			if err := nested.TryEmit(t.Context(), func() { expectIDs(t, "the same by TryEmit", id) }); err != nil {
				t.Error(err)
			}
		})
		nested.Emit(t.Context(), func() { expectIDs(t, "a sync listener") })
		nested.Subscribe(func(context.Context, func()) error { return nil }, Filter(func(func()) bool { return true }))
	}
}

func TestAFailureHandlerIsInsideTheSignalThatFailed(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":  func() error { return errors.New("no") },
		"panic":  func() error { panic("no") },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan struct{})
			var id uint32
			s := New[int](OnFailure(func(context.Context, Failure) {
				expectIDs(t, "the handler", id)
				close(done)
			}))
			id = s.conf.Load().id
			s.AddListenerWithErr(func(context.Context, int) error { return fail() })
			s.Emit(t.Context(), 1)
			<-done
		})
	}
}

func TestTheBodyOfARangeOverEventsIsInsideItsSignal(t *testing.T) {
	outer, inner := New[int](), New[int]()
	ido, idi := outer.conf.Load().id, inner.conf.Load().id
	emitWhenHeard := func(s *AsyncSignal[int]) {
		for s.IsEmpty() {
			runtime.Gosched()
		}
		s.Emit(t.Context(), 1)
	}
	go emitWhenHeard(outer)
	for range outer.Events(t.Context()) {
		expectIDs(t, "the body", ido)
		go emitWhenHeard(inner)
		for range inner.Events(t.Context()) {
			expectIDs(t, "the body in a body", idi, ido)
			break
		}
		break
	}
	expectIDs(t, "what follows the range")
}

func TestAllShardsAreOneSignal(t *testing.T) {
	s := NewSharded[func()](3, nil)
	id := s.conf.Load().id
	s.AddListener(func(_ context.Context, fn func()) { fn() })
	for range 6 {
		done := make(chan struct{})
		s.Emit(t.Context(), func() { defer close(done); expectIDs(t, "a listener of a shard", id) })
		<-done
	}
}

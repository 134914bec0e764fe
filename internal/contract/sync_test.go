package contract_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
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

// onEachPath runs a test on signals that take the short way through an
// emission and on such that are counted or observed.
func onEachPath(t *testing.T, test func(t *testing.T, opts ...signals.Option)) {
	t.Helper()
	t.Run("bare", func(t *testing.T) { test(t) })
	t.Run("counted", func(t *testing.T) { test(t, signals.Counted()) })
	t.Run("observed", func(t *testing.T) {
		test(t, signals.Observe(signals.Observer{
			EmitBegin:     func(ctx context.Context, _ *signals.SignalInfo) context.Context { return ctx },
			ListenerBegin: func(ctx context.Context, _ *signals.ListenerInfo) context.Context { return ctx },
		}))
	})
}

// notes collects what happened, in order.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := n.lines
	n.lines = nil
	return lines
}

// expect fails unless exactly these lines were noted, which it takes.
func (n *notes) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := n.take(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// says makes a listener that notes name and the payload.
func (n *notes) says(name string) func(context.Context, int) {
	return func(_ context.Context, v int) { n.add("%s%d", name, v) }
}

// fails makes a listener that notes name and the payload, and returns err.
func (n *notes) fails(name string, err error) func(context.Context, int) error {
	return func(_ context.Context, v int) error { n.add("%s%d", name, v); return err }
}

// step makes a step that notes name and the payload; its Undo notes that too,
// and returns err.
func (n *notes) step(name string, err error) func(context.Context, int) (signals.Undo, error) {
	return func(_ context.Context, v int) (signals.Undo, error) {
		n.add("%s%d", name, v)
		return func(context.Context) error { n.add("undo %s%d", name, v); return err }, nil
	}
}

// failures makes a handler that notes the failures it gets.
func (n *notes) failures() signals.Option {
	return signals.OnFailure(func(_ context.Context, f signals.Failure) { n.add("%s: %v", f.Key, f.Err) })
}

var errNo = errors.New("no")

func TestEmitReturnsWhenAllListenersHaveRunInTheCallersGoroutine(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.NewSync[int](opts...)
		ran := []string{} // unguarded: the race detector says if another goroutine writes
		for range 3 {
			s.AddListener(func(context.Context, int) { ran = append(ran, goroutine()) })
		}
		s.Emit(t.Context(), 1)
		if me := goroutine(); !slices.Equal(ran, []string{me, me, me}) {
			t.Errorf("listeners ran in goroutines %v, the caller is %v", ran, me)
		}
	})
}

func TestListenersRunByPriorityAndThenInOrderOfRegistration(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](opts...)
		s.AddListener(n.says("a"), "a")
		s.Subscribe(n.fails("late", nil), signals.Priority(-1), signals.Key("late"))
		s.AddListenerWithErr(n.fails("b", nil), "b")
		s.Subscribe(n.fails("first", nil), signals.Priority(10), signals.Key("first"))
		s.AddListener(n.says("c"), "c")
		s.Subscribe(n.fails("second", nil), signals.Priority(10), signals.Key("second"))
		want := []string{"first1", "second1", "a1", "b1", "c1", "late1"}
		s.Emit(t.Context(), 1)
		n.expect(t, want...)
		if err := s.TryEmit(t.Context(), 1); err != nil {
			t.Error(err)
		}
		n.expect(t, want...)
		if err := s.TryEmitAll(t.Context(), 1); err != nil {
			t.Error(err)
		}
		n.expect(t, want...)
		if keys := s.Keys(); !slices.Equal(keys, []string{"first", "second", "a", "b", "c", "late"}) {
			t.Errorf("Keys are not in calling order: %v", keys)
		}
	})
}

// TestRemovalNeverReorders compares the list with a plain slice under random
// registrations, with and without priorities, and removals.
func TestRemovalNeverReorders(t *testing.T) {
	for _, priorities := range []int{1, 3} {
		type listener struct {
			key      string
			priority int
		}
		r := rand.New(rand.NewPCG(1, uint64(priorities)))
		var n notes
		s := signals.NewSync[int]()
		var model []listener
		for i := range 2000 {
			if len(model) == 0 || r.IntN(2) == 0 {
				l := listener{fmt.Sprint("k", i, "-"), r.IntN(priorities)}
				s.Subscribe(n.fails(l.key, nil), signals.Key(l.key), signals.Priority(l.priority))
				at := len(model)
				for at > 0 && model[at-1].priority < l.priority {
					at--
				}
				model = slices.Insert(model, at, l)
			} else {
				at := r.IntN(len(model))
				if left := s.RemoveListener(model[at].key); left != len(model)-1 {
					t.Fatalf("%d listeners left, want %d", left, len(model)-1)
				}
				model = slices.Delete(model, at, at+1)
			}
			var want []string
			for _, l := range model {
				want = append(want, l.key+"7")
			}
			s.Emit(t.Context(), 7)
			if got := n.take(); !slices.Equal(got, want) {
				t.Fatalf("after %d changes:\ngot  %v\nwant %v", i, got, want)
			}
		}
	}
}

func TestANestedEmitFinishesBeforeTheOuterGoesOn(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](opts...)
		s.AddListener(func(ctx context.Context, v int) {
			n.add("a%d", v)
			if v > 0 {
				s.Emit(ctx, v-1)
			}
		})
		s.AddListener(n.says("b"))
		s.Emit(t.Context(), 2)
		n.expect(t, "a2", "a1", "a0", "b0", "b1", "b2")
	})
}

func TestAListenerAddedInsideAListenerGetsTheNextEmission(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](opts...)
		s.AddListener(func(_ context.Context, v int) {
			n.add("a%d", v)
			s.AddListener(n.says("late"), "late")
			s.Subscribe(n.fails("early", nil), signals.Priority(v)) // above all others
		})
		s.Emit(t.Context(), 1)
		n.expect(t, "a1")
		s.Emit(t.Context(), 2)
		n.expect(t, "early2", "a2", "late2")
	})
}

func TestAListenerCanRemoveItselfAndOthersWhileItRuns(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](opts...)
		var self *signals.Subscription
		self = s.Subscribe(func(_ context.Context, v int) error {
			n.add("a%d", v)
			self.Unsubscribe()
			if left := s.RemoveListener("c"); left != 1 {
				t.Errorf("%d listeners left, want 1", left)
			}
			return nil
		})
		s.AddListener(n.says("b"), "b")
		s.AddListener(func(context.Context, int) {}, "c")
		s.Emit(t.Context(), 1)
		n.expect(t, "a1", "b1") // whether c got it is not promised
		s.Emit(t.Context(), 2)
		n.expect(t, "b2")
	})
}

func TestResetInsideAListenerLeavesTheSignalEmptyAndUsable(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](opts...)
		s.AddListener(func(_ context.Context, v int) { n.add("a%d", v); s.Reset() }, "a")
		s.Emit(t.Context(), 1)
		s.Emit(t.Context(), 2)
		n.expect(t, "a1")
		if !s.IsEmpty() || s.Len() != 0 || s.HasKey("a") || len(s.Keys()) != 0 {
			t.Errorf("after Reset: %d listeners, keys %v", s.Len(), s.Keys())
		}
		if got := s.AddListener(n.says("b"), "a"); got != 1 {
			t.Errorf("AddListener after Reset returned %d, want 1", got)
		}
		s.Emit(t.Context(), 3)
		n.expect(t, "b3")
	})
}

func TestEmitCarriesOnAfterAFailureAndReportsIt(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](append(opts, n.failures())...)
		s.AddListenerWithErr(n.fails("a", errNo), "first")
		s.AddListener(func(_ context.Context, v int) { n.add("b%d", v); panic("ouch") }, "second")
		s.Step(func(_ context.Context, v int) (signals.Undo, error) { n.add("c%d", v); return nil, errNo }, signals.Key("third"))
		s.AddListener(n.says("d"))
		s.Emit(t.Context(), 1)
		n.expect(t, "a1", "first: no", "b1", "second: panic: ouch", "c1", "third: no", "d1")
		if st := s.Stats(); st.Failures != 3 || st.Panics != 1 {
			t.Errorf("counted %d failures and %d panics, want 3 and 1", st.Failures, st.Panics)
		}
	})
}

func TestTryEmitStopsAtTheFirstFailureAndReturnsIt(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](append(opts, n.failures(), signals.Name("payment"))...)
		s.AddListener(n.says("a"))
		s.AddListenerWithErr(n.fails("b", nil))
		s.AddListenerWithErr(n.fails("c", fmt.Errorf("card: %w", fs.ErrPermission)), "charge")
		s.AddListener(n.says("d"))
		err := s.TryEmit(t.Context(), 1)
		n.expect(t, "a1", "b1", "c1") // and no failure handler: the caller has the error
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("errors.Is does not reach the cause of %v", err)
		}
		var le *signals.ListenerError
		if !errors.As(err, &le) || le.Signal != "payment" || le.Key != "charge" || le.Index != 2 || !strings.Contains(le.Listener, "fails") {
			t.Errorf("got %#v", le)
		}
		if want := `signals: listener 2 "charge" of "payment" failed: card: permission denied`; err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	})
}

func TestAFailureOfAListenerWithoutAKeyNamesItsFunction(t *testing.T) {
	s := signals.NewSync[int](signals.Name("payment"))
	s.AddListenerWithErr(refuseAll)
	err := s.TryEmit(t.Context(), 1)
	if want := `signals: listener 0 (contract_test.refuseAll) of "payment" failed: no`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func refuseAll(context.Context, int) error { return errNo }

func TestTryEmitAllRunsEveryListenerAndJoinsTheFailures(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](append(opts, n.failures())...)
		s.AddListenerWithErr(n.fails("a", fs.ErrExist), "first")
		s.AddListener(func(_ context.Context, v int) { n.add("b%d", v); panic(fs.ErrClosed) }, "second")
		s.AddListener(n.says("c"))
		s.Step(n.step("d", nil))
		s.AddListenerWithErr(n.fails("e", fs.ErrInvalid), "third")
		err := s.TryEmitAll(t.Context(), 1)
		n.expect(t, "a1", "b1", "c1", "d1", "e1") // and nothing is undone or reported
		for _, cause := range []error{fs.ErrExist, fs.ErrClosed, fs.ErrInvalid} {
			if !errors.Is(err, cause) {
				t.Errorf("%v is not among: %v", cause, err)
			}
		}
		if got := strings.Count(err.Error(), "signals: listener "); got != 3 {
			t.Errorf("%d failures are named, want 3: %v", got, err)
		}
	})
}

func TestAPanicIsAFailureWithItsStack(t *testing.T) {
	var none map[string]int
	panics := map[string]struct {
		fn    func()
		check func(*signals.PanicError) bool
	}{
		"value": {func() { panic(42) }, func(p *signals.PanicError) bool {
			return p.Value == 42 && p.Unwrap() == nil && p.Error() == "panic: 42"
		}},
		"nil": {func() { panic(nil) }, func(p *signals.PanicError) bool {
			_, ok := p.Value.(*runtime.PanicNilError)
			return ok
		}},
		"error": {func() { panic(fs.ErrExist) }, func(p *signals.PanicError) bool { return errors.Is(p, fs.ErrExist) }},
		"runtime error": {func() { none["a"] = 1 }, func(p *signals.PanicError) bool {
			var re runtime.Error
			return errors.As(p, &re) && strings.Contains(p.Error(), "nil map")
		}},
	}
	for name, c := range panics {
		t.Run(name, func(t *testing.T) {
			onEachPath(t, func(t *testing.T, opts ...signals.Option) {
				var got []error
				s := signals.NewSync[int](append(opts, signals.OnFailure(func(_ context.Context, f signals.Failure) { got = append(got, f.Err) }))...)
				calls := 0
				s.AddListener(func(context.Context, int) { throw(c.fn) })
				s.AddListener(func(context.Context, int) { calls++ })
				s.Emit(t.Context(), 1)
				got = append(got, s.TryEmit(t.Context(), 1), s.TryEmitAll(t.Context(), 1))
				if len(got) != 3 || calls != 2 {
					t.Fatalf("got errors %v and %d calls of the next listener, want 3 and 2", got, calls)
				}
				for _, err := range got {
					var p *signals.PanicError
					if !errors.As(err, &p) || !c.check(p) {
						t.Errorf("got %v", err)
					} else if !strings.Contains(string(p.Stack), "throw") {
						t.Errorf("the stack does not show who panicked:\n%s", p.Stack)
					}
				}
			})
		})
	}
}

//go:noinline
func throw(fn func()) { fn() }

func TestTryEmitUndoesTheCompletedStepsInReverseOrder(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](append(opts, n.failures())...)
		s.Step(n.step("reserve", nil))
		s.AddListener(n.says("log"))
		s.Step(func(_ context.Context, v int) (signals.Undo, error) { n.add("check%d", v); return nil, nil })
		s.Step(n.step("charge", nil))
		fail := s.Step(func(_ context.Context, v int) (signals.Undo, error) {
			n.add("ship%d", v)
			return func(context.Context) error { n.add("never"); return nil }, errNo
		})
		s.Step(n.step("unreached", nil))
		err := s.TryEmit(t.Context(), 1)
		if !errors.Is(err, errNo) {
			t.Errorf("got %v", err)
		}
		n.expect(t, "reserve1", "log1", "check1", "charge1", "ship1", "undo charge1", "undo reserve1")

		fail.Unsubscribe()
		if err := s.TryEmit(t.Context(), 2); err != nil {
			t.Error(err)
		}
		n.expect(t, "reserve2", "log2", "check2", "charge2", "unreached2")
	})
}

func TestEmitAndTryEmitAllNeverUndo(t *testing.T) {
	var n notes
	s := signals.NewSync[int](n.failures())
	s.Step(n.step("a", nil))
	s.AddListenerWithErr(n.fails("b", errNo), "b")
	s.Emit(t.Context(), 1)
	n.expect(t, "a1", "b1", "b: no")
	if err := s.TryEmitAll(t.Context(), 2); !errors.Is(err, errNo) {
		t.Errorf("got %v", err)
	}
	n.expect(t, "a2", "b2")
}

func TestUndoHasAContextThatIsNotCancelledAndKeepsItsValues(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
	s := signals.NewSync[int]()
	undone := false
	s.Step(func(context.Context, int) (signals.Undo, error) {
		return func(ctx context.Context) error {
			undone = true
			if ctx.Err() != nil || ctx.Done() != nil || ctx.Value(key{}) != "v" {
				t.Errorf("the context of Undo: err %v, value %v", ctx.Err(), ctx.Value(key{}))
			}
			return nil
		}, nil
	})
	s.AddListener(func(context.Context, int) { cancel() })
	s.AddListener(func(context.Context, int) { t.Error("called after ctx had ended") })
	err := s.TryEmit(ctx, 1)
	if !errors.Is(err, context.Canceled) || !undone {
		t.Errorf("got %v, undone: %v", err, undone)
	}
}

func TestFailuresOfUndosAreJoinedAndStopNoOtherUndo(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](append(opts, n.failures(), signals.Name("order"))...)
		s.Step(n.step("a", fs.ErrClosed), signals.Key("a"))
		s.Step(func(context.Context, int) (signals.Undo, error) {
			return func(context.Context) error { panic(fs.ErrExist) }, nil
		}, signals.Key("b"))
		s.Step(n.step("c", nil), signals.Key("c"))
		s.AddListenerWithErr(n.fails("d", errNo))
		err := s.TryEmit(t.Context(), 1)
		n.expect(t, "a1", "c1", "d1", "undo c1", "undo a1")
		for _, cause := range []error{errNo, fs.ErrClosed, fs.ErrExist} {
			if !errors.Is(err, cause) {
				t.Errorf("%v is not among: %v", cause, err)
			}
		}
		for _, text := range []string{`listener 0 "a" of "order" failed: undo: `, `listener 1 "b" of "order" failed: undo: panic: `} {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q is not in: %v", text, err)
			}
		}
	})
}

func TestNestedTryEmitsUndoOnlyTheirOwnSteps(t *testing.T) {
	var n notes
	inner, outer := signals.NewSync[int](), signals.NewSync[int]()
	inner.Step(n.step("inner", nil))
	inner.AddListenerWithErr(n.fails("check", errNo))
	outer.Step(n.step("outer", nil))
	outer.AddListenerWithErr(func(ctx context.Context, v int) error {
		if err := inner.TryEmit(ctx, v+1); !errors.Is(err, errNo) {
			t.Errorf("got %v", err)
		}
		n.add("goes on")
		return nil
	})
	if err := outer.TryEmit(t.Context(), 1); err != nil {
		t.Error(err)
	}
	n.expect(t, "outer1", "inner2", "check2", "undo inner2", "goes on")
}

// exits runs fn in a goroutine of its own and reports whether fn came back.
func exits(t *testing.T, fn func()) (returned bool) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
		returned = true
	}()
	await(t, done, "a goroutine that is ending")
	return returned
}

func TestGoexitInAListenerIsNotStopped(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](append(opts, n.failures())...)
		s.AddListener(func(_ context.Context, v int) { n.add("a%d", v); runtime.Goexit() })
		s.AddListener(n.says("b"))
		for name, emit := range map[string]func(){
			"Emit":       func() { s.Emit(t.Context(), 1) },
			"TryEmit":    func() { _ = s.TryEmit(t.Context(), 1) },
			"TryEmitAll": func() { _ = s.TryEmitAll(t.Context(), 1) },
		} {
			if exits(t, emit) {
				t.Errorf("%s stopped the Goexit", name)
			}
			n.expect(t, "a1")
		}
	})
}

func TestTryEmitUndoesWhileGoexitUnwinds(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.NewSync[int](append(opts, n.failures())...)
		s.Step(n.step("a", nil), signals.Key("a"))
		s.Step(n.step("b", errNo), signals.Key("b"))
		s.Step(n.step("c", nil), signals.Key("c"))
		s.AddListener(func(context.Context, int) { runtime.Goexit() })
		if exits(t, func() { _ = s.TryEmit(t.Context(), 1) }) {
			t.Error("TryEmit stopped the Goexit")
		}
		// The failed undo has no caller to go to, so the handler gets it.
		n.expect(t, "a1", "b1", "c1", "undo c1", "undo b1", "b: undo: no", "undo a1")
	})
}

func TestGoexitInAnUndoStopsNoOtherUndo(t *testing.T) {
	var n notes
	s := signals.NewSync[int]()
	s.Step(n.step("a", nil))
	s.Step(func(context.Context, int) (signals.Undo, error) {
		return func(context.Context) error { n.add("exit"); runtime.Goexit(); return nil }, nil
	})
	s.Step(n.step("c", nil))
	s.AddListenerWithErr(n.fails("d", errNo))
	if exits(t, func() { _ = s.TryEmit(t.Context(), 1) }) {
		t.Error("TryEmit stopped the Goexit")
	}
	n.expect(t, "a1", "c1", "d1", "undo c1", "exit", "undo a1")
}

func TestEmitNeverLooksAtItsContext(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var n notes
		s := signals.NewSync[int](opts...)
		s.AddListener(func(got context.Context, v int) { n.add("a%d %v", v, got.Err()) })
		s.AddListener(n.says("b"))
		s.Emit(ctx, 1)
		n.expect(t, "a1 context canceled", "b1")
	})
}

func TestTryEmitChecksItsContextBeforeEachListener(t *testing.T) {
	why := errors.New("shutting down")
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		for name, emit := range map[string]func(*signals.SyncSignal[int], context.Context) error{
			"TryEmit":    func(s *signals.SyncSignal[int], ctx context.Context) error { return s.TryEmit(ctx, 1) },
			"TryEmitAll": func(s *signals.SyncSignal[int], ctx context.Context) error { return s.TryEmitAll(ctx, 1) },
		} {
			for ran := range 4 {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				var n notes
				s := signals.NewSync[int](append(opts, signals.Name("order"))...)
				if ran == 0 {
					cancel(why)
				}
				for i := range 3 {
					s.AddListener(func(_ context.Context, v int) {
						n.add("%d", i)
						if i == ran-1 {
							cancel(why)
						}
					})
				}
				err := emit(s, ctx)
				n.expect(t, []string{"0", "1", "2"}[:ran]...)
				if ran == 3 {
					if err != nil {
						t.Errorf("%s: all have run, got %v", name, err)
					}
					continue
				}
				want := fmt.Sprintf(`signals: "order" stopped after %d of 3 listeners: context canceled: shutting down`, ran)
				if !errors.Is(err, context.Canceled) || !errors.Is(err, why) || err.Error() != want {
					t.Errorf("%s:\ngot  %v\nwant %s", name, err, want)
				}
			}
		}
	})
}

func TestTryEmitAllJoinsFailuresWithTheEndOfItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := signals.NewSync[int]()
	s.AddListenerWithErr(func(context.Context, int) error { cancel(); return errNo })
	s.AddListener(func(context.Context, int) { t.Error("called after ctx had ended") })
	if err := s.TryEmitAll(ctx, 1); !errors.Is(err, errNo) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestANilContextIsBackground(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.NewSync[int](opts...)
		calls := 0
		s.AddListener(func(ctx context.Context, _ int) {
			calls++
			if ctx != context.Background() {
				t.Errorf("got %v", ctx)
			}
		})
		var none context.Context
		s.Emit(none, 1)
		if err := errors.Join(s.TryEmit(none, 1), s.TryEmitAll(none, 1)); err != nil || calls != 3 {
			t.Errorf("%d calls, want 3; error %v", calls, err)
		}
	})
}

func TestTheZeroValueIsReady(t *testing.T) {
	var s signals.SyncSignal[int]
	s.Emit(t.Context(), 1)
	if err := errors.Join(s.TryEmit(t.Context(), 1), s.TryEmitAll(t.Context(), 1)); err != nil {
		t.Error(err)
	}
	if s.Len() != 0 || !s.IsEmpty() || s.HasKey("") || s.RemoveListener("a") != -1 {
		t.Error("a zero signal has listeners")
	}
	s.Reset()
	var n notes
	s.AddListener(n.says("a"))
	s.Emit(t.Context(), 1)
	n.expect(t, "a1")
}

func TestASignalWithoutListenersAcceptsEverything(t *testing.T) {
	for name, emit := range map[string]func(*signals.SyncSignal[int]) error{
		"Emit":       func(s *signals.SyncSignal[int]) error { s.Emit(t.Context(), 1); return nil },
		"TryEmit":    func(s *signals.SyncSignal[int]) error { return s.TryEmit(t.Context(), 1) },
		"TryEmitAll": func(s *signals.SyncSignal[int]) error { return s.TryEmitAll(t.Context(), 1) },
	} {
		var zero signals.SyncSignal[int]
		if err := errors.Join(emit(&zero), emit(signals.NewSync[int]()), emit(signals.NewSync[int](signals.Counted()))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// That was a use.
		mustPanic(t, func() { zero.Init(signals.Name("late")) }, "Init", "int", "first use")
	}
}

func TestInitGivesOptionsToASignalHeldByValue(t *testing.T) {
	var held struct {
		Orders signals.SyncSignal[int]
	}
	if s := held.Orders.Init(signals.Name("orders"), signals.Counted()); s != &held.Orders {
		t.Error("Init returned another signal")
	}
	held.Orders.Emit(t.Context(), 1)
	if st := held.Orders.Stats(); st.Name != "orders" || st.Emissions != 1 {
		t.Errorf("got %q with %d emissions", st.Name, st.Emissions)
	}
	mustPanic(t, func() { held.Orders.Init(signals.Counted()) }, `Init of "orders"`, "first use")
}

func TestEmissionsRegistrationsAndRemovalsGoOnAtTheSameTime(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		s := signals.NewSync[int](opts...)
		var always atomic.Int64
		s.AddListener(func(context.Context, int) { always.Add(1) }, "always")
		const emitters, rounds = 4, 300
		var wg sync.WaitGroup
		for g := range emitters {
			wg.Go(func() {
				for i := range rounds {
					s.Emit(t.Context(), i)
				}
			})
			wg.Go(func() {
				for i := range rounds {
					key := fmt.Sprint(g, "-", i)
					sub := s.Subscribe(func(context.Context, int) error { return nil },
						signals.Key(key), signals.Priority(i%3-1))
					if i%2 == 0 {
						sub.Unsubscribe()
					} else if s.RemoveListener(key) < 1 {
						t.Errorf("%s was not there", key)
					}
				}
			})
		}
		wg.Wait()
		if got := always.Load(); got != emitters*rounds {
			t.Errorf("the listener that was always there got %d of %d", got, emitters*rounds)
		}
		if keys := s.Keys(); !slices.Equal(keys, []string{"always"}) {
			t.Errorf("left: %v", keys)
		}
	})
}

func TestSlowAfterNamesTheSlowListenerOnceWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogged()
		s := signals.NewSync[time.Duration](signals.Name("orders"), signals.Logger(log.Logger), signals.SlowAfter(time.Second))
		s.AddListener(takesItsTime, "quick")
		s.AddListener(func(ctx context.Context, d time.Duration) {
			takesItsTime(ctx, d)
			if n := len(log.all()); d > time.Second && n != 1 {
				t.Errorf("%d warnings while it runs, want 1", n)
			}
		}, "slow")
		s.AddListener(takesItsTime, "quick too")
		s.Emit(t.Context(), 400*time.Millisecond) // long together, but none of them
		if lines := log.all(); len(lines) != 0 {
			t.Fatalf("nobody was slow: %v", lines)
		}
		s.RemoveListener("quick")
		s.RemoveListener("quick too")
		s.Emit(t.Context(), 5*time.Second)
		lines := log.all()
		if len(lines) != 1 {
			t.Fatalf("%d warnings, want 1", len(lines))
		}
		got := lines[0].attrs
		if got["signal"] != "orders" || got["key"] != "slow" || !strings.Contains(got["site"], "sync_test.go:") ||
			!strings.Contains(got["listener"], "TestSlowAfter") || got["running"] != "1s" {
			t.Errorf("got %v", got)
		}
	})
}

func takesItsTime(_ context.Context, d time.Duration) { <-time.After(d) }

func TestSlowAfterFindsASlowListenerBehindQuickOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogged()
		s := signals.NewSync[int](signals.Logger(log.Logger), signals.SlowAfter(time.Second))
		for i := range 3 {
			s.AddListener(func(ctx context.Context, _ int) {
				takesItsTime(ctx, time.Duration(i)*900*time.Millisecond)
			}, fmt.Sprint(i))
		}
		s.Emit(t.Context(), 1)
		if lines := log.all(); len(lines) != 1 || lines[0].attrs["key"] != "2" {
			t.Errorf("want one warning, of 2: %v", lines)
		}
	})
}

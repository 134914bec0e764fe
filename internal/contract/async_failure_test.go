package contract_test

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/signals"
)

// misdeeds are what a listener can do wrong.
var misdeeds = map[string]struct {
	do func() error
	is func(error) bool
}{
	"error":       {func() error { return errNo }, func(err error) bool { return errors.Is(err, errNo) }},
	"panic":       {func() error { panic(42) }, isPanic(func(v any) bool { return v == 42 })},
	"nil panic":   {func() error { panic(nil) }, isPanic(func(v any) bool { _, ok := v.(*runtime.PanicNilError); return ok })},
	"error panic": {func() error { panic(fs.ErrExist) }, func(err error) bool { return isPanic(nil)(err) && errors.Is(err, fs.ErrExist) }},
	"runtime error": {func() error { noMap[0] = 1; return nil }, func(err error) bool {
		var re runtime.Error
		return isPanic(nil)(err) && errors.As(err, &re)
	}},
	"Goexit": {func() error { runtime.Goexit(); return nil }, func(err error) bool { return errors.Is(err, signals.ErrGoexit) && !isPanic(nil)(err) }},
}

var noMap map[int]int

// isPanic reports whether an error is a panic with such a value and the stack
// of who panicked.
func isPanic(value func(any) bool) func(error) bool {
	return func(err error) bool {
		var p *signals.PanicError
		return errors.As(err, &p) && (value == nil || value(p.Value)) && strings.Contains(string(p.Stack), "async_failure_test.go")
	}
}

func TestAWorkerGoesOnWhateverItsListenerDoes(t *testing.T) {
	listener := map[string][]signals.ListenerOption{
		"plain":       nil,
		"filter":      {signals.Filter(func(int) bool { return true })},
		"concurrency": {signals.Concurrency(2)},
		"maxlag":      {signals.MaxLag(1000, signals.DropOldest)},
	}
	for name, m := range misdeeds {
		for kind, lo := range listener {
			t.Run(name+"/"+kind, func(t *testing.T) {
				onEachPath(t, func(t *testing.T, opts ...signals.Option) {
					bad := func(v int) bool { return v%100 == 0 || v%100 == 1 || v == 599 }
					var got []signals.Failure
					var ok []int
					s := signals.New[int](append(opts, signals.MaxWorkers(1), // so that ok and got need no lock
						signals.OnFailure(func(_ context.Context, f signals.Failure) { got = append(got, f) }))...)
					s.Subscribe(func(_ context.Context, v int) error {
						if bad(v) {
							return m.do()
						}
						ok = append(ok, v)
						return nil
					}, append(lo, signals.Key("bad"))...)
					for i := range 600 {
						s.Emit(t.Context(), i)
					}
					mustDrain(t, s)
					if len(got) != 13 || len(ok) != 587 || !slices.IsSorted(ok) {
						t.Fatalf("%d failures and %d calls that went well, want 13 and 587", len(got), len(ok))
					}
					for _, f := range got {
						if v, is := f.Payload.(int); !is || !bad(v) || f.Key != "bad" || !m.is(f.Err) {
							t.Errorf("got %+v", f)
						}
					}
					panics := 0
					if strings.Contains(name, "panic") || name == "runtime error" {
						panics = 13
					}
					st := s.Stats()
					if st.Failures != 13 || st.Panics != uint64(panics) || st.Deliveries != 600 {
						t.Errorf("counted %d failures, %d panics, %d deliveries; want 13, %d, 600", st.Failures, st.Panics, st.Deliveries, panics)
					}
				})
			})
		}
	}
}

func TestEmitWaitReturnsWhatTheHandlerGets(t *testing.T) {
	for name, m := range misdeeds {
		t.Run(name, func(t *testing.T) {
			onEachPath(t, func(t *testing.T, opts ...signals.Option) {
				handled := 0
				s := signals.New[int](append(opts, signals.Name("orders"), signals.OnFailure(func(_ context.Context, f signals.Failure) {
					handled++ // before EmitWait returns
					if !m.is(f.Err) {
						t.Errorf("the handler got %v", f.Err)
					}
				}))...)
				s.AddListener(func(context.Context, int) {})
				s.Subscribe(func(context.Context, int) error { return m.do() }, signals.Key("bad"))
				for i := range 3 {
					err := s.EmitWait(t.Context(), i)
					var le *signals.ListenerError
					if !m.is(err) || !errors.As(err, &le) || le.Signal != "orders" || le.Key != "bad" || le.Index != 1 {
						t.Errorf("got %v", err)
					}
				}
				if handled != 3 {
					t.Errorf("the handler was called %d times, want 3", handled)
				}
			})
		})
	}
}

func TestEmitWaitJoinsTheFailuresOfAllListeners(t *testing.T) {
	s := signals.New[int](signals.OnFailure(func(context.Context, signals.Failure) {}))
	for _, name := range []string{"error", "panic", "error panic", "Goexit"} {
		s.AddListenerWithErr(func(context.Context, int) error { return misdeeds[name].do() }, name)
	}
	s.AddListener(func(context.Context, int) {}, "good")
	err := s.EmitWait(t.Context(), 1)
	if !errors.Is(err, errNo) || !errors.Is(err, fs.ErrExist) || !errors.Is(err, signals.ErrGoexit) {
		t.Errorf("got %v", err)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got a %T", err)
	}
	keys := map[string]bool{}
	for _, err := range joined.Unwrap() {
		var le *signals.ListenerError
		if !errors.As(err, &le) {
			t.Fatalf("got %v", err)
		}
		keys[le.Key] = misdeeds[le.Key].is(err)
	}
	if len(keys) != 4 || !keys["error"] || !keys["panic"] || !keys["error panic"] || !keys["Goexit"] {
		t.Errorf("got %v", keys)
	}
}

func TestAPanicInAFilterIsAFailureAndTheListenerIsNotCalled(t *testing.T) {
	onEachPath(t, func(t *testing.T, opts ...signals.Option) {
		var n notes
		s := signals.New[int](append(opts, n.failures())...)
		s.Subscribe(n.fails("a", nil), signals.Key("a"), signals.Filter(func(v int) bool {
			if v == 2 {
				panic("filter")
			}
			return v != 3
		}))
		for v := 1; v <= 4; v++ {
			err := s.EmitWait(t.Context(), v)
			var p *signals.PanicError
			if errors.As(err, &p) != (v == 2) {
				t.Errorf("EmitWait of %d: %v", v, err)
			}
		}
		n.expect(t, "a1", "a: panic: filter", "a4")
		if st := s.Stats(); st.Panics != 1 || st.Deliveries != 2 {
			t.Errorf("%d panics, %d deliveries; want 1 and 2", st.Panics, st.Deliveries)
		}
	})
}

func TestAHandlerMayEndItsGoroutine(t *testing.T) {
	for name, m := range misdeeds {
		t.Run(name, func(t *testing.T) {
			onEachPath(t, func(t *testing.T, opts ...signals.Option) {
				handled := 0
				s := signals.New[int](append(opts, signals.OnFailure(func(context.Context, signals.Failure) {
					handled++
					runtime.Goexit()
				}))...)
				calls := 0
				s.AddListenerWithErr(func(_ context.Context, v int) error {
					calls++
					if v%10 == 0 {
						return m.do()
					}
					return nil
				})
				for i := range 100 {
					s.Emit(t.Context(), i)
				}
				mustDrain(t, s)
				if st := s.Stats(); calls != 100 || handled != 10 || st.Failures != 10 || st.Deliveries != 100 {
					t.Errorf("%d calls, %d failures handled; want 100 and 10; %+v", calls, handled, st)
				}
				if err := s.EmitWait(t.Context(), 0); !m.is(err) {
					t.Errorf("EmitWait: %v", err)
				}
			})
		})
	}
}

func TestAFailureMayBeEmittedOnASignalOfFailures(t *testing.T) {
	log := newLogged()
	errs := signals.New[signals.Failure](signals.Name("errors"), signals.Logger(log.Logger))
	var got []any
	errs.AddListenerWithErr(func(_ context.Context, f signals.Failure) error {
		got = append(got, f.Payload)
		if f.Payload == 50 {
			return errNo
		}
		return nil
	})
	s := signals.New[int](signals.OnFailure(errs.Emit))
	s.AddListenerWithErr(refuseAll)
	for i := range 100 {
		s.Emit(t.Context(), i)
	}
	mustDrain(t, s)
	mustDrain(t, errs)
	if len(got) != 100 || got[0] != 0 || got[99] != 99 {
		t.Errorf("%d failures came: %v", len(got), got)
	}
	if lines := log.all(); len(lines) != 1 || lines[0].attrs["signal"] != "errors" {
		t.Errorf("logged %v, want the failure of the signal of failures", lines)
	}
}

func TestARefusedEmitIsAFailureAndOfferAndEmitWaitReturnIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusal := func(ctx context.Context, s *signals.AsyncSignal[int], got *[]signals.Failure, why error) {
			t.Helper()
			before := s.Stats()
			s.Emit(ctx, 7)
			if len(*got) != 1 || (*got)[0].Listener != "" || (*got)[0].Key != "" || (*got)[0].Payload != 7 ||
				(*got)[0].Signal != "orders" || !errors.Is((*got)[0].Err, why) {
				t.Errorf("%v: the handler got %+v", why, *got)
			}
			*got = nil
			for _, err := range []error{s.Offer(ctx, 8), s.EmitWait(ctx, 9)} {
				if !errors.Is(err, why) || !strings.Contains(err.Error(), `signals: `) || !strings.Contains(err.Error(), `"orders"`) {
					t.Errorf("got %v, want %v", err, why)
				}
			}
			st := s.Stats()
			if len(*got) != 0 || st.Refusals != before.Refusals+3 || st.Emissions != before.Emissions || st.Failures != 0 {
				t.Errorf("%v: the handler got %v; %+v", why, *got, st)
			}
		}
		for _, policy := range []signals.Overflow{signals.Block, signals.Reject} {
			var got []signals.Failure
			d := newDoor()
			s := signals.New[int](signals.Name("orders"), signals.Capacity(1, policy),
				signals.OnFailure(func(_ context.Context, f signals.Failure) { got = append(got, f) }))
			s.Subscribe(d.pass)
			s.Emit(t.Context(), 1)
			if policy == signals.Reject {
				refusal(t.Context(), s, &got, signals.ErrOverflow)
			} else {
				refusal(ended(t), s, &got, context.Canceled)
				ctx, cancel := context.WithTimeout(t.Context(), 1) // one that ends while waiting
				defer cancel()
				refusal(ctx, s, &got, context.DeadlineExceeded)
			}
			d.open()
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			refusal(t.Context(), s, &got, signals.ErrClosed)
			if n := len(d.in); n != 1 {
				t.Errorf("%d deliveries, want 1", n)
			}
		}
	})
}

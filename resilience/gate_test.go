package resilience_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"example.com/signals"
	"example.com/signals/resilience"
)

// gated is what both wrappers are.
type gated interface {
	signals.Signal[int]
	TryEmit(ctx context.Context, payload int) error
	TryEmitAll(ctx context.Context, payload int) error
	EmitWait(ctx context.Context, payload int) error
	Offer(ctx context.Context, payload int) error
	Drain(ctx context.Context) error
	Close(ctx context.Context) error
	Stats() signals.SignalStats
	Unwrap() signals.Signal[int]
}

func newSync(o ...signals.Option) signals.Signal[int]  { return signals.NewSync[int](o...) }
func newAsync(o ...signals.Option) signals.Signal[int] { return signals.New[int](o...) }
func newSharded(o ...signals.Option) signals.Signal[int] {
	return signals.NewSharded[int](2, nil, o...)
}

var kinds = map[string]func(...signals.Option) signals.Signal[int]{"sync": newSync, "async": newAsync, "sharded": newSharded}

// eachGate runs a test on each wrapper around each kind of signal, with a way to make
// it refuse from now on.
func eachGate(t *testing.T, test func(t *testing.T, g gated, shut func(), seen *failures)) {
	for kind, newSignal := range kinds {
		t.Run("RateLimited "+kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var seen failures
				limiter := rate.NewLimiter(rate.Inf, 0)
				g := resilience.NewRateLimited(newSignal(signals.Name("orders"), signals.OnFailure(seen.handle)), limiter)
				test(t, g, func() { limiter.SetLimit(0) }, &seen)
			})
		})
		t.Run("CircuitBreaker "+kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var seen failures
				c := resilience.NewCircuit(resilience.FailureThreshold(1))
				g := resilience.NewCircuitBreaker[int](newSignal, c, signals.Name("orders"), signals.OnFailure(seen.handle))
				test(t, g, func() { _ = resilience.Breaker(fails, c)(t.Context(), 1) }, &seen)
			})
		})
	}
}

func TestARefusedEmitIsAFailureAndARefusedTryEmitAnError(t *testing.T) {
	eachGate(t, func(t *testing.T, g gated, shut func(), seen *failures) {
		s := answers()
		g.Subscribe(s.listen)
		emitAll := func() (tried, offered error) {
			g.Emit(t.Context(), 1)
			tried, offered = g.TryEmit(t.Context(), 2), g.Offer(t.Context(), 3)
			_ = g.Drain(t.Context())
			return tried, offered
		}
		if tried, offered := emitAll(); tried != nil || offered != nil || s.n() != 3 || len(seen.got()) != 0 {
			t.Errorf("open: %v, %v, %d of 3 delivered, failures %v", tried, offered, s.n(), seen.got())
		}
		shut()
		tried, offered := emitAll()
		for _, err := range []error{tried, offered} {
			if !errors.Is(err, resilience.ErrOpen) && !errors.Is(err, resilience.ErrRateLimited) {
				t.Errorf("shut: got %v, want the reason", err)
			}
		}
		if s.n() != 3 {
			t.Errorf("%d emissions passed the shut gate", s.n()-3)
		}
		if got := seen.got(); len(got) != 1 || got[0].Signal != "orders" || got[0].Listener != "" || got[0].Payload != 1 || got[0].Err.Error() != tried.Error() {
			t.Errorf("shut: reported %+v, want the Emit alone", got)
		}
		waited, all := g.EmitWait(t.Context(), 4), g.TryEmitAll(t.Context(), 5)
		if waited == nil || all == nil || waited.Error() != tried.Error() || s.n() != 3 || len(seen.got()) != 1 {
			t.Errorf("shut: EmitWait %v, TryEmitAll %v, reported %v; want the reason and no report", waited, all, seen.got())
		}
		if st := g.Stats(); st.Refusals != 5 {
			t.Errorf("%d refusals are counted, want 5", st.Refusals)
		}
	})
}

func TestTheWrapperIsTheSignal(t *testing.T) {
	eachGate(t, func(t *testing.T, g gated, _ func(), seen *failures) {
		g.AddListenerWithErr(fails, "a")
		sub := g.Subscribe(succeeds, signals.Key("b"))
		if g.Len() != 2 || !g.HasKey("a") || g.Unwrap().Len() != 2 || g.AddListenerWithErr(fails, "a") != -1 {
			t.Error("registrations do not reach the signal")
		}
		sub.Unsubscribe()
		if g.Len() != 1 {
			t.Error("removals do not reach the signal")
		}
		g.Emit(t.Context(), 1)
		_ = g.Drain(t.Context())
		st := g.Stats()
		if st.Name != "orders" || st.Failures != 1 || len(seen.got()) != 1 {
			t.Errorf("stats %+v, failures %v", st, seen.got())
		}
		if l := st.Listeners[0]; !strings.HasPrefix(l.Site, "resilience/gate_test.go:") || !strings.HasSuffix(l.Listener, ".fails") {
			t.Errorf("the listener is %s at %s, want fails at its registration here", l.Listener, l.Site)
		}
		if err := g.Close(t.Context()); err != nil || g.Stats().Closed == (st.Kind == signals.KindSync) {
			t.Errorf("closed %t: %v", g.Stats().Closed, err)
		}
	})
}

func TestEmitWaitAndTryEmitAllReachTheSignal(t *testing.T) {
	for how, emit := range map[string]func(g gated, ctx context.Context) error{
		"EmitWait":   func(g gated, ctx context.Context) error { return g.EmitWait(ctx, 1) },
		"TryEmitAll": func(g gated, ctx context.Context) error { return g.TryEmitAll(ctx, 1) },
	} {
		eachGate(t, func(t *testing.T, g gated, _ func(), _ *failures) {
			s := answers(errDown, errDown)
			g.Subscribe(s.listen)
			g.Subscribe(succeeds)
			g.Subscribe(s.listen)
			err := emit(g, t.Context())
			_ = g.Drain(t.Context())
			want := 2
			if how == "TryEmitAll" && g.Stats().Kind != signals.KindSync {
				want = 0 // accepted
			}
			if got := strings.Count(fmt.Sprint(err), "down"); got != want || s.n() != 2 {
				t.Errorf("%s: %v after %d calls, want %d failures after 2", how, err, s.n(), want)
			}
		})
	}
}

func TestWrappersStack(t *testing.T) {
	var seen failures
	limiter := rate.NewLimiter(rate.Inf, 0)
	c := resilience.NewCircuit(resilience.FailureThreshold(1))
	breaker := resilience.NewCircuitBreaker(signals.NewSync[int], c, signals.OnFailure(seen.handle))
	g := resilience.NewRateLimited[int](breaker, limiter)
	g.Subscribe(fails)
	if err := g.TryEmit(t.Context(), 1); !errors.Is(err, errDown) {
		t.Errorf("got %v, want the listener's", err)
	}
	g.Emit(t.Context(), 2)
	if err := g.TryEmit(t.Context(), 3); !errors.Is(err, resilience.ErrOpen) {
		t.Errorf("got %v, want the circuit's", err)
	}
	limiter.SetLimit(0)
	g.Emit(t.Context(), 4)
	if got := seen.got(); len(got) != 2 || !errors.Is(got[0].Err, resilience.ErrOpen) || !errors.Is(got[1].Err, resilience.ErrRateLimited) {
		t.Errorf("reported %+v, want both refusals", got)
	}
}

func TestEmitWithLimitWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := answers()
		orders := resilience.NewRateLimited(signals.New[int](), perSecond())
		orders.Subscribe(s.listen)
		begun := time.Now()
		for n := range 3 {
			if err := orders.EmitWithLimit(t.Context(), n); err != nil {
				t.Error(err)
			}
		}
		_ = orders.Drain(t.Context())
		if s.n() != 3 || time.Since(begun) != 2*second {
			t.Errorf("%d emissions in %v, want 3 in 2s", s.n(), time.Since(begun))
		}

		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() { result <- orders.EmitWithLimit(ctx, 4) }()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) || !errors.Is(err, resilience.ErrRateLimited) {
			t.Errorf("got %v, want the end of the context", err)
		}
		_ = orders.Close(t.Context())
		if err := orders.EmitWithLimit(t.Context(), 5); !errors.Is(err, signals.ErrClosed) {
			t.Errorf("got %v, want the signal's refusal", err)
		}
	})
}

// foreign is a signal by another package, which has no Refuse.
type foreign struct{ signals.Signal[int] }

func TestARefusalOfAForeignSignalIsLogged(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	g := resilience.NewRateLimited[int](foreign{signals.NewSync[int]()}, rate.NewLimiter(0, 0))
	g.Emit(t.Context(), 1)
	if !strings.Contains(log.String(), `msg="resilience: emission refused" err="resilience: rate limit reached"`) {
		t.Errorf("logged %q", log.String())
	}
	if g.Stats().Name != "" || g.Close(t.Context()) != nil || g.Drain(t.Context()) != nil {
		t.Error("what the signal does not have is not left out")
	}
}

func TestListenersAreObservedThroughTheWrapper(t *testing.T) {
	limited := resilience.NewRateLimited[int](signals.NewSync[int](), rate.NewLimiter(1, 1))
	var seen []string
	stop := limited.ObserveListeners(
		func(l *signals.ListenerInfo) { seen = append(seen, "+"+l.Key) },
		func(l *signals.ListenerInfo) { seen = append(seen, "-"+l.Key) })
	limited.Subscribe(succeeds, signals.Key("a"))
	limited.RemoveListener("a")
	stop()
	limited.Subscribe(succeeds, signals.Key("b"))
	_ = limited.Stats()
	stop = limited.ObserveFailures(func(_ context.Context, f signals.Failure) { seen = append(seen, f.Key) })
	limited.Subscribe(func(context.Context, int) error { return errDown }, signals.Key("fails"))
	_ = limited.TryEmit(context.Background(), 1)
	stop()
	if got := strings.Join(seen, " "); got != "+a -a fails" {
		t.Errorf("observed %q", got)
	}
	if resilience.NewRateLimited[int](foreign{signals.NewSync[int]()}, rate.NewLimiter(1, 1)).ObserveListeners(nil, nil) != nil {
		t.Error("a signal without ObserveListeners is observed")
	}
	if resilience.NewRateLimited[int](foreign{signals.NewSync[int]()}, rate.NewLimiter(1, 1)).ObserveFailures(nil) != nil {
		t.Error("a signal without ObserveFailures is observed")
	}
}

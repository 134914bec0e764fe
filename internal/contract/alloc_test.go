package contract_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"example.com/signals"
)

// skipUnderRace skips a test of what is not allocated.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector allocates")
	}
}

// order is a payload of some size.
type order struct {
	id    string
	lines [6]int
}

// syncSignals are sync signals that must not allocate, whatever their options.
func syncSignals() map[string]*signals.SyncSignal[order] {
	return map[string]*signals.SyncSignal[order]{
		"zero":      new(signals.SyncSignal[order]),
		"named":     signals.NewSync[order](signals.Name("orders")),
		"counted":   signals.NewSync[order](signals.Counted()),
		"on a bus":  signals.NewSync[order](signals.OnBus(signals.NewBus())),
		"heard of":  signals.NewSync[order](signals.OnFailure(func(context.Context, signals.Failure) {})),
		"with room": signals.NewSync[order](signals.InitialCapacity(500)),
	}
}

func TestSyncEmissionsDoNotAllocate(t *testing.T) {
	skipUnderRace(t)
	ending, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for name, s := range syncSignals() {
		sum := 0
		for n := range 101 {
			switch n {
			case 0, 1, 100:
				t.Run(fmt.Sprintf("%s/%d listeners", name, n), func(t *testing.T) {
					expectNoAllocs(t, s, ending)
				})
			}
			switch n % 4 {
			case 0:
				s.AddListener(func(_ context.Context, o order) { sum += o.lines[1] })
			case 1:
				s.AddListenerWithErr(func(_ context.Context, o order) error { sum += o.lines[2]; return nil }, fmt.Sprint("key", n))
			case 2:
				s.Subscribe(func(context.Context, order) error { return nil }, signals.Priority(n))
			default:
				s.Subscribe(count, signals.Key(fmt.Sprint("key", n)))
			}
		}
	}
}

func count(_ context.Context, o order) error {
	if o.id == "" {
		return errors.New("no id")
	}
	return nil
}

func expectNoAllocs(t *testing.T, s *signals.SyncSignal[order], ctx context.Context) { //nolint:revive // t goes first
	t.Helper()
	o := order{id: "A-1", lines: [6]int{1, 2, 3}}
	for name, emit := range map[string]func(){
		"Emit":        func() { s.Emit(ctx, o) },
		"Emit, nil":   func() { s.Emit(nil, o) }, //nolint:staticcheck // allowed, and documented
		"TryEmit":     func() { check(t, s.TryEmit(ctx, o)) },
		"TryEmitAll":  func() { check(t, s.TryEmitAll(ctx, o)) },
		"TryEmit, bg": func() { check(t, s.TryEmit(context.Background(), o)) },
	} {
		if n := testing.AllocsPerRun(200, emit); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestSyncEmissionsWithOptionsDoNotAllocate(t *testing.T) {
	skipUnderRace(t)
	for name, opt := range map[string]signals.ListenerOption{
		"Filter that passes": signals.Filter(func(o order) bool { return o.id != "" }),
		"Filter that stops":  signals.Filter(func(o order) bool { return o.id == "" }),
		"Until":              signals.Until(t.Context()),
	} {
		t.Run(name, func(t *testing.T) {
			s := signals.NewSync[order]()
			s.Subscribe(count, opt)
			s.Subscribe(count)
			expectNoAllocs(t, s, t.Context())
		})
	}
}

// emitter is what the async kinds of signal have.
type emitter interface {
	signals.Signal[order]
	Offer(context.Context, order) error
	Drain(context.Context) error
}

func asyncSignals() map[string]func() emitter {
	return map[string]func() emitter{
		"zero":       func() emitter { return new(signals.AsyncSignal[order]) },
		"counted":    func() emitter { return signals.New[order](signals.Counted()) },
		"on a bus":   func() emitter { return signals.Topic[order](signals.NewBus(), "orders") },
		"bounded":    func() emitter { return signals.New[order](signals.Capacity(5000, signals.Reject)) },
		"MaxWorkers": func() emitter { return signals.New[order](signals.MaxWorkers(2)) },
		"sharded":    func() emitter { return signals.NewSharded[order](4, nil) },
	}
}

// batch is how many emissions are looked at together: chunks of the log are
// allocated and pooled, and workers begin and end, which must not be much.
const batch = 1000

// allocations returns how many allocations, and how many bytes, one of a batch
// of emissions takes on average, when the pool has been filled.
func allocations(t *testing.T, s emitter, emit func()) (allocs, bytes float64) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which empties pools
	once := func() {
		for range batch {
			emit()
		}
		if err := s.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	const rounds = 5
	for range 20 { // chunks come in two sizes
		once()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		once()
	}
	runtime.ReadMemStats(&after)
	n := float64(rounds * batch)
	return float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n
}

func TestAsyncEmissionsDoNotAllocate(t *testing.T) {
	skipUnderRace(t)
	o := order{id: "A-1"}
	ctx := context.WithValue(context.Background(), order{}, 1) // values, but no end
	for name, make := range asyncSignals() {
		for _, listeners := range []int{0, 1, 100} {
			t.Run(fmt.Sprintf("%s/%d listeners", name, listeners), func(t *testing.T) {
				s := make()
				for range listeners {
					s.Subscribe(count)
				}
				for call, emit := range map[string]func(){
					"Emit":  func() { s.Emit(ctx, o) },
					"Offer": func() { check(t, s.Offer(ctx, o)) },
				} {
					if n, bytes := allocations(t, s, emit); n > 0.05 {
						t.Errorf("%s allocates %.3f times, %.1f bytes; want 0", call, n, bytes)
					}
				}
			})
		}
	}
}

func TestAsyncEmissionsAllocate16BytesIfTheContextCanEnd(t *testing.T) {
	skipUnderRace(t)
	o := order{id: "A-1"}
	ctx := t.Context()
	for name, make := range asyncSignals() {
		for _, listeners := range []int{1, 100} {
			t.Run(fmt.Sprintf("%s/%d listeners", name, listeners), func(t *testing.T) {
				s := make()
				for range listeners {
					s.Subscribe(count)
				}
				n, bytes := allocations(t, s, func() { s.Emit(ctx, o) })
				if n > 1.05 || n < 1 || bytes > 17 {
					t.Errorf("an emission allocates %.3f times, %.1f bytes; want once, 16 bytes", n, bytes)
				}
			})
		}
	}
}

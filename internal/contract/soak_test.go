package contract_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/signals"
)

var soak = flag.Duration("soak", 0, "run TestSoak for about this `duration`")

// sown says who emitted and as what number. Echoes are what listeners emit.
type sown struct {
	emitter int // -1 for an echo
	number  int
}

// TestSoak runs signals of all kinds, with listeners that block, panic, exit,
// come and go, and emit, in rounds of a second. After each round everything
// that was accepted must have come out in order, and neither goroutines nor
// memory may have grown.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("only with -soak 10m")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	kinds := map[string]func() asynchronous[sown]{
		"plain":       func() asynchronous[sown] { return signals.New[sown](quietly) },
		"counted":     func() asynchronous[sown] { return signals.New[sown](quietly, signals.Counted()) },
		"block":       func() asynchronous[sown] { return signals.New[sown](quietly, signals.Capacity(64, signals.Block)) },
		"reject":      func() asynchronous[sown] { return signals.New[sown](quietly, signals.Capacity(64, signals.Reject)) },
		"few workers": func() asynchronous[sown] { return signals.New[sown](quietly, signals.MaxWorkers(4)) },
		"slow after":  func() asynchronous[sown] { return signals.New[sown](quietly, signals.SlowAfter(time.Minute)) },
		"sharded": func() asynchronous[sown] {
			return signals.NewSharded(4, func(m sown) uint64 { return uint64(m.emitter + 1) }, quietly)
		},
	}
	all := map[string]*soaking{}
	for name, make := range kinds {
		all[name] = newSoaking(name, make(), seed)
	}
	var goroutines int
	var memory uint64
	end := time.Now().Add(*soak)
	for round := 0; time.Now().Before(end); round++ {
		var wg sync.WaitGroup
		for _, s := range all {
			wg.Go(func() { s.round(t) })
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		runtime.GC()
		runtime.GC()
		now := heap()
		if round == 5 { // it has warmed up
			goroutines, memory = runtime.NumGoroutine(), now
		}
		if round > 5 && now > memory+4<<20 {
			t.Fatalf("round %d: the heap grew from %d to %d bytes", round, memory, now)
		}
		if round > 5 { // one of a timer, or of a worker that looks around, is soon gone
			eventually(t, fmt.Sprintf("round %d: there are %d goroutines, as at first", round, goroutines), func() bool {
				return runtime.NumGoroutine() <= goroutines
			})
		}
		if round%60 == 0 {
			t.Logf("round %d: %d bytes of heap, %d goroutines", round, now, runtime.NumGoroutine())
		}
	}
	for name, s := range all {
		st := s.s.Stats()
		t.Logf("%s: %d emissions, %d deliveries, %d drops, %d failures, %d refusals", name, st.Emissions, st.Deliveries, st.Drops, st.Failures, st.Refusals)
		if err := s.s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

var quietly = signals.Logger(slog.New(slog.NewTextHandler(io.Discard, nil)))

type soaking struct {
	name     string
	s        asynchronous[sown]
	rng      *rand.Rand
	accepted [3]atomic.Int64 // by emitter
	seen     [3]atomic.Int64 // by the listener that always stays
	next     [3]int          // the number that each emitter comes to
	gate     atomic.Pointer[chan struct{}]
	wrong    atomic.Pointer[string]
}

func newSoaking(name string, s asynchronous[sown], seed uint64) *soaking {
	k := &soaking{name: name, s: s, rng: rand.New(rand.NewPCG(seed, uint64(len(name))))}
	check := k.inOrder()
	s.AddListener(func(ctx context.Context, m sown) {
		check(ctx, m)
		if m.emitter >= 0 {
			k.seen[m.emitter].Add(1)
		}
	})
	return k
}

// inOrder returns a listener that looks whether each emitter's numbers rise.
func (k *soaking) inOrder() func(context.Context, sown) {
	var mu sync.Mutex // shards call at the same time
	var last [3]int
	return func(_ context.Context, m sown) {
		if m.emitter < 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if m.number <= last[m.emitter] {
			text := fmt.Sprintf("emitter %d: %d came after %d", m.emitter, m.number, last[m.emitter])
			k.wrong.Store(&text)
		}
		last[m.emitter] = m.number
	}
}

// round emits, adds and removes for a second, and then looks.
func (k *soaking) round(t *testing.T) {
	gate := make(chan struct{})
	k.gate.Store(&gate)
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	var wg sync.WaitGroup
	for e := range k.accepted {
		wg.Go(func() { k.emit(ctx, e) })
	}
	wg.Go(func() { k.comeAndGo(ctx) })
	time.AfterFunc(900*time.Millisecond, func() { close(gate) }) // who blocks goes on
	wg.Wait()
	for once := true; once || k.s.Pending() > 0; once = false { // listeners emit meanwhile
		if err := k.s.Drain(t.Context()); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
	}
	for e := range k.accepted {
		if a, s := k.accepted[e].Load(), k.seen[e].Load(); a != s {
			t.Errorf("%s: of emitter %d, %d were accepted and %d delivered", k.name, e, a, s)
		}
	}
	if w := k.wrong.Load(); w != nil {
		t.Errorf("%s: %s", k.name, *w)
	}
}

func (k *soaking) emit(ctx context.Context, e int) {
	for i := 0; ctx.Err() == nil; i++ {
		k.next[e]++
		m := sown{emitter: e, number: k.next[e]}
		var err error
		if i%97 == 0 {
			if err = k.s.EmitWait(context.Background(), m); !errors.Is(err, signals.ErrOverflow) {
				err = nil // a failure of a listener, but it was accepted
			}
		} else {
			err = k.s.Offer(ctx, m)
		}
		if err == nil {
			k.accepted[e].Add(1)
		}
		if i%64 == 0 {
			runtime.Gosched()
		}
		if k.s.Pending() > 5000 { // the blocked ones hold it back
			select {
			case <-ctx.Done():
			case <-*k.gate.Load():
			}
		}
	}
}

// comeAndGo adds listeners of every sort and removes most of them again, all
// of them in the end.
func (k *soaking) comeAndGo(ctx context.Context) {
	var there []*signals.Subscription
	for ctx.Err() == nil {
		if len(there) < 40 {
			fn, opts := k.listener(ctx)
			there = append(there, k.s.Subscribe(fn, opts...))
		}
		if i := k.rng.IntN(50); i < len(there) {
			there[i].Unsubscribe()
			there[i] = there[len(there)-1]
			there = there[:len(there)-1]
		}
		runtime.Gosched()
	}
	for _, sub := range there {
		sub.Unsubscribe()
	}
	for _, sub := range there {
		_ = sub.Wait(context.Background())
	}
}

// listener makes one at random.
func (k *soaking) listener(ctx context.Context) (func(context.Context, sown) error, []signals.ListenerOption) {
	gate, check := *k.gate.Load(), k.inOrder()
	ordered := func(ctx context.Context, m sown) error { check(ctx, m); return nil }
	switch k.rng.IntN(12) {
	case 0:
		return func(context.Context, sown) error { <-gate; return nil }, nil
	case 1:
		return func(context.Context, sown) error { <-gate; return nil },
			[]signals.ListenerOption{signals.MaxLag(10, signals.LagPolicy(k.rng.IntN(2)))}
	case 2:
		return func(context.Context, sown) error { panic("soak") }, nil
	case 3:
		return func(_ context.Context, m sown) error {
			if m.number%100 == 0 {
				runtime.Goexit()
			}
			return nil
		}, nil
	case 4:
		return func(context.Context, sown) error { return io.ErrUnexpectedEOF }, nil
	case 5: // emits again, a little
		return func(_ context.Context, m sown) error {
			if m.emitter >= 0 && m.number%50 == 0 {
				k.s.Emit(ctx, sown{emitter: -1})
			}
			return nil
		}, nil
	case 6: // removes itself, or adds another one
		var self atomic.Pointer[signals.Subscription]
		return func(context.Context, sown) error {
			if sub := self.Load(); sub != nil {
				sub.Unsubscribe()
			} else {
				once := k.inOrder() // its own: on shards there may be several
				self.Store(k.s.Subscribe(func(ctx context.Context, m sown) error { once(ctx, m); return nil }, signals.Once()))
			}
			return nil
		}, nil
	case 7:
		return ordered, []signals.ListenerOption{signals.Once()}
	case 8:
		return ordered, []signals.ListenerOption{signals.Filter(func(m sown) bool { return m.number%3 == 0 })}
	case 9:
		return ordered, []signals.ListenerOption{signals.Until(ctx), signals.Priority(k.rng.IntN(3) - 1)}
	case 10:
		return func(context.Context, sown) error { return nil }, []signals.ListenerOption{signals.Concurrency(4)}
	}
	return ordered, nil
}

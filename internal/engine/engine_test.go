package engine

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"example.com/signals/internal/inside"
	"example.com/signals/internal/listen"
)

// told is a signal and a listener that only count what they are told.
type told struct {
	failures, drops atomic.Int32
}

func (s *told) Name() string                                       { return "test" }
func (s *told) Stopped(context.Context, int, int) error            { return nil }
func (s *told) Unheard(context.Context, any, error)                {}
func (s *told) Owned() bool                                        { return false }
func (s *told) Panicked(any) error                                 { return errors.New("panic") }
func (s *told) Failed(context.Context, any, error)                 { s.failures.Add(1) }
func (s *told) Returned(_ context.Context, _ any, err error) error { return err }
func (s *told) Named(err error) error                              { return err }
func (s *told) Lost() error                                        { return listen.ErrDropped }
func (s *told) Dropped(n int)                                      { s.drops.Add(int32(n)) }
func (s *told) Who() string                                        { return "listener" }
func (s *told) Slow(time.Duration, int)                            {}
func (s *told) Claim() bool                                        { return true }
func (s *told) Settle()                                            {}
func (s *told) Claimed() bool                                      { return false }

type asSignal struct{ *told }

func (s asSignal) Began(ctx context.Context) (context.Context, any) { return ctx, s }

func (asSignal) Observed() bool                    { return false }
func (asSignal) Ended(context.Context, any, error) {}

type asListener struct{ *told }

func (asListener) Began(ctx context.Context) (context.Context, any, bool) {
	return ctx, nil, false
}
func (asListener) Skips(error) bool                                 { return false }
func (asListener) Ended(context.Context, any, time.Duration, error) {}

func newTold() *told { return new(told) }

func newTest[T any](t *told, c Config) *Engine {
	c.Signal, c.Payload, c.ID, c.Watched = asSignal{t}, (*Slot[T])(nil), 1<<33, new(atomic.Bool)
	return New(1, 0, c)[0]
}

// attached adds a listener to g.
func attached[T any](g *Engine, s *told, fn func(context.Context, T)) *Reader {
	l := asListener{s}
	h := &listen.Handler{Plain: *(*unsafe.Pointer)(unsafe.Pointer(&fn)), Of: l}
	r := g.NewReader(ReaderConfig{Member: &listen.Member{Of: l}, Handler: h})
	r.Attach(0)
	return r
}

func emit[T any](t *testing.T, g *Engine, payload T) {
	t.Helper()
	if Accept(g, context.Background(), payload) {
		return
	}
	if err := Offer(g, context.Background(), payload, nil); err != nil {
		t.Fatal(err)
	}
}

func checked(t *testing.T, g *Engine) {
	t.Helper()
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
}

// The one place without a lock: a worker that begins calls and a remover must
// agree about the number of calls. It fails within milliseconds if begin is
// not one atomic operation, or reads and adds in two.
func TestHammerAWorkerAndARemoverAgreeOnTheCallsThatWereBegun(t *testing.T) {
	rounds := 50_000
	if testing.Short() {
		rounds = 5_000
	}
	var r Reader
	for round := range rounds {
		from := uint64(round)
		r.state.Store(from << begunShift)
		var begun uint64
		var start, done sync.WaitGroup
		start.Add(1)
		done.Go(func() {
			start.Wait()
			for begun = 0; begun < 1000; begun++ { //nolint:intrange,modernize // it is looked at when the goroutine has ended
				if !r.begin() {
					if r.gone() {
						return
					}
					r.state.And(^uint64(look)) // that call is made all the same
				}
				if round%2 == 0 {
					runtime.Gosched()
				}
			}
		})
		start.Done()
		for i := range round % 64 {
			if i%8 == 0 {
				r.state.Or(look)
			}
			runtime.Gosched()
		}
		seen := r.state.Or(gone)>>begunShift - from
		done.Wait()
		// The worker may have counted one that it did not make; the remover has
		// not seen it, or it has seen it and leaves it to the worker to drop.
		if begun != seen && begun+1 != seen {
			t.Fatalf("round %d: the worker began %d calls, the remover saw %d", round, begun, seen)
		}
	}
}

func TestAWaitThatGivesUpLeavesNothingBehind(t *testing.T) {
	s := newTold()
	g := newTest[int](s, Config{})
	entered, release := make(chan struct{}), make(chan struct{})
	r := attached(g, s, func(context.Context, int) { close(entered); <-release })
	emit(t, g, 1)
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if r.Quiet(ctx) == nil {
			t.Fatal("Quiet returned while a call was in flight")
		}
		if Drain(ctx, []*Engine{g}, "drain of") == nil {
			t.Fatal("Drain returned while a call was in flight")
		}
	}
	g.mu.Lock()
	waits, barriers := len(r.quieted), len(g.barriers)
	g.mu.Unlock()
	if waits != 0 || barriers != 0 {
		t.Errorf("%d waits and %d drains are remembered; want none", waits, barriers)
	}
	checked(t, g)
	close(release)
	if err := Drain(t.Context(), []*Engine{g}, "drain of"); err != nil {
		t.Error(err)
	}
	checked(t, g)
}

func TestAnIdleEngineHoldsNoSlotsThatTheCollectorWants(t *testing.T) {
	s := newTold()
	g := newTest[[64 << 10]byte](s, Config{})
	attached(g, s, func(context.Context, [64 << 10]byte) {})
	for range 3 {
		emit(t, g, [64 << 10]byte{})
		if err := Drain(t.Context(), []*Engine{g}, "drain of"); err != nil {
			t.Fatal(err)
		}
		freed := func() bool {
			runtime.GC()
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.claims == 0 && g.tail.slots == nil && g.tail.idle.Value() == nil
		}
		for deadline := time.Now().Add(20 * time.Second); !freed(); {
			if time.Now().After(deadline) {
				t.Fatal("an idle engine keeps its slots")
			}
		}
		checked(t, g)
	}
}

func TestOneInSixteenTakesIsTheNextLaneInTurn(t *testing.T) {
	s := newTold()
	g := newTest[int](s, Config{})
	g.mu.Lock()
	g.spare = 1 // as if a worker were on its way
	g.mu.Unlock()
	var rs []*Reader
	for p := range 200 {
		l := asListener{s}
		fn := func(context.Context, int) {}
		r := g.NewReader(ReaderConfig{Member: &listen.Member{Of: l}, Handler: &listen.Handler{Plain: *(*unsafe.Pointer)(unsafe.Pointer(&fn)), Of: l}})
		r.Attach(p)
		rs = append(rs, r)
	}
	emit(t, g, 1)
	g.mu.Lock()
	taken := make(map[*Reader]int)
	for range 201 * fairly {
		r := g.take()
		if r == nil {
			t.Fatal("nobody is ready")
		}
		taken[r]++
		g.enlist(r) // it has as much to do as before
	}
	g.spare = 0
	g.mu.Unlock()
	checked(t, g)
	for p, r := range rs {
		if n := taken[r]; n == 0 || p < 199 && n > 2 {
			t.Errorf("priority %d was taken %d times", p, n)
		}
	}
}

// The list of claims grows out of the reader when calls run at once: what lies
// where it began must not be kept.
func TestAListenerThatRanSeveralCallsAtOnceKeepsNoClaim(t *testing.T) {
	s := newTold()
	g := newTest[int](s, Config{})
	l := asListener{s}
	both, release := make(chan struct{}, 2), make(chan struct{})
	fn := func(context.Context, int) { both <- struct{}{}; <-release }
	r := g.NewReader(ReaderConfig{
		Member: &listen.Member{Of: l}, Concurrency: 2,
		Handler: &listen.Handler{Plain: *(*unsafe.Pointer)(unsafe.Pointer(&fn)), Of: l},
	})
	r.Attach(0)
	emit(t, g, 1)
	emit(t, g, 2)
	<-both
	<-both
	checked(t, g)
	close(release)
	if err := Drain(t.Context(), []*Engine{g}, "drain of"); err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, cl := range append(r.claims[:cap(r.claims):cap(r.claims)], r.first[:]...) {
		if cl.c != nil || cl.wait != nil {
			t.Errorf("kept: %+v", cl)
		}
	}
}

// What one of several claims of a reader must look at, another claim does not
// take away.
func TestAClaimBesideOthersLooksAtObserversThatHaveCome(t *testing.T) {
	s := newTold()
	g := newTest[int](s, Config{})
	l := asListener{s}
	fn := func(context.Context, int) {}
	r := g.NewReader(ReaderConfig{
		Member: &listen.Member{Of: l}, Concurrency: 3,
		Handler: &listen.Handler{Plain: *(*unsafe.Pointer)(unsafe.Pointer(&fn)), Of: l},
	})
	r.Attach(0)
	g.mu.Lock()
	g.spare = 1 // as if a worker were on its way
	g.mu.Unlock()
	for v := range 3 {
		emit(t, g, v)
	}
	var claims [3]claim
	take := func(i int) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.unlist(r)
		g.claim(r, &claims[i])
	}
	take(0) // its call has not begun
	g.Watch(true, false)
	take(1)
	if r.begin() {
		t.Error("a call that began after Watch had returned did not look")
	}
	w := &Worker{g: g, r: r, cl: claims[1], at: claims[1].from}
	w.runObserved(g.slot(claims[1].c, w.at), false)
	if r.begin() {
		t.Error("another worker's look was taken away")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range claims[:2] {
		g.finish(r, c.from, c.to, 1, nil)
	}
	g.spare = 0
}

// A goroutine begins with 2 KB of stack, of which about half may be used before
// it is copied to one twice as large. That takes longer than all else that a
// worker does for one emission.
func TestAWorkerFitsIntoTheStackThatItsGoroutineBeginsWith(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs more stack")
	}
	s := newTold()
	g := newTest[string](s, Config{})
	attached(g, s, func(context.Context, string) {})
	emit(t, g, "so that all is made")
	if err := Drain(t.Context(), []*Engine{g}, "drain of"); err != nil {
		t.Fatal(err)
	}
	grown := make(chan bool, 1)
	w := new(Worker)
	work := w.work
	w.start = func() {
		var here byte
		at := uintptr(unsafe.Pointer(&here))
		inside.Mark(0xFFFFF, work) // a million signals
		grown <- uintptr(unsafe.Pointer(&here)) != at
	}
	for g.Resting() == 0 { // the last one is on its way
		runtime.Gosched()
	}
	g.mu.Lock()
	g.resting, g.rested = w, 1
	g.mu.Unlock()
	emit(t, g, "on a new goroutine")
	if <-grown {
		t.Error("the stack of a worker has grown")
	}
}

// Resting returns how many workers wait to be needed again.
func (g *Engine) Resting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.rested
}

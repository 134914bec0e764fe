package contract_test

import (
	"context"
	"fmt"
	"math"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals"
)

func TestSlowAfterWarnsOnceForEachSlowAsyncCallWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogged()
		s := signals.New[time.Duration](signals.Name("orders"), signals.Logger(log.Logger), signals.SlowAfter(time.Second))
		for i := range 5 {
			s.AddListener(func(context.Context, time.Duration) {}, fmt.Sprint("quick", i))
		}
		_, file, line, _ := runtime.Caller(0)
		s.AddListener(takesItsTime, "slow")
		site := fmt.Sprintf("/%s:%d", path.Base(file), line+1)

		s.Emit(t.Context(), 5*time.Second)
		s.Emit(t.Context(), 900*time.Millisecond) // waits long, is not slow
		s.Emit(t.Context(), 3*time.Second)
		synctest.Wait()

		<-time.After(999 * time.Millisecond)
		synctest.Wait()
		if lines := log.all(); len(lines) != 0 {
			t.Errorf("a warning before it is slow: %v", lines)
		}
		<-time.After(time.Millisecond)
		synctest.Wait()
		expectSlow(t, log.all(), 1, site, "3")
		<-time.After(5800 * time.Millisecond) // 6.8 s: the third runs since 5.9 s
		synctest.Wait()
		expectSlow(t, log.all(), 1, site, "3")
		<-time.After(100 * time.Millisecond)
		synctest.Wait()
		expectSlow(t, log.all(), 2, site, "1")
		if err := s.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		expectSlow(t, log.all(), 2, site, "1")

		// The timer was off, and is armed again.
		s.Emit(t.Context(), 2*time.Second)
		<-time.After(time.Second)
		synctest.Wait()
		expectSlow(t, log.all(), 3, site, "1")
		if err := s.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// expectSlow wants n warnings, the last of the listener takesItsTime after a
// second, with that lag.
func expectSlow(t *testing.T, lines []logLine, n int, site, lag string) {
	t.Helper()
	if len(lines) != n {
		t.Errorf("%d warnings, want %d: %v", len(lines), n, lines)
		return
	}
	last := lines[n-1]
	want := map[string]string{"signal": "orders", "key": "slow", "running": "1s", "lag": lag}
	for k, v := range want {
		if last.attrs[k] != v {
			t.Errorf("%s is %q, want %q: %v", k, last.attrs[k], v, last.attrs)
		}
	}
	if last.level.String() != "WARN" || !strings.HasSuffix(last.attrs["listener"], ".takesItsTime") ||
		!strings.HasSuffix(last.attrs["site"], site) {
		t.Errorf("want a warning that names takesItsTime and %s: %v", site, last)
	}
}

func TestSlowAfterWarnsOfEachOfSeveralSlowCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogged()
		s := signals.New[time.Duration](signals.Logger(log.Logger), signals.SlowAfter(time.Second))
		s.Subscribe(func(ctx context.Context, d time.Duration) error { takesItsTime(ctx, d); return nil },
			signals.Key("both at once"), signals.Concurrency(2))
		s.Subscribe(func(ctx context.Context, d time.Duration) error { takesItsTime(ctx, d/4); return nil },
			signals.Key("quick"))
		removed := s.Subscribe(func(ctx context.Context, d time.Duration) error { takesItsTime(ctx, d); return nil },
			signals.Key("removed"))
		s.Emit(t.Context(), 2*time.Second)
		<-time.After(300 * time.Millisecond)
		s.Emit(t.Context(), 2*time.Second)
		synctest.Wait()
		removed.Unsubscribe() // its call goes on
		<-time.After(time.Hour)
		count := map[string]int{}
		for _, l := range log.all() {
			count[l.attrs["key"]]++
		}
		if count["both at once"] != 2 || count["removed"] != 1 || len(count) != 2 {
			t.Errorf("warnings %v; want two of both at once, one of removed", count)
		}
	})
}

func TestSlowAfterServesEveryShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLogged()
		s := signals.NewSharded(4, func(v int) uint64 { return uint64(v) },
			signals.Logger(log.Logger), signals.SlowAfter(time.Second))
		s.AddListener(func(ctx context.Context, v int) { takesItsTime(ctx, time.Duration(v)*900*time.Millisecond) })
		for v := range 4 { // 0, 0.9, 1.8 and 2.7 s
			s.Emit(t.Context(), v)
		}
		<-time.After(time.Minute)
		if lines := log.all(); len(lines) != 2 {
			t.Errorf("%d warnings, want 2: %v", len(lines), lines)
		}
	})
}

// A timer that runs keeps its signal from being collected: for an hour, here.
func TestSlowAfterLeavesNoTimerBehind(t *testing.T) {
	for name, use := range map[string]func() (dropped *atomic.Bool){
		"sync": func() *atomic.Bool {
			s := signals.NewSync[int](signals.SlowAfter(time.Hour))
			s.AddListener(func(context.Context, int) {})
			s.Emit(t.Context(), 1)
			return onceCollected(s)
		},
		"async": func() *atomic.Bool {
			s := signals.New[int](signals.SlowAfter(time.Hour))
			s.AddListener(func(context.Context, int) {})
			for round := range 3 {
				s.Emit(t.Context(), round)
				if err := s.Drain(t.Context()); err != nil {
					t.Error(err)
				}
			}
			return onceCollected(s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			collected := use()
			collectUntil(t, "the signal is collected", collected.Load)
		})
	}
}

func TestTheLongestSlowAfterThereIsKeepsOneTimer(t *testing.T) {
	async := signals.New[int](signals.SlowAfter(math.MaxInt64))
	sync := signals.NewSync[int](signals.SlowAfter(math.MaxInt64))
	for _, s := range []signals.Signal[int]{async, sync} {
		s.AddListener(func(context.Context, int) {})
		s.Emit(t.Context(), 0)
	}
	settled(t, async)
	runtime.GC()
	before := heap()
	for n := range 20_000 { // a timer for each would be 6 MB
		async.Emit(t.Context(), n)
		sync.Emit(t.Context(), n)
	}
	settled(t, async)
	runtime.GC()
	if after := heap(); after > before+1<<20 {
		t.Errorf("%d bytes more after 20,000 emissions", after-before)
	}
}

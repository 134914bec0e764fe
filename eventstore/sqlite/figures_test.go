//go:build linux

package sqlite_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"golang.org/x/sys/unix"
)

var (
	figures = flag.String("figures", "", "measure the figures whose name matches this regular expression")
	grown   = flag.Int("grown", 2_000_000, "events that the figure growth is measured at")
)

// TestFigures prints ratios, each of two things measured in turns in one run:
// the medians of the rounds are compared.
func TestFigures(t *testing.T) {
	if *figures == "" {
		t.Skip("figures are measured on demand: make figures")
	}
	for _, f := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"lone", figureLone},
		{"concurrent", figureConcurrent},
		{"condition", figureCondition},
		{"growth", figureGrowth},
		{"replay", figureReplay},
		{"follow", figureFollow},
		{"listener", figureListener},
		{"crash", figureCrash},
	} {
		if regexp.MustCompile(*figures).MatchString(f.name) {
			t.Run(f.name, f.run)
		}
	}
}

const rounds = 7

// compare measures things in turns and returns the median of each.
func compare(fns ...func() float64) []float64 {
	all := make([][]float64, len(fns))
	for range rounds {
		for i, fn := range fns {
			all[i] = append(all[i], fn())
		}
	}
	out := make([]float64, len(fns))
	for i := range all {
		slices.Sort(all[i])
		out[i] = all[i][rounds/2]
	}
	return out
}

// rate returns calls per second of n of them by that many goroutines.
func rate(n, goroutines int, fn func(g, i int)) float64 {
	var group sync.WaitGroup
	var next atomic.Int64
	start := time.Now()
	for g := range goroutines {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				fn(g, i)
			}
		})
	}
	group.Wait()
	return float64(n) / time.Since(start).Seconds()
}

var figureData = []byte(`{"order":"4711","customer":"c-12345","amount":1999,"currency":"EUR","lines":[{"sku":"85123A","quantity":6}]}`)

func figureEvent(i, tags int) eventstore.Event {
	e := eventstore.Event{Type: [...]string{"placed", "paid", "sent"}[i%3], Data: figureData}
	if tags > 0 {
		e.Tags = []string{fmt.Sprintf("customer:%d", i%5000), fmt.Sprintf("product:%d", i%997), fmt.Sprintf("region:%d", i%50)}[:tags]
	}
	return e
}

// appender returns a call that appends an event, and fails the test.
func appender(t testing.TB, db *sqlite.DB, tags int) func(g, i int) {
	store := eventstore.New(db)
	return func(_, i int) {
		if _, err := store.Append(context.Background(), []eventstore.Event{figureEvent(i, tags)}); err != nil {
			t.Error(err)
		}
	}
}

// syncs returns a call that overwrites 4 KiB of an allocated file and syncs it.
func syncs(t testing.TB) func(g, i int) {
	f := must(os.Create(filepath.Join(t.TempDir(), "file")))(t)
	t.Cleanup(func() { f.Close() })
	block := make([]byte, 4096)
	for i := range int64(1024) {
		must(f.WriteAt(block, i*4096))(t)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	return func(_, i int) {
		if _, err := f.WriteAt(block, int64(i%1024)*4096); err != nil {
			t.Error(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			t.Error(err)
		}
	}
}

func figureLone(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "db"))
	plain, sync := appender(t, db, 0), syncs(t)
	got := compare(func() float64 { return rate(1000, 1, sync) }, func() float64 { return rate(1000, 1, plain) })
	t.Logf("fdatasync %.0f/s; lone appender %.0f/s: %.2f (goal 0.6)", got[0], got[1], got[1]/got[0])
}

func figureConcurrent(t *testing.T) {
	for _, tags := range []int{0, 3} {
		db := open(t, filepath.Join(t.TempDir(), "db"))
		fn := appender(t, db, tags)
		got := compare(func() float64 { return rate(1000, 1, fn) }, func() float64 { return rate(10_000, 64, fn) })
		t.Logf("%d tags: lone appender %.0f/s; 64 appenders %.0f/s: %.1fx (goal %d)", tags, got[0], got[1], got[1]/got[0], 12-tags*4/3)
	}
}

func figureCondition(t *testing.T) {
	for _, n := range []int{10_000, 1_000_000} {
		db := open(t, filepath.Join(t.TempDir(), "db"))
		grow(t, db, n)
		store := eventstore.New(db)
		plain := appender(t, db, 3)
		after := eventstore.Position(n)
		conditional := func(behind eventstore.Position) func(_, i int) {
			return func(_, i int) {
				e := figureEvent(i, 3)
				q := eventstore.Match(eventstore.Item{Types: []string{"cancelled"}, Tags: e.Tags}, eventstore.Item{Types: []string{e.Type}, Tags: append([]string{"region:none"}, e.Tags...)})
				stored, err := store.Append(context.Background(), []eventstore.Event{e}, eventstore.ExpectNone(q, after-min(behind, after)))
				if err != nil {
					t.Error(err)
					return
				}
				after = stored[0].Position
			}
		}
		got := compare(func() float64 { return rate(1000, 1, plain) }, func() float64 { return rate(1000, 1, conditional(0)) },
			func() float64 { return rate(1000, 1, conditional(1<<40)) })
		t.Logf("%d events: append %.0f/s; with a condition on 3 tags after what was read %.0f/s: %.2f; after 0 %.0f/s: %.2f (goal 0.8)",
			n, got[0], got[1], got[1]/got[0], got[2], got[2]/got[0])
	}
}

// grow fills a store with events, fast.
func grow(t testing.TB, db *sqlite.DB, n int) {
	t.Helper()
	store := eventstore.New(db)
	for from := 0; from < n; from += 1000 {
		batch := make([]eventstore.Event, min(1000, n-from))
		for i := range batch {
			batch[i] = figureEvent(from+i, 3)
		}
		if _, err := store.Append(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
	}
}

func figureGrowth(t *testing.T) {
	small, large := open(t, filepath.Join(t.TempDir(), "db")), open(t, filepath.Join(t.TempDir(), "db"))
	grow(t, large, *grown)
	a, b := appender(t, small, 3), appender(t, large, 3)
	got := compare(func() float64 { return rate(1000, 1, a) }, func() float64 { return rate(1000, 1, b) },
		func() float64 { return rate(5000, 64, a) }, func() float64 { return rate(5000, 64, b) })
	t.Logf("lone: %.0f/s at the start, %.0f/s at %d events: %.2f; 64: %.0f/s, %.0f/s: %.2f (goal 0.8)",
		got[0], got[1], *grown, got[1]/got[0], got[2], got[3], got[3]/got[2])
}

func figureReplay(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "db"))
	store := eventstore.New(db)
	for _, tags := range []int{0, 3} {
		const n = 300_000
		head := must(store.Head(t.Context()))(t)
		for from := 0; from < n; from += 1000 {
			batch := make([]eventstore.Event, 1000)
			for i := range batch {
				batch[i] = figureEvent(from+i, tags)
			}
			must(store.Append(t.Context(), batch))(t)
		}
		got := compare(func() float64 {
			start, seen := time.Now(), 0
			for _, err := range store.Read(t.Context(), eventstore.All(), eventstore.After(head)) {
				if err != nil {
					t.Fatal(err)
				}
				seen++
			}
			return float64(seen) / time.Since(start).Seconds()
		})
		t.Logf("replay, raw, %d tags: %.0f/s (goal 700,000)", tags, got[0])
	}
	var most, before uint64
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before = m.HeapAlloc
	seen := 0
	for _, err := range store.Read(t.Context(), eventstore.All()) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen%50_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	t.Logf("memory of a replay of %d: %d KiB before, at most %d KiB", seen, before>>10, most>>10)
}

func figureFollow(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "db"))
	store := eventstore.New(db)
	const n = 3000
	arrived := make(chan time.Time, 1)
	go func() {
		for _, err := range store.Follow(t.Context(), eventstore.All(), 0) {
			if err != nil {
				return
			}
			arrived <- time.Now()
		}
	}()
	var appends, deliveries []time.Duration
	for i := range n {
		start := time.Now()
		must(store.Append(t.Context(), []eventstore.Event{figureEvent(i, 0)}))(t)
		appends = append(appends, time.Since(start))
		deliveries = append(deliveries, (<-arrived).Sub(start))
	}
	slices.Sort(appends)
	slices.Sort(deliveries)
	t.Logf("append p50 %v; append to delivery p50 %v: %.2fx (goal 1.3)", appends[n/2], deliveries[n/2], float64(deliveries[n/2])/float64(appends[n/2]))
}

func figureCrash(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "db"))
	grow(t, db, 1_000_000)
	for _, suffix := range []string{"", "-wal"} { // as a crash leaves them
		data := must(os.ReadFile(filepath.Join(dir, "db"+suffix)))(t)
		if err := os.WriteFile(filepath.Join(dir, "crashed"+suffix), data, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("db%s: %d MiB", suffix, len(data)>>20)
	}
	start := time.Now()
	crashed := open(t, filepath.Join(dir, "crashed"))
	took := time.Since(start)
	head := must(crashed.Head(t.Context()))(t)
	t.Logf("open after a crash with %d events: %v (goal 1 s)", head, took)
}

// figureListener compares a durable listener with one of an async signal that
// Persisted feeds, which a crash leaves without what it had not done.
func figureListener(t *testing.T) {
	event := []eventstore.Event{figureEvent(0, 0)}
	type kind struct {
		name   string
		attach func(t *testing.T, s *eventstore.Store, fn func(context.Context, eventstore.Recorded) error)
	}
	kinds := []kind{
		{"none", func(*testing.T, *eventstore.Store, func(context.Context, eventstore.Recorded) error) {}},
		{"in memory", func(t *testing.T, s *eventstore.Store, fn func(context.Context, eventstore.Recorded) error) {
			async := signals.New[eventstore.Recorded]()
			async.Subscribe(fn)
			s.Persisted().Subscribe(func(ctx context.Context, r eventstore.Recorded) error { async.Emit(ctx, r); return nil })
		}},
		{"durable", func(t *testing.T, s *eventstore.Store, fn func(context.Context, eventstore.Recorded) error) {
			must(s.Listen("k", eventstore.All(), fn))(t)
		}},
	}
	var delays, rates []func() float64
	for _, k := range kinds {
		arrived := make(chan struct{}, 1)
		one := eventstore.New(open(t, filepath.Join(t.TempDir(), "db")))
		k.attach(t, one, func(context.Context, eventstore.Recorded) error { arrived <- struct{}{}; return nil })
		delays = append(delays, func() float64 {
			took := make([]time.Duration, 500)
			for i := range took {
				start := time.Now()
				must(one.Append(context.Background(), event))(t)
				if k.name != "none" {
					<-arrived
				}
				took[i] = time.Since(start)
			}
			slices.Sort(took)
			return took[len(took)/2].Seconds() * 1e6
		})
		many := eventstore.New(open(t, filepath.Join(t.TempDir(), "db")))
		k.attach(t, many, func(context.Context, eventstore.Recorded) error { return nil })
		rates = append(rates, func() float64 {
			return rate(5000, 64, func(_, _ int) { must(many.Append(context.Background(), event))(t) })
		})
		t.Cleanup(func() {
			for _, s := range []*eventstore.Store{one, many} {
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	d, r := compare(delays...), compare(rates...)
	t.Logf("append to delivery, p50: append alone %.0f us; listener in memory %.0f us; durable %.0f us: %.2f of the one in memory", d[0], d[1], d[2], d[2]/d[1])
	t.Logf("64 appenders: no listener %.0f/s; in memory %.0f/s: %.2f; durable %.0f/s: %.2f", r[0], r[1], r[1]/r[0], r[2], r[2]/r[0])
}

package contract_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"example.com/signals"
)

var figures = flag.String("figures", "", "measure the `rows` of docs/benchmarks.md that match, and fail if one is short")

// TestFigures measures what docs/benchmarks.md shows: make figures.
func TestFigures(t *testing.T) {
	if *figures == "" {
		t.Skip("measures only with -figures: make figures")
	}
	rows := regexp.MustCompile(*figures)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintf(out, "%s, %s/%s, %d processors\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	fmt.Fprintln(out, "what\tgoal\tmeasured\t\tbase\tsubject")
	for _, f := range append(ratioRows(t.Context()), plainRows()...) {
		if !rows.MatchString(f.what) {
			continue
		}
		m := f.measure(f)
		verdict := "ok"
		switch {
		case f.goal == 0:
			verdict = "-"
		case m.value > f.goal:
			verdict = "short"
			t.Errorf("short: %s: %.3g %s, want at most %.3g", f.what, m.value, f.unit, f.goal)
		}
		goal := "-"
		if f.goal > 0 {
			goal = fmt.Sprintf("<= %.3g %s", f.goal, f.unit)
		}
		fmt.Fprintf(out, "%s\t%s\t%.3g %s\t%s\t%s\t%s\n", f.what, goal, m.value, f.unit, verdict, m.base, m.subject)
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

// figure is one row.
type figure struct {
	what          string
	goal          float64 // at most; 0 for no goal
	unit          string
	base, subject func() load
	slice         time.Duration // how long one load runs before the other has its turn
	turns         int           // of each load in one sample
	ops           int           // operations in a slice, if it must be more than fits
	measure       func(figure) measured
}

type measured struct {
	value         float64
	base, subject string
}

const samples = 5 // of which the median counts

// ratio is a row that says how much longer the subject takes than the base.
// The two run by turns, for so short a time that whatever else the machine
// does slows down both, and the median of the ratios of neighbours counts.
func ratio(what string, goal float64, base, subject func() load) figure {
	return figure{what: what, goal: goal, unit: "x", base: base, subject: subject, slice: 500 * time.Microsecond, turns: 100, measure: figure.ratio}
}

// long is for loads that need more time to settle.
func (f figure) long(slice time.Duration, turns int) figure {
	f.slice, f.turns = slice, turns
	return f
}

// many is for loads of which only a part is measured.
func (f figure) many(ops, turns int) figure {
	f.ops, f.turns = ops, turns
	return f
}

func (f figure) ratio() measured {
	base, subject := f.base(), f.subject()
	nb, ns := max(fit(base, f.slice), f.ops), max(fit(subject, f.slice), f.ops)
	type one struct{ base, subject, ratio float64 }
	mid := func(all []one) one {
		of := func(which func(one) float64) float64 {
			v := make([]float64, len(all))
			for i, s := range all {
				v[i] = which(s)
			}
			slices.Sort(v)
			return v[len(v)/2]
		}
		return one{
			of(func(s one) float64 { return s.base }),
			of(func(s one) float64 { return s.subject }),
			of(func(s one) float64 { return s.ratio }),
		}
	}
	var all []one
	for range samples {
		var sample []one
		for range f.turns {
			b := float64(base(nb)) / float64(nb)
			s := float64(subject(ns)) / float64(ns)
			sample = append(sample, one{b, s, s / b})
		}
		all = append(all, mid(sample))
	}
	m := mid(all)
	return measured{m.ratio, fmt.Sprintf("%.1f ns", m.base), fmt.Sprintf("%.1f ns", m.subject)}
}

// fit returns how many operations take about that long.
func fit(l load, long time.Duration) int {
	l(1) // the first time is different
	for n := 1; ; n *= 2 {
		begun := time.Now()
		l(n)
		if took := time.Since(begun); took > long/2 {
			return max(int(float64(n)*float64(long)/float64(took)), 1)
		}
	}
}

func ratioRows(cancellable context.Context) []figure {
	of := func(l func(int, ...signals.Option) load, n int, opts ...signals.Option) func() load {
		return func() load { return l(n, opts...) }
	}
	bare := func(n int) func() load { return func() load { return bareLoop(n, addVolume, aTick) } }
	each := func(n int) func() load { return func() load { return bareTotals(n) } }
	held := func(listeners, emitters int) func() load {
		return func() load { return asyncHeld(listeners, emitters) }
	}
	onePlain := func() load { return ticks(syncWith(1, ignoreTick)) }
	oneCounted := func() load { return ticks(syncWith(1, ignoreTick, onABus())) }
	both := func(l func() load) func() load { return func() load { return parallel(2, l()) } }
	bareErr := func() load { return bareErrLoop(100) }
	const ms = time.Millisecond
	return []figure{
		ratio("sync Emit, 1 listener / a bare call", 0, bareCall, of(syncEmit, 1)),
		ratio("sync Emit, 1 listener / a call that is recovered and knows its payload", 1.25, recovered, of(syncEmit, 1)),
		ratio("sync Emit, 10 listeners / a bare loop", 1.6, bare(10), of(syncEmit, 10)),
		ratio("sync Emit, 100 listeners / a bare loop", 1.15, bare(100), of(syncEmit, 100)),
		ratio("sync Emit, 1,000 listeners / a bare loop", 1.1, bare(1000), of(syncEmit, 1000)),
		ratio("TryEmit, 100 keyed / a bare loop", 1.3, bareErr, func() load { return tryEmit(bg, 100) }),
		ratio("TryEmit, 100 keyed, cancellable / a bare loop", 3, bareErr, func() load { return tryEmit(cancellable, 100) }),
		ratio("sync Emit, 2 emitters / 1", 0.65, onePlain, both(onePlain)),
		ratio("sync Emit on a bus, 1 listener / a bare call", 0, bareCall, func() load { return syncEmit(1, onABus()) }),
		ratio("sync Emit on a bus, 1 listener / the same, recovered and counted", 2.5, recoveredAndCounted, func() load { return syncEmit(1, onABus()) }),
		ratio("sync Emit on a bus, 2 emitters / 1", 0.8, oneCounted, both(oneCounted)),
		ratio("async Emit, held, 100 listeners / 1", 1.2, held(1, 1), held(100, 1)).many(8192, 20),
		ratio("async Emit, held, 1,000 listeners / 1", 1.2, held(1, 1), held(1000, 1)).many(8192, 10),
		ratio("async Emit, 1 listener / a send to a reader that keeps up", 0.6, channelKeptUp, held(1, 1)).many(8192, 50),
		ratio("async Emit, 1 listener that keeps up / the same", 0, channelKeptUp, asyncKeptUp).many(8192, 50),
		ratio("async end to end, 1 listener / a channel", 1/1.5, channelEndToEnd, of(asyncEndToEnd, 1)).long(4*ms, 40),
		ratio("async end to end, 10 listeners / a bare loop", 1.6, each(10), of(asyncEndToEnd, 10)).long(4*ms, 40),
		ratio("async end to end, 100 listeners / a bare loop", 1.1, each(100), of(asyncEndToEnd, 100)).long(8*ms, 40),
		ratio("async Emit, held, 2 emitters / 1", 0, held(1, 1), held(1, 2)).many(16384, 50),
		ratio("the same / 2 that append to a slice under a mutex", 1.25, func() load { return guardedLog(2) }, held(1, 2)).many(16384, 50),
		ratio("1 emission to 100 idle listeners / a goroutine each", 0.4, func() load { return goroutineEach(100) }, func() load { return fanOut(100) }),
		ratio("adding 10,000 listeners / 1,000, while emitting", 15, func() load { return addWhileEmitting(1000, false).times(1000) }, func() load { return addWhileEmitting(10000, false).times(10000) }).long(ms, 5),
		ratio("async, one comes and goes among 10,000 listeners / 10", 20, func() load { return comeAndGo("async", 10) }, func() load { return comeAndGo("async", 10_000) }),
		ratio("sync, the same", 20, func() load { return comeAndGo("sync", 10) }, func() load { return comeAndGo("sync", 10_000) }),
		ratio("async, one emission to 20,000 Once listeners / 1,000", 40, func() load { return onceEach("async", 1000) }, func() load { return onceEach("async", 20_000) }).long(ms, 3),
		ratio("sync, the same with Once", 40, func() load { return onceEach("sync", 1000) }, func() load { return onceEach("sync", 20_000) }).long(ms, 3),
		ratio("Scope.Close of 20,000 listeners / Reset", 5, func() load { return scopeEnds(20_000, false) }, func() load { return scopeEnds(20_000, true) }).long(ms, 3),
		ratio("Topic among 10,000 names / 10", 3, func() load { return among(10, false) }, func() load { return among(10_000, false) }),
		ratio("Lookup, the same", 3, func() load { return among(10, true) }, func() load { return among(10_000, true) }),
		ratio("making 10,000 topics / 1,000", 15, func() load { return making(1000) }, func() load { return making(10_000) }).long(ms, 3),
		ratio("async Emit, 1,000 listeners of 1,000 priorities / of one", 2, func() load { return prioritised(1) }, func() load { return prioritised(1000) }).many(200, 5),
		ratio("EmitWait in a loop, 100 frames deep / not", 1.2, func() load { return waiting(0) }, func() load { return waiting(100) }).long(2*ms, 20),
		ratio("sync with SlowAfter, 1 listener / without", 12, onePlain, func() load { return ticks(syncWith(1, ignoreTick, signals.SlowAfter(time.Minute))) }),
		ratio("sync, 100 listeners with an empty ListenerBegin / a bare loop", 15, bare(100), func() load { return begun(100) }),
	}
}

// times makes so many operations of a load one.
func (l load) times(k int) load { return func(n int) time.Duration { return l(n * k) } }

// plainRows are the rows that are no ratio of two loads.
func plainRows() []figure {
	row := func(what string, goal float64, unit string, measure func() measured) figure {
		return figure{what: what, goal: goal, unit: unit, measure: func(figure) measured { return measure() }}
	}
	rows := []figure{
		row("first call of an idle signal / a go statement, p50", 2, "x", func() measured { return firstCall(50) }),
		row("the same, p99", 0, "x", func() measured { return firstCall(99) }),
		row("10 of 100 listeners block: delay of the others, p50", 200, "us", othersDelay),
		row("memory of an idle AsyncSignal with 10 listeners", 0, "bytes", func() measured { return idleMemory(false) }),
		row("the same, that has emitted", 0, "bytes", func() measured { return idleMemory(true) }),
	}
	for kind, body := range map[string]string{"async": asyncBody, "sync": syncBody} {
		rows = append(rows,
			row("building one more payload type, "+kind+" / a publisher of one page, processor time", 5.5, "x", func() measured { return buildCost(body, false) }),
			row("the same, "+kind+", size", 3, "x", func() measured { return buildCost(body, true) }))
	}
	for _, n := range []int{1, 100} {
		rows = append(rows,
			row("allocations of a sync Emit, "+listeners(n), 0.001, "an emission", func() measured { return mallocs(syncEmit(n)) }),
			row("allocations of an async Emit, "+listeners(n), 0.001, "an emission", func() measured { return mallocs(asyncEndToEnd(n)) }))
	}
	for _, kind := range []string{"sync", "async"} {
		limit := map[string]float64{"sync": 1000, "async": 2000}[kind]
		for _, c := range []struct{ emitters, listeners int }{{1000, 1}, {1, 1000}} {
			what := fmt.Sprintf("%s, %d emitters released together, %d listeners, p99.9 of Emit", kind, c.emitters, c.listeners)
			rows = append(rows, row(what, limit, "us", func() measured { return concurrent(kind, c.emitters, c.listeners) }))
		}
	}
	return rows
}

// mallocs counts what n operations allocate, after a warm-up.
func mallocs(l load) measured {
	const n = 1 << 17
	l(n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l(n)
	runtime.ReadMemStats(&after)
	return measured{value: float64(after.Mallocs-before.Mallocs) / n}
}

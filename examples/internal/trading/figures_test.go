package trading

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"text/tabwriter"
	"time"

	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/feedgen"
	"example.com/signals/examples/internal/trading/itch"
)

var figures = flag.String("figures", "", "measure the `rows` of docs/trading.md that match, and fail if one is short")

// figure is one row of docs/trading.md.
type figure struct {
	what    string
	goal    float64 // at most, or at least if atLeast; 0 for none
	atLeast bool
	unit    string
	measure func(t *testing.T) (value float64, base, subject string)
}

// TestFigures measures what docs/trading.md shows: make trading.
func TestFigures(t *testing.T) {
	if *figures == "" {
		t.Skip("measures only with -figures: make trading")
	}
	rows := regexp.MustCompile(*figures)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "%s, %s/%s, %d processors\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	fmt.Fprintln(out, "what\tgoal\tmeasured\t\tbase\tsubject")
	for _, f := range tradingRows() {
		if !rows.MatchString(f.what) {
			continue
		}
		value, base, subject := f.measure(t)
		verdict, goal := "ok", fmt.Sprintf("<= %.3g %s", f.goal, f.unit)
		if f.atLeast {
			goal = fmt.Sprintf(">= %.3g %s", f.goal, f.unit)
		}
		switch {
		case f.goal == 0:
			verdict, goal = "-", "-"
		case f.atLeast && value < f.goal || !f.atLeast && value > f.goal:
			verdict = "short"
			t.Errorf("short: %s: %.3g %s, want %s", f.what, value, f.unit, goal)
		}
		fmt.Fprintf(out, "%s\t%s\t%.3g %s\t%s\t%s\t%s\n", f.what, goal, value, f.unit, verdict, base, subject)
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

// theDay is the stream of the figures: 5 million messages, 500 stocks.
var theDay = func() func(t *testing.T) []byte {
	var all []byte
	return func(t *testing.T) []byte {
		if all == nil {
			all = invented(t, feedgen.Config{Messages: 5_000_000, Stocks: 500, Seed: 1})
		}
		return all
	}
}()

// took are the times of one turn: of the oracle, of the books without signals,
// and of the engine.
type took struct{ oracle, plain, engine time.Duration }

const turns = 7

// measuredTurns runs the three by turns, so that whatever else the machine does
// slows down all of them, and checks that they agree.
var measuredTurns = func() func(t *testing.T) []took {
	var all []took
	return func(t *testing.T) []took {
		day := theDay(t)
		for range turns - len(all) {
			var one took
			runtime.GC()
			begun := time.Now()
			o, err := oracleOf(bytes.NewReader(day))
			one.oracle = time.Since(begun)
			if err != nil {
				t.Fatal(err)
			}
			runtime.GC()
			begun = time.Now()
			plainBooks(t, day)
			one.plain = time.Since(begun)
			runtime.GC()
			e := New(Config{})
			StartImbalance(e)
			one.engine = feed(t, e, day, Pace{}).Took
			if got, want := e.Books().Checksum, o.checksum(); got != want {
				t.Fatalf("the books are %s, want %s", got, want)
			}
			all = append(all, one)
		}
		return all
	}
}()

// plainBooks is what one would write without signals and without a second
// thread: the engine's decoder and books in a loop.
func plainBooks(t *testing.T, day []byte) {
	set := book.NewSet(2 * ordersAtFirst)
	r := itch.NewReader(bytes.NewReader(day), false)
	var m itch.Message
	quotes := 0
	for {
		if err := r.Next(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var c book.Change
		switch m.Type() {
		case 'A', 'F':
			o := m.AddOrder()
			side := book.Bid
			if o.Side == itch.Sell {
				side = book.Ask
			}
			c, _ = set.Add(m.Locate(), o.Ref, side, uint32(o.Price), o.Shares)
		case 'E':
			c, _ = set.Reduce(m.Locate(), m.Executed().Ref, m.Executed().Shares)
		case 'C':
			c, _ = set.Reduce(m.Locate(), m.ExecutedWithPrice().Ref, m.ExecutedWithPrice().Shares)
		case 'X':
			c, _ = set.Reduce(m.Locate(), m.Cancel().Ref, m.Cancel().Shares)
		case 'D':
			c, _ = set.Delete(m.Locate(), m.Delete().Ref)
		case 'U':
			u := m.Replace()
			c, _ = set.Replace(m.Locate(), u.Ref, u.NewRef, uint32(u.Price), u.Shares)
		}
		if c.Book != nil {
			if _, changed := c.Book.Changed(); changed {
				quotes++
			}
		}
	}
	if quotes == 0 {
		t.Fatal("no quotes")
	}
}

func median(all []float64) float64 {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}

// ofTurns is the median over the turns.
func ofTurns(t *testing.T, of func(took) float64) float64 {
	var all []float64
	for _, one := range measuredTurns(t) {
		all = append(all, of(one))
	}
	return median(all)
}

func perMessage(d time.Duration) float64 { return float64(d) / 5e6 }

func tradingRows() []figure {
	ns := func(t *testing.T, of func(took) time.Duration) string {
		return fmt.Sprintf("%.0f ns", ofTurns(t, func(o took) float64 { return perMessage(of(o)) }))
	}
	oracle := func(o took) time.Duration { return o.oracle }
	plain := func(o took) time.Duration { return o.plain }
	engine := func(o took) time.Duration { return o.engine }
	return []figure{
		{"messages a second at full speed, books right", 2, true, "million", func(t *testing.T) (float64, string, string) {
			return ofTurns(t, func(o took) float64 { return 1e3 / perMessage(o.engine) }), "", ns(t, engine)
		}},
		{"time of the engine / of the oracle, decode included", 1.5, false, "x", func(t *testing.T) (float64, string, string) {
			return ofTurns(t, func(o took) float64 { return float64(o.engine) / float64(o.oracle) }), ns(t, oracle), ns(t, engine)
		}},
		{"time of the engine / of its books in a plain loop", 0, false, "x", func(t *testing.T) (float64, string, string) {
			return ofTurns(t, func(o took) float64 { return float64(o.engine) / float64(o.plain) }), ns(t, plain), ns(t, engine)
		}},
		{"allocations, no orders, drains not counted", 0.001, false, "a message", allocationsBelow},
		{"allocations, no orders, full speed", 0, false, "a message", allocationsFull},
		{"risk chain, price band refuses, two undos, p50", 1.5, false, "us", chainRefused},
		{"risk chain, accepted and filled, p50", 0, false, "us", chainAccepted},
		{"tick to book at half rate, p50", 0, false, "us", halfRate(func(m *half) float64 { return m.book[0] })},
		{"tick to book at half rate, p99.9", 0, false, "us", halfRate(func(m *half) float64 { return m.book[1] })},
		{"tick to order at half rate, p50", 0, false, "us", halfRate(func(m *half) float64 { return m.order[0] })},
		{"tick to order at half rate, p99.9", 1000, false, "us", halfRate(func(m *half) float64 { return m.order[1] })},
		{"tick to book at half rate, channels for market.data, p50", 0, false, "us", halfRate(func(m *half) float64 { return m.channels[0] })},
		{"tick to book at half rate, channels for market.data, p99.9", 0, false, "us", halfRate(func(m *half) float64 { return m.channels[1] })},
		{"a goroutine that looks at the clock, half rate, p99.9", 0, false, "us", halfRate(func(m *half) float64 { return m.clock })},
		{"one on each processor that look at the clock, half rate, p99.9", 0, false, "us", halfRate(func(m *half) float64 { return m.clocks })},
		{"tick to order at half rate, p99.9 / theirs", 0, false, "x", halfRate(func(m *half) float64 { return m.order[1] / m.clocks })},
		{"Emit of a tick returns after, p50", 0, false, "ns", emitReturns},
		{"heap after 50 million messages / after 5 million", 1.25, false, "x", memoryOfALongDay},
	}
}

// allocationsBelow feeds pieces that it drains, and counts what
// larger pieces allocate more than small ones.
func allocationsBelow(t *testing.T) (float64, string, string) {
	const piece = 4096
	e := New(Config{})
	defer e.Close(context.Background())
	r := itch.NewReader(bytes.NewReader(theDay(t)), false)
	var in Input
	feed := func(n int) {
		for range n {
			if err := r.Next(&in.Message); err != nil {
				t.Fatal(err)
			}
			e.Signals.Market.Emit(context.Background(), in)
		}
		_ = e.Signals.Bus.Drain(context.Background())
	}
	count := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 200 {
			feed(n)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	for range 500 {
		feed(piece)
	}
	few, many := count(96), count(piece)
	more := max(float64(many)-float64(few), 0)
	return more / (200 * (piece - 96)), "", fmt.Sprintf("%.0f more for %d messages more", more, 200*(piece-96))
}

func allocationsFull(t *testing.T) (float64, string, string) {
	e := New(Config{})
	day := theDay(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	feed(t, e, day, Pace{})
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / 5e6, "", "drains counted"
}

// chain measures orders, and how long a clock takes.
func chain(t *testing.T, o Order) (float64, string, string) {
	e := New(Config{Log: quiet})
	defer e.Close(context.Background())
	sent(t, e, open()...)
	for i := range 30_000 {
		if i == 10_000 {
			e.chain = NewRecorder() // now that it is warm
		}
		_ = e.Place(context.Background(), o)
		if err := e.Signals.Bus.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	p := e.Chain().Percentiles()
	return float64(p.P50) / 1e3, "", fmt.Sprintf("p99 %v, p99.9 %v", short(p.P99), short(p.P999))
}

func chainRefused(t *testing.T) (float64, string, string)  { return chain(t, buy(1, 10_5000)) }
func chainAccepted(t *testing.T) (float64, string, string) { return chain(t, buy(1, 10_0000)) }

// emitReturns times single emissions, clock included, at a pace that the books
// keep up with.
func emitReturns(t *testing.T) (float64, string, string) {
	e := New(Config{})
	defer e.Close(context.Background())
	r := itch.NewReader(bytes.NewReader(theDay(t)), false)
	l, clock := NewLatency(), NewLatency()
	var in Input
	began := e.Now()
	for i := range 1_000_000 {
		if err := r.Next(&in.Message); err != nil {
			t.Fatal(err)
		}
		e.await(context.Background(), began+int64(i)*1000)
		begun := e.Now()
		e.Signals.Market.Emit(context.Background(), in)
		done := e.Now()
		l.Record(done - begun)
		clock.Record(e.Now() - done)
	}
	return float64(l.At(50)), fmt.Sprintf("a look at the clock, %v", clock.At(50)), fmt.Sprintf("p99 %v", short(l.At(99)))
}

// memoryOfALongDay looks at the heap in use while a long day passes.
func memoryOfALongDay(t *testing.T) (float64, string, string) {
	e := New(Config{})
	StartImbalance(e)
	const long = 50_000_000
	var early, late uint64
	src := &noted{Source: feedgen.New(feedgen.Config{Messages: long, Stocks: 500, Seed: 1}), at: map[int]func(){
		long / 10: func() { early = heapInUse() },
		long - 1:  func() { late = heapInUse() },
	}}
	run, err := e.Feed(context.Background(), src, Pace{})
	if err := errors.Join(err, e.Close(context.Background())); err != nil || run.Messages != long {
		t.Fatal(run.Messages, err)
	}
	return float64(late) / float64(early), fmt.Sprintf("%d MB", early>>20), fmt.Sprintf("%d MB", late>>20)
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// noted calls functions after so many messages.
type noted struct {
	Source
	n  int
	at map[int]func()
}

func (s *noted) Next(m *itch.Message) error {
	s.n++
	if f := s.at[s.n]; f != nil {
		f()
	}
	return s.Source.Next(m)
}

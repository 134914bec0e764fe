package trading

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/examples/internal/trading/feedgen"
	"example.com/signals/examples/internal/trading/itch"
)

// raceEnabled is set by race_test.go.
var raceEnabled bool

func TestEveryAcceptedOrderComesToItsEnd(t *testing.T) {
	e := New(Config{Shards: 3})
	StartImbalance(e)
	feed(t, e, invented(t, feedgen.Config{Messages: 100_000, Stocks: 15, Seed: 4}), Pace{})
	o, s := e.Orders(), e.Positions.Standing()
	if o.Accepted < 50 || s.Orders != o.Accepted || s.Filled == 0 || o.Total() == 0 || o.Refused["failed"] != 0 || e.Failures() != 0 {
		t.Errorf("%+v, %+v, %d failures", o, s, e.Failures())
	}
	for _, st := range e.Stats() {
		if want := o.Total(); st.Name == "order" && (st.Vetoes != uint64(want) || st.Failures != 0) {
			t.Errorf("%s: %d vetoes and %d failures of %d refusals", st.Name, st.Vetoes, st.Failures, want)
		}
	}
	if c := e.Chain().Percentiles().Count; c != o.Accepted+o.Total() {
		t.Errorf("%d orders measured, want %d", c, o.Accepted+o.Total())
	}
	var held, staked int64
	for i := range Accounts {
		held += s.Held[i]
		for _, h := range e.exposure.accounts[i].holdings {
			staked += max(h.shares, -h.shares)
		}
	}
	if held != staked || held == 0 {
		t.Errorf("the accounts hold %d shares by the positions, %d by the exposure", held, staked)
	}
	untouched(t, e)
}

// A reporter that is stuck must not delay a tick: everything else comes to its
// end while it is.
func TestASlowReportDelaysNoTick(t *testing.T) {
	e := New(Config{Shards: 2})
	StartImbalance(e)
	stuck, goOn := make(chan struct{}), make(chan struct{})
	shown := 0
	var last Report
	StartBoard(e, func(r Report) {
		if shown++; shown == 1 {
			close(stuck)
			<-goOn
		}
		last = r
	})
	e.Ask(t.Context())
	<-stuck
	src := feedgen.New(feedgen.Config{Messages: 50_000, Stocks: 10, Seed: 1})
	run, err := e.Feed(t.Context(), src, Pace{})
	if err != nil || run.Messages != 50_000 {
		t.Fatalf("%d messages, %v", run.Messages, err)
	}
	for range 100 {
		e.Ask(t.Context())
	}
	if err := e.Signals.Market.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := e.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if drops := e.Signals.Report.Stats().Drops; drops < 150 || shown > 30 || last.Messages != 50_000 || len(last.Stocks) != 10 {
		t.Errorf("%d reports dropped, %d shown, the last one of %d messages and %d stocks", drops, shown, last.Messages, len(last.Stocks))
	}
	for i := 1; i < len(last.Stocks); i++ {
		if last.Stocks[i].Volume > last.Stocks[i-1].Volume {
			t.Errorf("stock %d has more volume than the one before it", i)
		}
	}
}

func TestMessagesAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const rounds, piece = 20, 4_000
	all := invented(t, feedgen.Config{Messages: 600_000, Stocks: 50, Seed: 2})
	r := itch.NewReader(bytes.NewReader(all), false)
	e := New(Config{Shards: 2})
	defer e.Close(context.Background())
	// A strategy that looks at every quote and wants nothing.
	seen := 0
	e.Signals.Quote.Subscribe(func(context.Context, Quote) error { seen++; return nil }, signals.Filter(func(q Quote) bool { return q.Locate%2 == 0 }))
	var in Input
	more := func(n int) {
		for range n {
			if err := r.Next(&in.Message); err != nil {
				t.Fatal(err)
			}
			in.Due = e.Now()
			e.Signals.Market.Emit(context.Background(), in)
		}
		if err := e.Signals.Bus.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for range 80 {
		more(piece)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	allocated := func(each int) int {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			more(each)
		}
		runtime.ReadMemStats(&after)
		return int(after.Mallocs - before.Mallocs)
	}
	// A round allocates for its drain, which waits, whatever it has to wait for.
	few, many := allocated(100), allocated(piece)
	t.Logf("%d allocations for %d messages, %d for %d, in %d rounds", few, rounds*100, many, rounds*piece, rounds)
	if many > few+10*rounds {
		t.Errorf("%d allocations for %d messages, %d for %d", few, rounds*100, many, rounds*piece)
	}
	if seen == 0 {
		t.Error("no quotes")
	}
}

func TestAFeedThatEndsInTheMiddleOfAMessage(t *testing.T) {
	all := invented(t, feedgen.Config{Messages: 10_000, Stocks: 5, Seed: 3})
	for _, lenient := range []bool{false, true} {
		e := New(Config{})
		run, err := e.Feed(t.Context(), itch.NewReader(bytes.NewReader(all[:len(all)-5]), lenient), Pace{})
		wrong, ok := errors.AsType[*itch.FormatError](err)
		if ok == lenient || ok && wrong.Offset != int64(len(all)-14) || run.Messages != 9_999 {
			t.Errorf("lenient %t: %d messages, %v", lenient, run.Messages, err)
		}
		if err := e.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := e.Books().Messages; got != 9_999 {
			t.Errorf("lenient %t: %d messages are in the books", lenient, got)
		}
	}
}

// endless is a source that ends a context after so many messages.
type endless struct {
	Source
	left   int
	cancel func()
}

func (s *endless) Next(m *itch.Message) error {
	if s.left--; s.left == 0 {
		s.cancel()
	}
	return s.Source.Next(m)
}

func TestAnInterruptedFeedIsInTheBooksAsFarAsItWasRead(t *testing.T) {
	for name, pace := range map[string]Pace{"at full speed": {}, "paced": {Rate: 1e6}, "waiting": {Speed: 1}} {
		ctx, cancel := context.WithCancel(t.Context())
		e := New(Config{})
		StartImbalance(e)
		run, err := e.Feed(ctx, &endless{feedgen.New(feedgen.Config{Messages: 1 << 40, Stocks: 5, Seed: 3}), 2, cancel}, pace)
		if err := errors.Join(err, e.Close(context.Background())); err != nil {
			t.Fatal(err)
		}
		if !run.Interrupted || run.Messages > lookEvery || e.Books().Messages != run.Messages || e.Orders().Accepted != e.Positions.Standing().Orders {
			t.Errorf("%s: %+v", name, run)
		}
	}
}

func TestMessagesAreDueByTheirTimesOrAtARate(t *testing.T) {
	for _, c := range []struct {
		pace     Pace
		n        int64
		t, first time.Duration
		want     time.Duration
	}{
		{Pace{Speed: 1}, 5, 10 * time.Second, 4 * time.Second, 6 * time.Second},
		{Pace{Speed: 10}, 5, 10 * time.Second, 4 * time.Second, 600 * time.Millisecond},
		{Pace{Rate: 1000}, 5, 10 * time.Second, 4 * time.Second, 5 * time.Millisecond},
		{Pace{Speed: 2, From: 5 * time.Second, To: 9 * time.Second}, 5, 10 * time.Second, 4 * time.Second, 2 * time.Second},
		{Pace{Speed: 2, From: 5 * time.Second, To: 9 * time.Second}, 5, 4 * time.Second, time.Second, 0},
	} {
		if got := c.pace.due(c.n, c.t, c.first); got != c.want {
			t.Errorf("%+v: %v, want %v", c, got, c.want)
		}
	}
}

func TestLatenciesCountFromWhenAMessageWasDue(t *testing.T) {
	e := New(Config{Shards: 1})
	// The first quote holds everything up; those behind it were due meanwhile.
	var held bool
	const hold = 30 * time.Millisecond
	e.Signals.Quote.Subscribe(func(context.Context, Quote) error {
		for begun := time.Now(); !held && time.Since(begun) < hold; {
			runtime.Gosched()
		}
		held = true
		return nil
	})
	run := feed(t, e, invented(t, feedgen.Config{Messages: 10_000, Stocks: 2, Seed: 3}), Pace{Rate: 100_000})
	p := e.ToBook().Percentiles()
	if p.Max < hold*9/10 || p.Count < 9_000 || run.Took < 99*time.Millisecond {
		t.Errorf("%+v in %v", p, run.Took)
	}
	if late := e.ToBook().At(85); late < hold/20 { // a fifth of all came while everything was held up
		t.Errorf("the latency of those that waited is %v", late)
	}
	if n := len(run.Samples); n < 2 || run.Samples[n-1].Messages != 10_000 {
		t.Errorf("%d samples, the last one %+v", n, run.Samples[n-1])
	}
}

func TestContradictionsAreCounted(t *testing.T) {
	e, _ := opened(t, Config{})
	h := itch.Header{Locate: 1, Time: 9}
	sent(t, e,
		itch.AddOrder{Ref: 1, Side: itch.Buy, Shares: 500, Stock: acme, Price: 10_0000}.Message(h), // there already
		itch.Cancel{Ref: 1, Shares: 501}.Message(h),
		itch.Executed{Ref: 77, Shares: 1}.Message(h),
	)
	b := e.Books()
	if b.Inconsistent != 2 || b.Unknown != 1 || len(b.Sides) != 1 || b.Executed["ACME"] != 0 {
		t.Errorf("%+v", b)
	}
}

var _ Source = (*itch.Reader)(nil)
var _ io.Writer = (*screen)(nil)

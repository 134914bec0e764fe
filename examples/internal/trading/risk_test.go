package trading

import (
	"context"
	"errors"
	"strings"
	"testing"

	"example.com/signals"
	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

var acme = itch.NewStock("ACME")

// open are the messages with which ACME, number 1, trades at 10.00 to 10.10.
func open() []itch.Message {
	h := itch.Header{Locate: 1, Time: 1}
	return []itch.Message{
		itch.StockDirectory{Stock: acme}.Message(h),
		itch.TradingAction{Stock: acme, State: itch.Trading}.Message(h),
		itch.SystemEvent{Event: itch.EventStartOfMarketHours}.Message(itch.Header{Time: 1}),
		itch.AddOrder{Ref: 1, Side: itch.Buy, Shares: 500, Stock: acme, Price: 10_0000}.Message(h),
		itch.AddOrder{Ref: 2, Side: itch.Sell, Shares: 300, Stock: acme, Price: 10_1000}.Message(h),
	}
}

// opened is an engine with one stock that trades, and what orders ended how.
func opened(t *testing.T, cfg Config) (*Engine, *[]Execution) {
	t.Helper()
	cfg.Log = quiet
	e := New(cfg)
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	ended := collected(e)
	sent(t, e, open()...)
	return e, ended
}

// collected is how orders have ended. The engine must be drained when it is looked at.
func collected(e *Engine) *[]Execution {
	ended := new([]Execution)
	e.Signals.Execution.Subscribe(func(_ context.Context, x Execution) error {
		*ended = append(*ended, x)
		return nil
	})
	return ended
}

func drained(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Signals.Bus.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func buy(shares uint32, price itch.Price) Order {
	return Order{Locate: 1, Stock: acme, Side: book.Bid, Shares: shares, Price: price}
}

// untouched reports whether no account has anything reserved.
func untouched(t *testing.T, e *Engine) {
	t.Helper()
	for i := range Accounts {
		s := &e.exposure.accounts[i]
		s.mu.Lock()
		if n := e.limits.open[i].Load(); n != 0 || s.reserved != 0 {
			t.Errorf("account %d: %d orders under way, %d reserved", i, n, s.reserved)
		}
		for locate, h := range s.holdings {
			if h.buying != 0 || h.selling != 0 {
				t.Errorf("account %d, stock %d: %d shares are being bought and %d sold, with no order under way", i, locate, h.buying, h.selling)
			}
		}
		s.mu.Unlock()
	}
}

func TestOrdersFillAgainstTheBookAndLeaveItAsItIs(t *testing.T) {
	e, ended := opened(t, Config{})
	before := e.Books().Checksum
	for _, o := range []Order{
		buy(200, 10_1000), // all
		buy(200, 10_1000), // what the first one left
		buy(100, 10_0500), // nothing so cheap
		{Account: 1, Locate: 1, Stock: acme, Side: book.Ask, Short: true, Shares: 100, Price: 9_9900}, // at the bid
	} {
		if err := e.Place(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		drained(t, e)
	}
	want := []struct {
		filled   uint32
		notional int64
	}{{200, 200 * 10_1000}, {100, 100 * 10_1000}, {0, 0}, {100, 100 * 10_0000}}
	for i, x := range *ended {
		if x.Filled != want[i].filled || x.Notional != want[i].notional || x.Why != "" || x.Order.ID != uint64(i+1) {
			t.Errorf("order %d: %+v, want %+v", i, x, want[i])
		}
	}
	if len(*ended) != len(want) || e.Books().Checksum != before {
		t.Errorf("%d orders ended; the book has changed: %t", len(*ended), e.Books().Checksum != before)
	}
	untouched(t, e)

	// Marked at the last trade, 10.05: bought 300 at 10.10, sold 100 at 10.00.
	sent(t, e, itch.Trade{Side: itch.Buy, Shares: 1, Stock: acme, Price: 10_0500}.Message(itch.Header{Locate: 1, Time: 2}))
	drained(t, e)
	s := e.Positions.Standing()
	if s.Profit != [Accounts]int64{-300 * 500, -100 * 500} || s.Held != [Accounts]int64{300, 100} || s.Orders != 4 || s.Filled != 3 || s.Total() != -400*500 {
		t.Errorf("%+v", s)
	}
}

// TestEveryStepThatFailsUndoesThoseBeforeIt refuses at each step of the chain,
// and breaks each of them, and finds the accounts as they were.
func TestEveryStepThatFailsUndoesThoseBeforeIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		risk   Risk
		order  Order
		reason string
	}{
		{"no shares", UsualRisk, buy(0, 10_0000), ReasonInvalid},
		{"too many shares", UsualRisk, buy(1_001, 10_0000), ReasonInvalid},
		{"no price", UsualRisk, buy(1, 0), ReasonInvalid},
		{"strange account", UsualRisk, Order{Account: Accounts, Locate: 1, Shares: 1, Price: 10_0000}, ReasonInvalid},
		{"short purchase", UsualRisk, Order{Locate: 1, Short: true, Shares: 1, Price: 10_0000}, ReasonInvalid},
		{"unknown stock", UsualRisk, Order{Locate: 2, Shares: 1, Price: 10_0000}, ReasonHalted},
		{"limit", Risk{1_000, 0, 1 << 40, 1}, buy(1, 10_0000), ReasonLimit},
		{"exposure", Risk{1_000, 10, 100_0000, 1}, buy(10, 10_1000), ReasonExposure},
		{"band above", UsualRisk, buy(1, 10_3000), ReasonBand},
		{"band below", UsualRisk, buy(1, 9_8000), ReasonBand},
	} {
		e, ended := opened(t, Config{Risk: c.risk})
		err := e.Place(t.Context(), c.order)
		r, ok := errors.AsType[*Refusal](err)
		if !ok || r.Reason != c.reason || !strings.HasPrefix(r.Error(), "trading: "+c.reason+": ") {
			t.Errorf("%s: %v, want %q", c.name, err, c.reason)
		}
		drained(t, e)
		untouched(t, e)
		if o := e.Orders(); o.Accepted != 0 || o.Refused[c.reason] != 1 || len(*ended) != 0 {
			t.Errorf("%s: %+v, %d orders ended", c.name, o, len(*ended))
		}
	}
}

func TestAStepThatBreaksUndoesThoseBeforeIt(t *testing.T) {
	broken := errors.New("out of order")
	breaks := map[string]func(context.Context, *Order) error{
		"fails":  func(context.Context, *Order) error { return broken },
		"panics": func(context.Context, *Order) error { panic(broken) },
	}
	for how, step := range breaks {
		for at := range 5 { // in front of the step of that number
			e, ended := opened(t, Config{})
			chain := e.Signals.Order
			chain.Reset()
			for i, add := range []func(){
				func() { chain.Subscribe(e.gate.Validate) },
				func() { chain.Step(e.limits.Reserve) },
				func() { chain.Step(e.exposure.Reserve) },
				func() { chain.Subscribe(e.gate.Band) },
				func() { chain.Subscribe(e.route) },
			} {
				if i == at {
					chain.Subscribe(step)
				}
				add()
			}
			if err := e.Place(t.Context(), buy(1, 10_0000)); !errors.Is(err, broken) {
				t.Errorf("%s at %d: %v", how, at, err)
			}
			drained(t, e)
			untouched(t, e)
			if o := e.Orders(); o.Accepted != 0 || o.Refused["failed"] != 1 || len(*ended) != 0 {
				t.Errorf("%s at %d: %+v, %d orders ended", how, at, o, len(*ended))
			}
		}
	}
}

func TestAnOrderThatCannotBeRoutedIsUndone(t *testing.T) {
	e, ended := opened(t, Config{})
	if err := e.Signals.Market.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Place(t.Context(), buy(1, 10_0000)); !errors.Is(err, signals.ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
	untouched(t, e)
	if o := e.Orders(); o.Refused["failed"] != 1 || len(*ended) != 0 {
		t.Errorf("%+v", o)
	}
}

func TestAnOrderWhoseTimeIsOverIsUndone(t *testing.T) {
	e, _ := opened(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	e.Signals.Order.RemoveListener("band")
	e.Signals.Order.RemoveListener("route")
	e.Signals.Order.Subscribe(func(context.Context, *Order) error { cancel(); return nil })
	e.Signals.Order.Subscribe(e.route)
	if err := e.Place(ctx, buy(1, 10_0000)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	untouched(t, e)
}

func TestLimitsAreOfWhatIsUnderWayAndExposureOfWhatIsHeld(t *testing.T) {
	e, ended := opened(t, Config{Risk: Risk{MaxShares: 1_000, MaxOpen: 1, MaxExposure: 2_100_0000, Band: 0.02}})
	for i, want := range []string{"", "", ReasonExposure} { // 1,010 and 1,010; then it is more than 2,100
		err := e.Place(t.Context(), buy(100, 10_1000))
		drained(t, e)
		if r, _ := errors.AsType[*Refusal](err); want == "" && err != nil || want != "" && (r == nil || r.Reason != want) {
			t.Errorf("order %d: %v, want %q", i, err, want)
		}
	}
	// A sale makes the position smaller, and is always welcome.
	if err := e.Place(t.Context(), Order{Locate: 1, Stock: acme, Side: book.Ask, Shares: 100, Price: 10_0000}); err != nil {
		t.Error(err)
	}
	drained(t, e)
	if s := &e.exposure.accounts[0]; s.held != 100*10_0000 || s.reserved != 0 || len(*ended) != 3 {
		t.Errorf("held %d, reserved %d, %d orders ended", s.held, s.reserved, len(*ended))
	}
}

// Orders that each make a position smaller may, together, turn it over: only
// those that it is large enough for pass a bound that is reached.
func TestOrdersThatReduceTogetherAreBoundLikeOthers(t *testing.T) {
	for _, side := range []book.Side{book.Bid, book.Ask} {
		e, ended := opened(t, Config{Shards: 1, Risk: Risk{MaxShares: 1_000, MaxOpen: 32, MaxExposure: 1_100_0000, Band: 0.02}})
		order := func(side book.Side) error {
			price := itch.Price(10_1000)
			if side == book.Ask {
				price = 10_0000
			}
			return e.Place(t.Context(), Order{Locate: 1, Stock: acme, Side: side, Shares: 100, Price: price})
		}
		if err := order(side.Opposite()); err != nil { // 100 shares, and no room for more
			t.Fatal(err)
		}
		drained(t, e)
		// Until the shard goes on, none of the orders that follow ends.
		inside, goOn := make(chan struct{}), make(chan struct{})
		e.Signals.Halt.Subscribe(func(context.Context, Status) error {
			close(inside)
			<-goOn
			return nil
		}, signals.Once())
		if err := e.Signals.Market.Offer(t.Context(), Input{Message: itch.RegSHO{Stock: acme, Action: '0'}.Message(itch.Header{Locate: 1, Time: 5})}); err != nil {
			t.Fatal(err)
		}
		<-inside
		for i, want := range []string{"", ReasonExposure, ReasonExposure} {
			err := order(side)
			if r, _ := errors.AsType[*Refusal](err); want == "" && err != nil || want != "" && (r == nil || r.Reason != want) {
				t.Errorf("%v %d: %v, want %q", side, i, err, want)
			}
		}
		close(goOn)
		drained(t, e)
		untouched(t, e)
		if s := &e.exposure.accounts[0]; s.held != 0 || len(*ended) != 2 {
			t.Errorf("%v: %d held, %d orders ended", side, s.held, len(*ended))
		}
	}
}

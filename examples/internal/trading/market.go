package trading

import (
	"context"
	"errors"

	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// Market rebuilds the books from the feed, and is the simulated exchange that
// matches our orders against them. Our orders never change the books.
type Market struct {
	signals *Signals
	clock   func() int64
	shards  []*shard
}

// shard is the part of the market that one shard of the signal handles: one
// goroutine at a time. Others may read it when the signal is drained.
type shard struct {
	n      int
	set    *book.Set
	open   bool              // market hours
	stocks [1 << 16]*listing // by locate
	listed []*listing
	Feed

	latency Latency // tick to book

	fills    func(price, shares uint32) // adds to the next two
	filled   uint32
	notional int64
}

// Feed counts what the feed said.
type Feed struct {
	Messages     int64
	Unknown      int64  // messages about orders that the stream does not hold
	Inconsistent int64  // messages that contradict those before: more shares than there are, a reference twice, another stock's number
	Traded       uint64 // shares of trade messages
	Quotes       int64  // changes of best prices
}

func (f *Feed) add(o Feed) {
	f.Messages += o.Messages
	f.Unknown += o.Unknown
	f.Inconsistent += o.Inconsistent
	f.Traded += o.Traded
	f.Quotes += o.Quotes
}

// listing is a stock.
type listing struct {
	locate   uint16
	stock    itch.Stock
	book     *book.Book
	executed uint64 // shares of orders in the book
	volume   uint64 // shares executed, hidden and crosses included, what is no print excluded
	last     itch.Price

	state       byte // as the last trading action said; 0: none yet
	operational bool // an operational halt is in force
	restricted  bool
}

func (l *listing) trading() bool { return l.state == itch.Trading && !l.operational }

// ordersAtFirst is how many orders a shard has room for before it grows.
const ordersAtFirst = 1 << 17

func newMarket(s *Signals, shards int, clock func() int64) *Market {
	m := &Market{signals: s, clock: clock}
	for n := range shards {
		sh := &shard{n: n, set: book.NewSet(ordersAtFirst), latency: NewLatency()}
		sh.fills = func(price, shares uint32) {
			sh.filled += shares
			sh.notional += int64(price) * int64(shares)
		}
		m.shards = append(m.shards, sh)
	}
	return m
}

// OnInput listens to market.data.
func (m *Market) OnInput(ctx context.Context, in Input) error {
	sh := m.shards[int(in.Message.Locate())%len(m.shards)]
	switch {
	case in.Order != nil:
		m.execute(ctx, sh, in.Order)
	case in.Asked == marketWide:
		m.marketWide(ctx, sh, &in.Message)
	case in.Asked != 0:
		m.signals.Report.Emit(ctx, sh.report(in.Asked, m.clock()))
	default:
		sh.Messages++
		m.apply(ctx, sh, &in)
	}
	return nil
}

// apply brings a message of the feed into the books and tells what changed.
func (m *Market) apply(ctx context.Context, sh *shard, in *Input) {
	msg := &in.Message
	var c book.Change
	var err error
	var traded Trade
	switch msg.Type() {
	case itch.TypeAddOrder, itch.TypeAddOrderMPID:
		o := msg.AddOrder()
		if sh.listing(msg.Locate(), o.Stock) == nil {
			return
		}
		side := book.Bid
		if o.Side == itch.Sell {
			side = book.Ask
		}
		c, err = sh.set.Add(msg.Locate(), o.Ref, side, uint32(o.Price), o.Shares)
	case itch.TypeExecuted:
		x := msg.Executed()
		c, err = sh.set.Reduce(msg.Locate(), x.Ref, x.Shares)
		traded = Trade{Price: itch.Price(c.Price), Shares: uint64(c.Shares)}
	case itch.TypeExecutedWithPrice:
		x := msg.ExecutedWithPrice()
		c, err = sh.set.Reduce(msg.Locate(), x.Ref, x.Shares)
		if x.Printable == 'Y' {
			traded = Trade{Price: x.Price, Shares: uint64(c.Shares)}
		}
	case itch.TypeCancel:
		x := msg.Cancel()
		c, err = sh.set.Reduce(msg.Locate(), x.Ref, x.Shares)
	case itch.TypeDelete:
		c, err = sh.set.Delete(msg.Locate(), msg.Delete().Ref)
	case itch.TypeReplace:
		x := msg.Replace()
		c, err = sh.set.Replace(msg.Locate(), x.Ref, x.NewRef, uint32(x.Price), x.Shares)
	case itch.TypeTrade:
		x := msg.Trade()
		sh.Traded += uint64(x.Shares)
		if sh.listing(msg.Locate(), x.Stock) == nil {
			return
		}
		traded = Trade{Price: x.Price, Shares: uint64(x.Shares)}
	case itch.TypeCrossTrade:
		x := msg.CrossTrade()
		if sh.listing(msg.Locate(), x.Stock) == nil {
			return
		}
		traded = Trade{Price: x.Price, Shares: x.Shares}
	default:
		m.administrative(ctx, sh, msg)
		return
	}
	switch {
	case errors.Is(err, book.ErrUnknown):
		sh.Unknown++
		return
	case err != nil:
		sh.Inconsistent++
	}
	if c.Book == nil && traded.Shares == 0 {
		return
	}
	l := sh.stocks[msg.Locate()]
	if c.Book != nil {
		l = sh.stocks[c.Book.Locate()]
		if t := msg.Type(); t == itch.TypeExecuted || t == itch.TypeExecutedWithPrice {
			l.executed += uint64(c.Shares)
		}
		m.quote(ctx, sh, l, in)
	}
	if traded.Shares > 0 {
		l.last, l.volume = traded.Price, l.volume+traded.Shares
		traded.Locate, traded.Stock = l.locate, l.stock
		m.signals.Trade.Emit(ctx, traded)
	}
}

// quote tells of the best prices of a stock whose book has changed, if they
// have. The book is up to date before, so tick to book ends here.
func (m *Market) quote(ctx context.Context, sh *shard, l *listing, in *Input) {
	if in.Due != 0 {
		sh.latency.Record(m.clock() - in.Due)
	}
	if top, changed := l.book.Changed(); changed {
		sh.Quotes++
		m.signals.Quote.Emit(ctx, Quote{l.locate, l.stock, top, int64(in.Message.Time()), in.Due})
	}
}

// administrative handles the messages that are about no order.
func (m *Market) administrative(ctx context.Context, sh *shard, msg *itch.Message) {
	switch msg.Type() {
	case itch.TypeStockDirectory:
		sh.listing(msg.Locate(), msg.StockDirectory().Stock)
	case itch.TypeSystemEvent:
		m.marketWide(ctx, sh, msg)
		switch msg.SystemEvent().Event {
		case itch.EventStartOfMarketHours:
			m.signals.Halt.Emit(ctx, Status{All: true, Trading: true, Why: "market hours"})
		case itch.EventEndOfMarketHours:
			m.signals.Halt.Emit(ctx, Status{All: true, Why: "end of market hours"})
		}
	case itch.TypeBreach:
		m.marketWide(ctx, sh, msg)
		if msg.Breach().Level == lastLevel {
			m.signals.Halt.Emit(ctx, Status{All: true, Why: whyBreach})
		}
	case itch.TypeTradingAction:
		a := msg.TradingAction()
		if l := sh.listing(msg.Locate(), a.Stock); l != nil {
			l.state = a.State
			m.status(ctx, l, "trading action")
		}
	case itch.TypeRegSHO:
		r := msg.RegSHO()
		if l := sh.listing(msg.Locate(), r.Stock); l != nil {
			l.restricted = r.Action != '0'
			m.status(ctx, l, "Reg SHO")
		}
	case itch.TypeOperationalHalt:
		o := msg.OperationalHalt()
		if o.Market != 'Q' {
			return // of another market
		}
		if l := sh.listing(msg.Locate(), o.Stock); l != nil {
			l.operational = o.Action == itch.Halted
			m.status(ctx, l, "operational halt")
		}
	}
}

// The circuit breaker of the whole market: its last level ends the day, and the
// others stop each stock until a trading action resumes it.
const (
	lastLevel = '3'
	whyBreach = "market-wide circuit breaker"
)

// marketWide does to the stocks of a shard what a message says to all stocks.
// Each shard gets it, at the same place of the feed.
func (m *Market) marketWide(ctx context.Context, sh *shard, msg *itch.Message) {
	switch msg.Type() {
	case itch.TypeSystemEvent:
		switch msg.SystemEvent().Event {
		case itch.EventStartOfMarketHours:
			sh.open = true
		case itch.EventEndOfMarketHours:
			sh.open = false
		}
	case itch.TypeBreach:
		if msg.Breach().Level == lastLevel {
			sh.open = false
			return
		}
		for _, l := range sh.listed {
			l.state = itch.Halted
			m.status(ctx, l, whyBreach)
		}
	}
}

// status tells whether orders of a stock are welcome. It returns when everybody
// knows, so that none passes the risk chain behind a halt.
func (m *Market) status(ctx context.Context, l *listing, why string) {
	m.signals.Halt.Emit(ctx, Status{Locate: l.locate, Stock: l.stock, Trading: l.trading(), Restricted: l.restricted, Why: why})
}

// listing returns a stock, which it lists if it is new. It is nil if the number is
// of another stock: numbers are for a day, so the message contradicts those before it.
func (sh *shard) listing(locate uint16, stock itch.Stock) *listing {
	l := sh.stocks[locate]
	if l == nil {
		l = &listing{locate: locate, stock: stock, book: sh.set.Book(locate)}
		sh.stocks[locate] = l
		sh.listed = append(sh.listed, l)
	}
	if l.stock != stock {
		sh.Inconsistent++
		return nil
	}
	return l
}

// execute is the exchange's answer to an order of ours.
func (m *Market) execute(ctx context.Context, sh *shard, o *Order) {
	x := Execution{Order: *o}
	switch l := sh.stocks[o.Locate]; {
	case l == nil:
		x.Why = "unknown stock"
	// The next three came while the order was on its way.
	case !sh.open:
		x.Why = ReasonClosed
	case !l.trading():
		x.Why = ReasonHalted
	case o.Short && l.restricted && uint32(o.Price) <= l.book.Top().BidPrice:
		x.Why = ReasonRestricted
	default:
		sh.filled, sh.notional = 0, 0
		l.book.Take(o.Side, uint32(o.Price), o.Shares, sh.fills)
		x.Filled, x.Notional = sh.filled, sh.notional
	}
	m.signals.Execution.Emit(ctx, x)
}

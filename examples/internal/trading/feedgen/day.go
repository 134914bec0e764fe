package feedgen

import (
	"math"
	"time"

	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// stock is what the invented exchange knows of a stock.
type stock struct {
	locate uint16
	symbol itch.Stock
	book   *book.Book
	fair   float64 // what it is worth, in ticks of a cent
	halted bool
	short  bool     // sales are restricted
	refs   []uint64 // of orders, some of which have gone
}

const tick = 100 // a cent, in 1/10,000

// mpids are those who sign some of their orders.
var mpids = []itch.MPID{{'V', 'I', 'R', 'T'}, {'G', 'S', 'C', 'O'}, {'U', 'B', 'S', 'S'}, {'N', 'I', 'T', 'E'}}

// symbolOf makes A, B, ..., Z, AA, AB and so on, three letters at least.
func symbolOf(n int) string {
	s := ""
	for n += 26 + 26*26; n >= 0; n = n/26 - 1 {
		s = string(rune('A'+n%26)) + s
	}
	return s
}

// begin invents what a day says before anybody trades.
func (g *Generator) begin(stocks int) {
	g.now = at(3, 5, 0)
	g.push(itch.SystemEvent{Event: itch.EventStartOfMessages}.Message(g.header(0)))
	g.now = at(4, 0, 0)
	g.push(itch.SystemEvent{Event: itch.EventStartOfSystemHours}.Message(g.header(0)))
	g.now = at(9, 20, 0)
	for i := range stocks {
		s := &stock{
			locate: uint16(i + 1),
			symbol: itch.NewStock(symbolOf(i)),
			fair:   math.Round(math.Exp(math.Log(500) + 3*g.rnd.Float64()*math.Ln10/2)),
			refs:   make([]uint64, 0, 4*ordersPerStock),
		}
		s.book = g.set.Book(s.locate)
		g.stocks = append(g.stocks, s)
		for range 1 + 40/(1+i/4) { // a few are traded a lot, most of them rarely
			g.pick = append(g.pick, i)
		}
		g.now += time.Duration(1+g.rnd.IntN(1000)) * time.Microsecond
		h := g.header(s.locate)
		g.push(itch.StockDirectory{
			Stock: s.symbol, MarketCategory: 'Q', FinancialStatus: 'N', RoundLotSize: 100, RoundLotsOnly: 'N',
			Classification: 'C', SubType: [2]byte{'Z', ' '}, Authenticity: 'P', ShortSaleClosing: 'N', IPO: 'N',
			LULDTier: '1', ETP: 'N', Inverse: 'N',
		}.Message(h))
		g.push(itch.TradingAction{Stock: s.symbol, State: itch.Trading, Reserved: ' ', Reason: [4]byte{' ', ' ', ' ', ' '}}.Message(h))
		if i%3 == 0 {
			g.push(itch.RegSHO{Stock: s.symbol, Action: '0'}.Message(h))
		}
		if i%2 == 0 {
			g.push(itch.Participant{MPID: mpids[i%len(mpids)], Stock: s.symbol, Primary: 'Y', Mode: 'N', State: 'A'}.Message(h))
		}
	}
	if stocks >= 10 {
		g.push(itch.DeclineLevels{Level1: 4_000_0000_0000, Level2: 3_700_0000_0000, Level3: 3_400_0000_0000}.Message(g.header(0)))
		s := g.stocks[stocks-1]
		g.push(itch.IPOQuoting{Stock: s.symbol, Release: at(9, 30, 0), Qualifier: 'A', Price: g.price(s)}.Message(g.header(s.locate)))
		g.push(itch.DirectListing{
			Stock: s.symbol, Eligible: 'Y', Lowest: g.price(s) / 2, Highest: g.price(s) * 2, Near: g.price(s),
			NearTime: g.now, LowerCollar: g.price(s) / 10 * 9, UpperCollar: g.price(s) / 10 * 11,
		}.Message(g.header(s.locate)))
	}
	g.phase = -1
}

// end invents the close.
func (g *Generator) end() {
	g.now = max(g.now, phases[len(phases)-1].to)
	g.resumes(true)
	g.cross(itch.CrossClosing)
	g.push(itch.SystemEvent{Event: itch.EventEndOfMarketHours}.Message(g.header(0)))
	g.closing = true
	// How many messages are left is known now: the rest are orders that expire.
	for int64(len(g.queue)-g.head)+g.made < g.cfg.Messages-2 {
		g.now += time.Duration(1+g.rnd.IntN(1000)) * time.Microsecond
		g.quoting(g.stocks[g.rnd.IntN(len(g.stocks))])
	}
	g.queue = g.queue[:max(min(int64(len(g.queue)), int64(g.head)+g.cfg.Messages-g.made-2), int64(g.head))]
	g.now = max(g.now, at(20, 0, 0))
	g.push(itch.SystemEvent{Event: itch.EventEndOfSystemHours}.Message(g.header(0)))
	g.now += 5 * time.Minute
	g.push(itch.SystemEvent{Event: itch.EventEndOfMessages}.Message(g.header(0)))
}

// cross opens or closes the market: what both sides have at the best prices is
// executed at one price, and printed once.
func (g *Generator) cross(kind byte) {
	for _, s := range g.stocks {
		if s.halted {
			continue
		}
		g.now += time.Duration(1+g.rnd.IntN(50)) * time.Microsecond
		bid, ok := s.book.First(book.Bid)
		ask, ok2 := s.book.First(book.Ask)
		if !ok || !ok2 {
			continue
		}
		n := min(bid.Shares, ask.Shares)
		price := itch.Price((bid.Price + ask.Price) / 2 / tick * tick)
		h := g.header(s.locate)
		g.push(itch.Imbalance{
			Paired: uint64(n), Direction: 'N', Stock: s.symbol, Far: price, Near: price, Reference: price, Cross: kind, Variation: 'L',
		}.Message(h))
		match := g.nextMatch()
		for _, o := range [2]book.Order{bid, ask} {
			g.push(itch.ExecutedWithPrice{Ref: o.Ref, Shares: n, Match: match, Printable: 'N', Price: price}.Message(h))
			_, _ = g.set.Reduce(s.locate, o.Ref, n) // it is there
		}
		g.push(itch.CrossTrade{Shares: uint64(n), Stock: s.symbol, Price: price, Match: match, Cross: kind}.Message(h))
	}
}

// price is what a stock is worth.
func (g *Generator) price(s *stock) itch.Price { return itch.Price(s.fair) * tick }

package feedgen

import (
	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// trading invents what happens to a stock while the market is open.
func (g *Generator) trading(s *stock) {
	switch r := g.rnd.IntN(100_000); {
	case r < 5_000:
		g.take(s)
	case r < 6_500:
		g.hidden(s)
	case r < 6_520:
		g.news(s)
	default:
		g.quoting(s)
	}
}

// quoting invents a change of the book that executes nothing.
func (g *Generator) quoting(s *stock) {
	if g.rnd.IntN(64) == 0 { // the market moves
		s.fair = max(s.fair+float64(g.rnd.IntN(3)-1), 20)
	}
	bids, _ := s.book.Total(book.Bid)
	asks, _ := s.book.Total(book.Ask)
	adds := 53 // of a hundred; more than half while there are few orders
	if bids+asks > ordersPerStock {
		adds = 40
	}
	switch r := g.rnd.IntN(100); {
	case r < adds:
		g.add(s)
	case r < 86:
		g.remove(s)
	case r < 97:
		g.replace(s)
	default:
		g.cancel(s)
	}
}

func wire(side book.Side) itch.Side {
	if side == book.Bid {
		return itch.Buy
	}
	return itch.Sell
}

// passive invents a price at which an order of that side does not trade.
func (g *Generator) passive(s *stock, side book.Side) uint32 {
	away := 1 + int(g.rnd.ExpFloat64()*6)
	if g.rnd.IntN(50) == 0 {
		away *= 20
	}
	ticks := int(s.fair)
	t := s.book.Top()
	if side == book.Bid {
		ticks = max(ticks-away, 1)
		if t.AskShares > 0 {
			ticks = min(ticks, int(t.AskPrice/tick)-1)
		}
	} else {
		ticks += away
		if t.BidShares > 0 {
			ticks = max(ticks, int(t.BidPrice/tick)+1)
		}
	}
	return uint32(max(ticks, 0)) * tick
}

func (g *Generator) size() uint32 {
	if g.rnd.IntN(8) == 0 {
		return uint32(1 + g.rnd.IntN(99)) // an odd lot
	}
	return uint32(1+g.rnd.ExpFloat64()*3) * 100
}

func (g *Generator) side() book.Side { return book.Side(g.rnd.IntN(2)) }

func (g *Generator) add(s *stock) {
	side := g.side()
	price := g.passive(s, side)
	if price == 0 {
		side, price = book.Ask, g.passive(s, book.Ask)
	}
	o := itch.AddOrder{Ref: g.nextRef(), Side: wire(side), Shares: g.size(), Stock: s.symbol, Price: itch.Price(price)}
	if g.rnd.IntN(20) == 0 {
		o.MPID = mpids[g.rnd.IntN(len(mpids))]
	}
	g.place(s, side, o)
}

// place puts an order into the book.
func (g *Generator) place(s *stock, side book.Side, o itch.AddOrder) {
	_, _ = g.set.Add(s.locate, o.Ref, side, uint32(o.Price), o.Shares) // the reference is new
	s.refs = append(s.refs, o.Ref)
	g.push(o.Message(g.header(s.locate)))
}

// some picks an order of a stock; if there is none, one is added instead.
func (g *Generator) some(s *stock) (o book.Order, side book.Side, i int, ok bool) {
	for len(s.refs) > 0 {
		i = g.rnd.IntN(len(s.refs))
		if o, side, ok = g.set.Get(s.locate, s.refs[i]); ok {
			return o, side, i, true
		}
		s.forget(i) // executed meanwhile
	}
	g.add(s)
	return o, 0, 0, false
}

func (s *stock) forget(i int) {
	last := len(s.refs) - 1
	s.refs[i] = s.refs[last]
	s.refs = s.refs[:last]
}

func (g *Generator) remove(s *stock) {
	o, _, i, ok := g.some(s)
	if !ok {
		return
	}
	s.forget(i)
	_, _ = g.set.Delete(s.locate, o.Ref)
	g.push(itch.Delete{Ref: o.Ref}.Message(g.header(s.locate)))
}

func (g *Generator) replace(s *stock) {
	o, side, i, ok := g.some(s)
	if !ok {
		return
	}
	price := g.passive(s, side)
	if price == 0 {
		price = o.Price
	}
	r := itch.Replace{Ref: o.Ref, NewRef: g.nextRef(), Shares: g.size(), Price: itch.Price(price)}
	_, _ = g.set.Replace(s.locate, r.Ref, r.NewRef, price, r.Shares)
	s.refs[i] = r.NewRef
	g.push(r.Message(g.header(s.locate)))
}

func (g *Generator) cancel(s *stock) {
	o, _, _, ok := g.some(s)
	if !ok {
		return
	}
	if o.Shares < 2 {
		g.add(s)
		return
	}
	n := 1 + g.rnd.Uint32N(o.Shares-1) // not all of them: that would be a D
	_, _ = g.set.Reduce(s.locate, o.Ref, n)
	g.push(itch.Cancel{Ref: o.Ref, Shares: n}.Message(g.header(s.locate)))
}

// take invents an order that trades at once. What it does not get rests.
func (g *Generator) take(s *stock) {
	side := g.side()
	maker, ok := s.book.First(side.Opposite())
	if !ok {
		g.add(s)
		return
	}
	limit := maker.Price
	g.taker = s
	left := s.book.Match(side, limit, g.size(), g.fill)
	if left > 0 && g.rnd.IntN(4) == 0 {
		g.place(s, side, itch.AddOrder{Ref: g.nextRef(), Side: wire(side), Shares: left, Stock: s.symbol, Price: itch.Price(limit)})
	}
	if side == book.Bid {
		s.fair = max(s.fair, float64(limit/tick))
	} else {
		s.fair = max(min(s.fair, float64(limit/tick)), 20)
	}
	g.burst += 2 + g.rnd.IntN(6) // and others react
}

// execution tells of one, at times of an order that gets a better price.
func (g *Generator) execution(s *stock, maker book.Order, shares uint32) {
	h := g.header(s.locate)
	if g.rnd.IntN(30) == 0 {
		g.push(itch.ExecutedWithPrice{Ref: maker.Ref, Shares: shares, Match: g.nextMatch(), Printable: 'Y', Price: itch.Price(maker.Price)}.Message(h))
		return
	}
	g.push(itch.Executed{Ref: maker.Ref, Shares: shares, Match: g.nextMatch()}.Message(h))
}

// hidden invents a trade with an order that the book does not show.
func (g *Generator) hidden(s *stock) {
	g.push(itch.Trade{Side: itch.Buy, Shares: g.size(), Stock: s.symbol, Price: g.price(s), Match: g.nextMatch()}.Message(g.header(s.locate)))
}

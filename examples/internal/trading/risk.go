package trading

import (
	"context"
	"sync"
	"sync/atomic"

	"example.com/signals"
	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// Accounts is how many accounts trade.
const Accounts = 4

// Risk bounds what the accounts may do.
type Risk struct {
	MaxShares   uint32  // of one order
	MaxOpen     int     // orders of one account that are under way
	MaxExposure int64   // of one account, orders under way and positions, in 1/10,000 of a dollar
	Band        float64 // how far a price may be from the middle of the book, as a part of it
}

// UsualRisk is what the program uses.
var UsualRisk = Risk{MaxShares: 1_000, MaxOpen: 32, MaxExposure: 500_000_0000, Band: 0.02}

// gate knows of each stock whether it trades, and at what prices. Shards write
// what they know of their stocks, and anybody reads.
type gate struct {
	risk   Risk
	open   atomic.Bool            // market hours
	status [1 << 16]atomic.Uint32 // by locate: the bits below
	prices [1 << 16]atomic.Uint64 // by locate: best bid in the upper half, best offer in the lower; 0: none
}

const (
	statusTrading = 1 << iota
	statusRestricted
)

// OnStatus listens to market.halt.
func (g *gate) OnStatus(_ context.Context, s Status) error {
	if s.All {
		g.open.Store(s.Trading)
		return nil
	}
	bits := uint32(0)
	if s.Trading {
		bits |= statusTrading
	}
	if s.Restricted {
		bits |= statusRestricted
	}
	g.status[s.Locate].Store(bits)
	return nil
}

// OnQuote listens to market.quote.
func (g *gate) OnQuote(_ context.Context, q Quote) error {
	g.prices[q.Locate].Store(uint64(q.Top.BidPrice)<<32 | uint64(q.Top.AskPrice))
	return nil
}

// Validate is the first step of the risk chain.
func (g *gate) Validate(_ context.Context, o *Order) error {
	switch status := g.status[o.Locate].Load(); {
	case o.Account < 0 || o.Account >= Accounts:
		return refuse(ReasonInvalid, "account %d: want 0 to %d", o.Account, Accounts-1)
	case o.Shares == 0 || o.Shares > g.risk.MaxShares:
		return refuse(ReasonInvalid, "%d shares: want 1 to %d", o.Shares, g.risk.MaxShares)
	case o.Price == 0:
		return refuse(ReasonInvalid, "an order without a price")
	case o.Short && o.Side != book.Ask:
		return refuse(ReasonInvalid, "a short order that buys")
	case !g.open.Load():
		return refuse(ReasonClosed, "%v: outside of market hours", o.Stock)
	case status&statusTrading == 0:
		return refuse(ReasonHalted, "%v does not trade", o.Stock)
	case o.Short && status&statusRestricted != 0:
		// Under a restriction a short sale must not take the best bid.
		if bid := itch.Price(g.prices[o.Locate].Load() >> 32); o.Price <= bid {
			return refuse(ReasonRestricted, "%v: a short sale at %v, not above the best bid of %v", o.Stock, o.Price, bid)
		}
	}
	return nil
}

// Band is the step of the risk chain that knows what a stock is worth.
func (g *gate) Band(_ context.Context, o *Order) error {
	prices := g.prices[o.Locate].Load()
	bid, ask := prices>>32, prices&(1<<32-1)
	if bid == 0 || ask == 0 {
		return refuse(ReasonNoPrice, "%v has no two prices", o.Stock)
	}
	mid := float64(bid+ask) / 2
	if away := float64(o.Price)/mid - 1; away > g.risk.Band || away < -g.risk.Band {
		return refuse(ReasonBand, "%v at %v is %+.1f%% away from %v", o.Stock, o.Price, 100*away, itch.Price(mid))
	}
	return nil
}

// limits counts the orders of each account that are under way.
type limits struct {
	risk Risk
	open [Accounts]atomic.Int64
}

// Reserve is a step of the risk chain.
func (l *limits) Reserve(_ context.Context, o *Order) (signals.Undo, error) {
	open := &l.open[o.Account]
	if n := open.Add(1); n > int64(l.risk.MaxOpen) {
		open.Add(-1)
		return nil, refuse(ReasonLimit, "account %d has %s under way", o.Account, english.Plural(n-1, "order"))
	}
	return func(context.Context) error {
		open.Add(-1)
		return nil
	}, nil
}

// OnExecution listens to order.execution.
func (l *limits) OnExecution(_ context.Context, x Execution) error {
	l.open[x.Order.Account].Add(-1)
	return nil
}

// exposure adds up what each account has at stake.
type exposure struct {
	risk     Risk
	accounts [Accounts]stake
}

// stake is that of one account.
type stake struct {
	mu       sync.Mutex
	reserved int64              // by orders under way; guarded by mu
	held     int64              // sum of all holdings, long or short, at what was last paid; guarded by mu
	holdings map[uint16]holding // by locate; guarded by mu
}

// holding is what an account has of a stock.
type holding struct {
	shares          int64
	price           int64 // last paid
	buying, selling int64 // shares of orders under way
}

func (h holding) value() int64 { return max(h.shares, -h.shares) * h.price }

func newExposure(risk Risk) *exposure {
	e := &exposure{risk: risk}
	for i := range e.accounts {
		e.accounts[i].holdings = make(map[uint16]holding)
	}
	return e
}

// underWay adds shares to those of the orders under way on a side.
func (h *holding) underWay(side book.Side, shares int64) {
	if side == book.Bid {
		h.buying += shares
	} else {
		h.selling += shares
	}
}

// Reserve is a step of the risk chain. An order that makes a position smaller
// is always welcome, if it still does so when all orders before it are filled.
func (e *exposure) Reserve(_ context.Context, o *Order) (signals.Undo, error) {
	s := &e.accounts[o.Account]
	n := o.Notional()
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.holdings[o.Locate]
	if !h.reducedBy(o) && s.reserved+s.held+n > e.risk.MaxExposure {
		return nil, refuse(ReasonExposure, "account %d has %s at stake, and this is %s more", o.Account, Dollars(s.reserved+s.held), Dollars(n))
	}
	s.reserved += n
	h.underWay(o.Side, int64(o.Shares))
	s.holdings[o.Locate] = h
	locate, side, shares := o.Locate, o.Side, int64(o.Shares) // whatever becomes of o
	return func(context.Context) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reserved -= n
		h := s.holdings[locate]
		h.underWay(side, -shares)
		s.holdings[locate] = h
		return nil
	}, nil
}

// reducedBy reports whether an order makes the position smaller. It counts on
// none of the orders under way that would make it larger, and on all others.
func (h *holding) reducedBy(o *Order) bool {
	if o.Side == book.Bid {
		return -h.shares-h.buying >= int64(o.Shares)
	}
	return h.shares-h.selling >= int64(o.Shares)
}

// OnExecution listens to order.execution.
func (e *exposure) OnExecution(_ context.Context, x Execution) error {
	s := &e.accounts[x.Order.Account]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= x.Order.Notional()
	h := s.holdings[x.Order.Locate]
	h.underWay(x.Order.Side, -int64(x.Order.Shares))
	if x.Filled > 0 {
		s.held -= h.value()
		h.shares += x.signed()
		h.price = x.Notional / int64(x.Filled)
		s.held += h.value()
	}
	s.holdings[x.Order.Locate] = h
	return nil
}

// signed is how many shares more the account has.
func (x *Execution) signed() int64 {
	if x.Order.Side == book.Ask {
		return -int64(x.Filled)
	}
	return int64(x.Filled)
}

package trading

import (
	"context"
	"sync/atomic"

	"example.com/signals"
	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// Imbalance is an example of a strategy, and no advice: where many more shares
// are bid for than offered it buys, and the other way round it sells.
type Imbalance struct {
	place  func(context.Context, Order) error
	stocks [1 << 16]atomic.Pointer[stance] // by locate
}

// stance is how the strategy stands in a stock.
type stance struct {
	quotes   int          // since the last order; of the goroutine that tells of quotes
	underWay atomic.Bool  // an order is
	held     atomic.Int64 // shares
}

const (
	lot        = 100 // shares of an order, at most
	mostHeld   = 300
	lopsided   = 6   // times as many shares on one side
	quotesRest = 100 // quotes of a stock between two orders
)

// StartImbalance lets the strategy trade on an engine. It is a listener like
// any other.
func StartImbalance(e *Engine) *Imbalance {
	s := &Imbalance{place: e.Place}
	e.Signals.Quote.Subscribe(s.OnQuote, signals.Key("strategy"))
	e.Signals.Execution.Subscribe(s.OnExecution, signals.Key("strategy"))
	return s
}

// OnQuote listens to market.quote.
func (s *Imbalance) OnQuote(ctx context.Context, q Quote) error {
	st := s.stocks[q.Locate].Load()
	if st == nil {
		st = new(stance)
		s.stocks[q.Locate].Store(st)
	}
	st.quotes++
	t := &q.Top
	if st.quotes < quotesRest || t.BidShares == 0 || t.AskShares == 0 || t.Crossed() || st.underWay.Load() {
		return nil
	}
	o := Order{Account: int(q.Locate) % Accounts, Locate: q.Locate, Stock: q.Stock, Due: q.Due}
	held := st.held.Load()
	switch {
	case t.BidShares >= lopsided*t.AskShares && held < mostHeld:
		o.Side, o.Price, o.Shares = book.Bid, itch.Price(t.AskPrice), uint32(min(t.AskShares, lot))
	case t.AskShares >= lopsided*t.BidShares && held > -mostHeld:
		o.Side, o.Price, o.Shares = book.Ask, itch.Price(t.BidPrice), uint32(min(t.BidShares, lot))
		o.Short = held < int64(o.Shares)
	default:
		return nil
	}
	st.quotes = 0
	st.underWay.Store(true)
	if s.place(ctx, o) != nil { // refused, which the engine counts
		st.underWay.Store(false)
	}
	return nil
}

// OnExecution listens to order.execution.
func (s *Imbalance) OnExecution(_ context.Context, x Execution) error {
	if st := s.stocks[x.Order.Locate].Load(); st != nil {
		st.held.Add(x.signed())
		st.underWay.Store(false)
	}
	return nil
}

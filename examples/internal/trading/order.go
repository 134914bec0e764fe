package trading

import (
	"fmt"

	"example.com/signals"
	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// Order is one of ours: to buy or sell at once what the book offers at the price
// or a better one. What it does not get is cancelled. (An order that rests would
// need a place in a queue that the feed, which does not know of it, cannot give.)
type Order struct {
	ID      uint64 // given by Place
	Account int    // 0 to Accounts-1
	Locate  uint16
	Stock   itch.Stock
	Side    book.Side // Bid buys, Ask sells
	Short   bool      // a sale of what the account does not have
	Shares  uint32
	Price   itch.Price
	Due     int64 // of the message that it answers, or 0
}

// Notional is what the order costs at most, in 1/10,000 of a dollar.
func (o *Order) Notional() int64 { return int64(o.Shares) * int64(o.Price) }

// Execution is how an accepted order ended.
type Execution struct {
	Order    Order
	Filled   uint32 // shares
	Notional int64  // of those, in 1/10,000 of a dollar
	Why      string // "" unless the exchange rejected the order
}

// Refusal is an expected no of the risk chain.
type Refusal struct {
	Reason string // one of few, to count by

	format string // what Error says behind it; put together only if somebody asks
	args   []any
}

// The reasons of refusals.
const (
	ReasonInvalid    = "invalid"
	ReasonClosed     = "market closed"
	ReasonHalted     = "halted"
	ReasonRestricted = "short sale"
	ReasonLimit      = "limit"
	ReasonExposure   = "exposure"
	ReasonNoPrice    = "no price"
	ReasonBand       = "price band"
)

// Error begins with the reason.
func (r *Refusal) Error() string {
	return "trading: " + r.Reason + ": " + fmt.Sprintf(r.format, r.args...)
}

// refuse makes the error with which a step of the chain says no: a veto, so that
// nobody takes it for a failure. errors.AsType finds the Refusal.
func refuse(reason, format string, args ...any) error {
	return signals.Veto(&Refusal{reason, format, args})
}

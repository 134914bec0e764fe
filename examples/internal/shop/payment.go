package shop

import (
	"context"
	"strings"
	"sync"
)

// Payment takes money and gives it back. The shop comes with TestBank; a
// gateway behind HTTP is another implementation.
type Payment interface {
	// Charge returns the receipt, or a *DeclinedError if the customer's bank
	// says no, or another error if nobody could be asked.
	Charge(ctx context.Context, c Charge) (receipt string, err error)
	// Refund returns money that was charged.
	Refund(ctx context.Context, r Refund) error
}

// Charge is one payment. Order is its idempotency key.
type Charge struct {
	Order  string
	Card   string
	Amount Money
}

// Refund is the way back, wholly.
type Refund struct {
	Order   string
	Receipt string
	Amount  Money
}

// declinedSuffix marks the card numbers that TestBank declines, as the test
// cards of real gateways do.
const declinedSuffix = "0002"

// TestBank approves every card but those ending in 0002 and keeps one exact
// balance. The zero value is ready.
type TestBank struct {
	mu      sync.Mutex
	balance Money // charged less refunded; guarded by mu
}

// Charge implements Payment.
func (b *TestBank) Charge(_ context.Context, c Charge) (string, error) {
	if strings.HasSuffix(c.Card, declinedSuffix) {
		return "", &DeclinedError{Amount: c.Amount, Reason: "the card ending in " + declinedSuffix + " has no funds"}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.balance = b.balance.Add(c.Amount)
	return "R-" + c.Order, nil
}

// Refund implements Payment.
func (b *TestBank) Refund(_ context.Context, r Refund) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.balance = b.balance.Sub(r.Amount)
	return nil
}

// Balance is what was charged and not refunded.
func (b *TestBank) Balance() Money {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.balance
}

package shop

import (
	"context"

	"example.com/signals"
)

// The steps of order.cancelling, in their order.

// claim marks the order as cancelled before any money moves: of two customers
// who cancel the same order at the same time one gets it, and a refund is paid
// once. Its undo opens the order again.
func (s *Shop) claim(ctx context.Context, c *Cancellation) (signals.Undo, error) {
	if c.Source == FromFile {
		return nil, nil
	}
	o, err := s.Ledger.Claim(ctx, c.Order)
	if err != nil {
		return nil, err
	}
	when := c.Time
	*c = o.reversal()
	c.Time = when
	return func(ctx context.Context) error { return s.Ledger.Reopen(ctx, c.Order) }, nil
}

// refund pays back what the returned goods cost.
func (s *Shop) refund(ctx context.Context, c *Cancellation) error {
	back := total(c.Returned())
	if back.IsZero() {
		return nil
	}
	return s.payment.Refund(ctx, Refund{Order: c.Order, Receipt: c.Receipt, Amount: back})
}

// restock puts the goods back on the shelves.
func (s *Shop) restock(_ context.Context, c *Cancellation) error {
	s.Stock.Release(c.Returned())
	return nil
}

// recordCancellation is last, as record is. If it fails the money has been paid
// back already: claim opens the order again, and whoever cancels it once more is
// not paid twice, as a gateway takes an order's refunds for one.
func (s *Shop) recordCancellation(ctx context.Context, c *Cancellation) error {
	if err := s.Ledger.RecordCancellation(ctx, *c); err != nil {
		return err
	}
	s.Books.AddCancellation(c)
	return nil
}

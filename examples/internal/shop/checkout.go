package shop

import (
	"context"
	"fmt"

	"example.com/signals"
)

// Limits on an order from outside.
const (
	maxLines    = 100
	maxQuantity = 10_000
	maxText     = 64
)

// The steps of order.placed, in their order. Each is a listener of the sync
// signal; the first that returns an error ends the chain, and the library runs
// the undos of the steps before it, last first.

// validate refuses what makes no sense. Books that are closed (FromFile) say
// what they say: there only a number is needed.
func (s *Shop) validate(_ context.Context, o *Order) error {
	switch {
	case o.ID == "":
		return &FieldError{"id", "is missing"}
	case o.Source == FromFile:
		return nil
	case len(o.Customer) > maxText:
		return &FieldError{"customer", fmt.Sprintf("is longer than %d bytes", maxText)}
	case o.Country == "":
		return &FieldError{"country", "is missing"}
	case len(o.Country) > maxText:
		return &FieldError{"country", fmt.Sprintf("is longer than %d bytes", maxText)}
	case !cardNumber(o.Card):
		return &FieldError{"card", "must be 12 to 19 digits"}
	case len(o.Lines) == 0:
		return &FieldError{"lines", "must not be empty"}
	case len(o.Lines) > maxLines:
		return &FieldError{"lines", fmt.Sprintf("must not be more than %d", maxLines)}
	}
	for i, l := range o.Lines {
		switch {
		case l.Quantity < 1:
			return &FieldError{fmt.Sprintf("lines[%d].quantity", i), "must be at least 1"}
		case l.Quantity > maxQuantity:
			return &FieldError{fmt.Sprintf("lines[%d].quantity", i), fmt.Sprintf("must be at most %d", maxQuantity)}
		case l.Price.Sign() <= 0:
			return &FieldError{fmt.Sprintf("lines[%d].stock_code", i), "is not in the catalogue"}
		}
	}
	return nil
}

func cardNumber(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(s) >= 12 && len(s) <= 19
}

// reserve takes the goods from the shelves. Its undo puts them back.
func (s *Shop) reserve(_ context.Context, o *Order) (signals.Undo, error) {
	goods := o.Goods()
	if len(goods) == 0 {
		return nil, nil
	}
	if err := s.Stock.Reserve(goods); err != nil {
		return nil, err
	}
	return func(context.Context) error {
		s.Stock.Release(goods)
		return nil
	}, nil
}

// charge takes the money. Its undo pays it back; the library calls it with a
// context that is not cancelled, so that a customer who hangs up between
// payment and recording still gets the money back.
func (s *Shop) charge(ctx context.Context, o *Order) (signals.Undo, error) {
	due := total(o.Goods())
	if due.IsZero() {
		return nil, nil
	}
	receipt, err := s.payment.Charge(ctx, Charge{Order: o.ID, Card: o.Card, Amount: due})
	if err != nil {
		return nil, err
	}
	o.Receipt = receipt
	return func(ctx context.Context) error {
		return s.payment.Refund(ctx, Refund{Order: o.ID, Receipt: receipt, Amount: due})
	}, nil
}

// record is last: what it has written down is true, and nothing after it can
// fail.
func (s *Shop) record(ctx context.Context, o *Order) error {
	o.Card = "" // paid; nobody behind the chain needs it
	if err := s.Ledger.Record(ctx, *o); err != nil {
		return err
	}
	s.Books.AddOrder(o)
	return nil
}

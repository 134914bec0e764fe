package shop

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals"
)

// What can be wrong with an order or a cancellation. Callers tell them apart
// with errors.Is and errors.As: the library's *ListenerError unwraps to them.
var (
	ErrUnknownOrder     = errors.New("no such order")
	ErrAlreadyCancelled = errors.New("the order is already cancelled")
	ErrClosed           = errors.New("the shop is closed")
	ErrDuplicateOrder   = errors.New("an order with this number exists already")

	// ErrPaymentUnavailable: nobody could be asked. Nothing was charged, or it
	// is about to be paid back.
	ErrPaymentUnavailable = errors.New("no payment can be taken now")
)

// FieldError says which part of an order is wrong, in the words of the API.
type FieldError struct {
	Field   string // such as lines[2].quantity
	Problem string // such as "must be at least 1"
}

func (e *FieldError) Error() string { return e.Field + " " + e.Problem }

// OutOfStockError says what is missing. Nothing was reserved.
type OutOfStockError struct {
	Code       string
	Want, Have int64
}

func (e *OutOfStockError) Error() string {
	return fmt.Sprintf("out of stock: %d of %s wanted, %d left", e.Want, e.Code, e.Have)
}

// DeclinedError says that the payment was refused. Nothing was charged.
type DeclinedError struct {
	Amount Money
	Reason string
}

func (e *DeclinedError) Error() string {
	return fmt.Sprintf("payment of %s declined: %s", FormatMoney(e.Amount, 2), e.Reason)
}

// answers is an Around for the chains: what a customer is told is a veto, and
// no failure of the shop, so that a declined card wakes nobody.
func answers(ctx context.Context, _ *signals.ListenerInfo, next func(context.Context) error) error {
	err := next(ctx)
	if isAnswer(err) {
		return signals.Veto(err)
	}
	return err
}

// isAnswer reports whether err says no to a customer, in good order. A panic
// with such an error is none.
func isAnswer(err error) bool {
	if err == nil {
		return false
	}
	var (
		panicked *signals.PanicError
		field    *FieldError
		stock    *OutOfStockError
		declined *DeclinedError
	)
	return !errors.As(err, &panicked) &&
		(errors.As(err, &field) || errors.As(err, &stock) || errors.As(err, &declined) ||
			errors.Is(err, ErrUnknownOrder) || errors.Is(err, ErrAlreadyCancelled))
}

package durable

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"example.com/signals/eventstore"
	"example.com/signals/examples/internal/shop"
)

// Ledger is the shop's ledger over an event store. Record is the last step of the
// chain: when it has returned, the order is on the disk, and only then the customer
// and the departments are told. It keeps nothing in memory.
type Ledger struct {
	store  *eventstore.Store // set before the shop opens
	meter  *meter
	stored func(id string) // called when an order or a cancellation is on the disk; or nil
	failed func(error)     // called when the store cannot be written to
}

// region record

// Record implements shop.Ledger.
func (l *Ledger) Record(ctx context.Context, o shop.Order) error {
	d := eventstore.Draft{Stream: "order-" + o.ID, Value: accepted(&o)}
	if o.Source == shop.FromFile {
		return l.append(ctx, fromFile(d, o.ID, o.Span))
	}
	// No ID of its own: the store would take the same order once more for a retry
	// that has succeeded, and the shop would count it twice.
	return l.append(ctx, d, eventstore.ExpectVersion(d.Stream, 0))
}

// fromFile names the event of an invoice by where it is in the file: the same
// invoice cannot be there twice. An invoice that is in several places is several
// events in one stream.
func fromFile(d eventstore.Draft, no string, at shop.Span) eventstore.Draft {
	d.Stream, d.ID = "invoice-"+no, fmt.Sprintf("line-%d", at.First)
	return d
}

// append returns when the event is on the disk. A customer who hangs up meanwhile
// changes nothing.
func (l *Ledger) append(ctx context.Context, d eventstore.Draft, conds ...eventstore.Condition) error {
	ctx = context.WithoutCancel(ctx)
	event, err := l.store.Types().Encode(ctx, d)
	if err != nil {
		return err
	}
	end := l.meter.begin()
	_, err = l.store.Append(ctx, []eventstore.Event{event}, conds...)
	end()
	return l.told(cmp.Or(d.ID, d.Stream), err)
}

// endregion

// told says what became of an append, to those who want to know.
func (l *Ledger) told(id string, err error) error {
	if err == nil {
		if l.stored != nil {
			l.stored(id)
		}
		return nil
	}
	_, conflict := errors.AsType[*eventstore.ConflictError](err)
	_, duplicate := errors.AsType[*eventstore.DuplicateError](err)
	if conflict || duplicate {
		return fmt.Errorf("%w: %w", shop.ErrDuplicateOrder, err)
	}
	// Nobody knows what is on the disk, or nothing can be put there: a shop that
	// keeps what it accepts cannot go on.
	l.failed(err)
	return err
}

// entry is an order as its stream tells of it.
type entry struct {
	Accepted  *Accepted
	Claimed   bool
	Cancelled bool
}

// region claim

// orderModel is one order: all its events are in its stream.
func orderModel(id string) eventstore.Model[entry] {
	return eventstore.Model[entry]{
		Stream: "order-" + id,
		Fold: func(e entry, event any) entry {
			switch v := event.(type) {
			case Accepted:
				e.Accepted = &v
			case Cancelling:
				e.Claimed = true
			case Reopened:
				e.Claimed = false
			case Cancelled:
				e.Cancelled = true
			}
			return e
		},
	}
}

// Claim implements shop.Ledger. Of several who decide at the same time one
// succeeds; the others decide again, and see that.
func (l *Ledger) Claim(ctx context.Context, id string) (o shop.Order, err error) {
	err = l.decide(ctx, id, func(e entry) ([]any, error) {
		switch {
		case e.Accepted == nil:
			return nil, shop.ErrUnknownOrder
		case e.Claimed:
			return nil, shop.ErrAlreadyCancelled
		}
		o = e.Accepted.order()
		return []any{Cancelling{}}, nil
	})
	return o, err
}

// endregion

// Reopen implements shop.Ledger.
func (l *Ledger) Reopen(ctx context.Context, id string) error {
	return l.decide(ctx, id, func(e entry) ([]any, error) {
		switch {
		case e.Accepted == nil:
			return nil, shop.ErrUnknownOrder
		case !e.Claimed || e.Cancelled:
			return nil, nil
		}
		return []any{Reopened{}}, nil
	})
}

// RecordCancellation implements shop.Ledger.
func (l *Ledger) RecordCancellation(ctx context.Context, c shop.Cancellation) error {
	if c.Source == shop.FromFile {
		return l.append(ctx, fromFile(eventstore.Draft{Value: cancelled(&c)}, c.ID, c.Span))
	}
	err := l.decide(ctx, c.Order, func(e entry) ([]any, error) {
		if !e.Claimed || e.Cancelled {
			return nil, fmt.Errorf("order %s was not claimed for a cancellation, or is cancelled already", c.Order)
		}
		return []any{cancelled(&c)}, nil
	})
	if err == nil && l.stored != nil {
		l.stored("cancelled-" + c.Order)
	}
	return err
}

// decide appends to an order's stream what fn makes of the order.
func (l *Ledger) decide(ctx context.Context, id string, fn func(entry) ([]any, error)) error {
	end := l.meter.begin()
	defer end()
	var refusal error
	_, err := eventstore.Decide(context.WithoutCancel(ctx), l.store, orderModel(id), func(e entry) (events []any, err error) {
		events, refusal = fn(e)
		return events, refusal
	})
	if err != nil && refusal == nil {
		l.failed(err)
	}
	return err
}

// Find implements shop.Ledger.
func (l *Ledger) Find(ctx context.Context, id string) (shop.Entry, error) {
	e, _, err := eventstore.Load(ctx, l.store, orderModel(id))
	switch {
	case err != nil:
		return shop.Entry{}, err
	case e.Accepted == nil:
		return shop.Entry{}, shop.ErrUnknownOrder
	}
	return shop.Entry{Order: e.Accepted.order(), Cancelled: e.Claimed}, nil
}

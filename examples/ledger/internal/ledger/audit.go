package ledger

import (
	"context"
	"fmt"
	"maps"

	"example.com/signals/eventstore"
)

// Count is what the events say, counted without models, snapshots or projections.
type Count struct {
	Events      int
	Transferred int // requests that were granted
	Refused     int
	Cents       map[string]int64 // by account
	Answered    map[string]int   // by customer
	Erased      int              // events that nobody can read any more
}

// count reads every event up to head, and checks what must hold after each: the
// accounts of a customer together are not below zero, and each request has one
// answer, in turn.
func count(ctx context.Context, store *eventstore.Store, head eventstore.Position) (Count, error) {
	c := Count{Cents: map[string]int64{}, Answered: map[string]int{}}
	answer := func(r eventstore.Recorded, by string, number int, n *int) error {
		if by == "" {
			return nil // the bank's own
		}
		if c.Answered[by]++; c.Answered[by] != number {
			return fmt.Errorf("ledger: position %d answers request %d of customer %s: want %d", r.Position, number, by, c.Answered[by])
		}
		*n++
		return nil
	}
	for r, err := range store.Read(ctx, eventstore.All(), eventstore.Until(head)) {
		if err != nil {
			return c, err
		}
		c.Events++
		values, err := store.Types().Decode(ctx, r)
		if err != nil {
			return c, err
		}
		for _, v := range values {
			switch e := v.(type) {
			case Transferred:
				c.Cents[e.From] -= e.Cents
				c.Cents[e.To] += e.Cents
				customer := holder(e.From)
				if customer != bank && c.Cents[customer+"-checking"]+c.Cents[customer+"-savings"] < 0 {
					return c, fmt.Errorf("ledger: after position %d customer %s is overdrawn", r.Position, customer)
				}
				err = answer(r, e.By, e.Number, &c.Transferred)
			case Refused:
				err = answer(r, e.By, e.Number, &c.Refused)
			case eventstore.Erased:
				c.Erased++
			}
			if err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// compare checks that a book says what the events say, and that all of it
// together is zero.
func (c Count) compare(book string, b Books) error {
	var sum int64
	for _, cents := range b.Cents {
		sum += cents
	}
	switch {
	case sum != 0:
		return fmt.Errorf("ledger: the accounts of the book %q add up to %s: want 0", book, plural(sum, "cent"))
	case !maps.Equal(c.Cents, b.Cents):
		return fmt.Errorf("ledger: the book %q has %v, the events say %v", book, b.Cents, c.Cents)
	}
	return nil
}

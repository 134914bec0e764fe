package durable

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"example.com/signals/eventstore"
	"example.com/signals/examples/internal/shop"
)

// each calls fn with every event of a shop up to head, in their order, decoded.
func each(ctx context.Context, store *eventstore.Store, head eventstore.Position, fn func(r eventstore.Recorded, event any) error) error {
	if head == 0 {
		return nil
	}
	for r, err := range store.Read(ctx, eventstore.All(), eventstore.Until(head)) {
		if err != nil {
			return err
		}
		values, err := store.Types().Decode(ctx, r)
		if errors.Is(err, eventstore.ErrUnknownType) {
			return fmt.Errorf("the store is not one of this shop: the event at position %d is of the type %q; give another directory", r.Position, r.Type)
		}
		if err != nil {
			return err
		}
		for _, v := range values {
			if err := fn(r, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// history is what earlier runs have left in a store.
type history struct {
	Head   eventstore.Position
	Orders int // and cancellations
	Lines  int
	Pieces []piece  // of a file; by where they begin in it
	Live   int      // events of a live shop
	Cut    []string // orders whose cancellation was begun and not finished
}

// piece is an invoice in the file that the store has.
type piece struct {
	shop.Span
	no  string
	sum uint64 // of all that is in it
}

// restore lets the shop take in all that the store has.
func restore(ctx context.Context, store *eventstore.Store, s *shop.Shop) (h history, err error) {
	if h.Head, err = store.Head(ctx); err != nil {
		return h, err
	}
	claimed := map[string]bool{} // by stream
	take := func(v *Invoice) {
		h.Orders++
		h.Lines += len(v.Lines)
		if v.Source == shop.FromFile {
			h.Pieces = append(h.Pieces, piece{v.span(), v.No, sum(v.No, v.Customer, v.Country, v.Time.Unix(), v.lines())})
		} else {
			h.Live++
		}
	}
	err = each(ctx, store, h.Head, func(r eventstore.Recorded, event any) error {
		switch e := event.(type) {
		case Accepted:
			take(&e.Invoice)
			s.Restore(ctx, e.order())
		case Cancelled:
			take(&e.Invoice)
			s.RestoreCancellation(ctx, e.cancellation())
			delete(claimed, r.Stream)
		case Cancelling:
			claimed[r.Stream] = true
		case Reopened:
			delete(claimed, r.Stream)
		case Opened:
			h.Live++
		}
		return nil
	})
	for stream := range claimed {
		h.Cut = append(h.Cut, stream[len("order-"):])
	}
	slices.Sort(h.Cut)
	slices.SortFunc(h.Pieces, func(a, b piece) int { return a.First - b.First })
	return h, err
}

// seed makes sums of this process, which nobody can aim at.
var seed = maphash.MakeSeed()

// sum is the same for the same invoice, and by chance alone for another.
func sum(no, customer, country string, unix int64, lines []shop.Line) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	add := func(texts ...string) {
		for _, text := range texts {
			_, _ = h.WriteString(text)
			_ = h.WriteByte(0)
		}
	}
	add(no, customer, country)
	maphash.WriteComparable(&h, unix)
	for _, l := range lines {
		add(l.Code, l.Description, l.Price.String())
		maphash.WriteComparable(&h, l.Quantity)
	}
	return h.Sum64()
}

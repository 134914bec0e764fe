package durable

import (
	"context"
	"fmt"
	"slices"

	"example.com/signals/eventstore"
	"example.com/signals/examples/internal/shop"
)

// count adds up every event up to head, as if there were neither shop nor read
// model, and checks that no line of a file is in two of them.
func count(ctx context.Context, store *eventstore.Store, head eventstore.Position) (shop.Totals, error) {
	books := shop.NewBooks()
	var spans []shop.Span
	err := each(ctx, store, head, func(_ eventstore.Recorded, event any) error {
		switch e := event.(type) {
		case Accepted:
			o := e.order()
			books.AddOrder(&o)
			spans = append(spans, o.Span)
		case Cancelled:
			c := e.cancellation()
			books.AddCancellation(&c)
			spans = append(spans, c.Span)
		}
		return nil
	})
	if err != nil {
		return shop.Totals{}, err
	}
	spans = slices.DeleteFunc(spans, func(s shop.Span) bool { return s == shop.Span{} })
	slices.SortFunc(spans, func(a, b shop.Span) int { return a.First - b.First })
	for i := range spans[:max(len(spans)-1, 0)] {
		if spans[i].Last >= spans[i+1].First {
			return shop.Totals{}, fmt.Errorf("line %d of the file is in the store twice", spans[i+1].First)
		}
	}
	return books.Totals(), nil
}

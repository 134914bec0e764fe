package shop

import "context"

// Restore takes in an order that an earlier run of this shop has accepted: the
// books and the departments learn of it. Nobody is asked, nothing is paid, and
// the ledger has it already.
func (s *Shop) Restore(ctx context.Context, o Order) {
	s.Books.AddOrder(&o)
	s.tell(ctx, &o)
}

// RestoreCancellation is the same for a cancellation.
func (s *Shop) RestoreCancellation(ctx context.Context, c Cancellation) {
	s.Books.AddCancellation(&c)
	s.tellCancelled(ctx, &c)
}

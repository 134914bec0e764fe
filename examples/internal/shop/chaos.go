package shop

import (
	"context"
	"time"

	"example.com/signals"
)

// Chaos adds two listeners to order.accepted that misbehave: one that never
// returns and one that is too slow for the orders. They can delay nobody, and
// the inspector finds them.
//
// Both have MaxLag. Without it what waits for them would fill the signal's
// Capacity after a few minutes, and then orders would wait. Both are Cancellable:
// to be removed ends their calls, so that the shop can close in good order.
type Chaos struct{ scope signals.Scope }

// slowly is how long the slow listener takes for an order.
const slowly = 150 * time.Millisecond

// chaosLag is how many orders may wait for one of them.
const chaosLag = 1000

// StartChaos registers the two.
func StartChaos(s *Shop) *Chaos {
	c := &Chaos{}
	sig := s.Signals.Accepted
	few, in := signals.MaxLag(chaosLag, signals.DropOldest), signals.In(&c.scope)
	sig.Subscribe(c.checkFraud, signals.Key("fraud-check"), few, in, signals.Cancellable())
	sig.Subscribe(c.recommend, signals.Key("recommendations"), few, in, signals.Cancellable())
	return c
}

// checkFraud asks somebody who never answers.
func (c *Chaos) checkFraud(ctx context.Context, _ Order) error {
	<-ctx.Done()
	return nil
}

// recommend thinks about what else the customer might like.
func (c *Chaos) recommend(ctx context.Context, _ Order) error {
	timer := time.NewTimer(slowly)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}

// Release removes the two and returns when neither runs any more, or with an
// error when ctx ends first.
func (c *Chaos) Release(ctx context.Context) error { return c.scope.Close(ctx) }

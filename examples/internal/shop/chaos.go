package shop

import (
	"context"
	"sync"
	"time"

	"example.com/signals"
)

// Chaos adds two listeners to order.accepted that misbehave: one that never
// returns and one that is too slow for the orders. They can delay nobody, and
// the inspector finds them.
//
// Both have MaxLag. Without it what waits for them would fill the signal's
// Capacity after a few minutes, and then orders would wait.
type Chaos struct {
	released chan struct{}
	once     sync.Once
}

// slowly is how long the slow listener takes for an order.
const slowly = 150 * time.Millisecond

// chaosLag is how many orders may wait for one of them.
const chaosLag = 1000

// StartChaos registers the two.
func StartChaos(s *Shop) *Chaos {
	c := &Chaos{released: make(chan struct{})}
	s.Signals.Accepted.Subscribe(c.checkFraud, signals.Key("fraud-check"), signals.MaxLag(chaosLag, signals.DropOldest))
	s.Signals.Accepted.Subscribe(c.recommend, signals.Key("recommendations"), signals.MaxLag(chaosLag, signals.DropOldest))
	return c
}

// checkFraud asks somebody who never answers.
func (c *Chaos) checkFraud(context.Context, Order) error {
	<-c.released
	return nil
}

// recommend thinks about what else the customer might like.
func (c *Chaos) recommend(context.Context, Order) error {
	timer := time.NewTimer(slowly)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.released:
	}
	return nil
}

// Release ends the misbehaviour, so that the shop can close in good order.
func (c *Chaos) Release() { c.once.Do(func() { close(c.released) }) }

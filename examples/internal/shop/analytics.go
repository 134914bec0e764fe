package shop

import (
	"context"
	"sync"
)

// UserRegistered says that a customer was seen for the first time.
type UserRegistered struct {
	Customer string
	Country  string
}

// Analytics is the department that knows the customers.
type Analytics struct {
	handled *Latency

	mu         sync.Mutex
	orders     int64 // guarded by mu, as all below
	returns    int64
	registered int64
	anonymous  int // lines without a customer
	revenue    Money
	customers  set
}

func newAnalytics(handled *Latency) *Analytics {
	return &Analytics{handled: handled, customers: set{}}
}

// OnOrder listens to order.accepted.
func (d *Analytics) OnOrder(_ context.Context, o Order) error {
	defer d.handled.Since(o.Accepted)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.orders++
	d.addLocked(o.Customer, o.Lines)
	return nil
}

// OnCancellation listens to order.cancelled.
func (d *Analytics) OnCancellation(_ context.Context, c Cancellation) error {
	defer d.handled.Since(c.Accepted)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.returns++
	d.addLocked(c.Customer, c.Lines)
	return nil
}

// OnUserRegistered listens to user.registered.
func (d *Analytics) OnUserRegistered(context.Context, UserRegistered) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.registered++
	return nil
}

// addLocked must be called with mu held.
func (d *Analytics) addLocked(customer string, lines []Line) {
	if customer == "" {
		d.anonymous += len(lines)
	} else {
		d.customers.add(customer)
	}
	d.revenue = d.revenue.Add(total(lines))
}

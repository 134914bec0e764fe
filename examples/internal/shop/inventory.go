package shop

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// Inventory is the department that knows what sells. It orders from the
// supplier when a shelf is nearly empty.
type Inventory struct {
	stock   *Stock
	restock int64 // pieces per delivery; 0: no supplier
	audit   func(context.Context, AuditEntry)
	handled *Latency

	// Two signals, two listeners: OnOrder and OnCancellation may run at the
	// same time, though neither runs twice at a time.
	mu       sync.Mutex
	orders   int64
	returns  int64
	pieces   int64
	products map[string]*Sales // by stock code
}

// Sales are what was sold under one name, less what came back.
type Sales struct {
	Name    string
	Pieces  int64
	Revenue Money
}

func newInventory(stock *Stock, restock int64, audit func(context.Context, AuditEntry), handled *Latency) *Inventory {
	return &Inventory{stock: stock, restock: restock, audit: audit, handled: handled, products: map[string]*Sales{}}
}

// OnOrder listens to order.accepted.
func (d *Inventory) OnOrder(ctx context.Context, o Order) error {
	defer d.handled.Since(o.Accepted)
	d.mu.Lock()
	d.orders++
	d.addLocked(o.Lines)
	d.mu.Unlock()

	if d.restock > 0 {
		d.refill(ctx, o.Lines)
	}
	return nil
}

// OnCancellation listens to order.cancelled.
func (d *Inventory) OnCancellation(_ context.Context, c Cancellation) error {
	defer d.handled.Since(c.Accepted)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.returns++
	d.addLocked(c.Lines)
	return nil
}

// refill asks the supplier for what is nearly out: less than half a delivery.
func (d *Inventory) refill(ctx context.Context, lines []Line) {
	for _, l := range lines {
		if left := d.stock.Level(l.Code); left < d.restock/2 {
			d.stock.Release([]Line{{Code: l.Code, Quantity: d.restock}})
			d.audit(ctx, AuditEntry{"stock.delivered", l.Code, fmt.Sprintf("%d left, %d delivered", left, d.restock)})
		}
	}
}

// addLocked must be called with mu held.
func (d *Inventory) addLocked(lines []Line) {
	for _, l := range lines {
		p := d.products[l.Code]
		if p == nil {
			p = &Sales{}
			d.products[strings.Clone(l.Code)] = p
		}
		if p.Name == "" {
			p.Name = strings.Clone(l.Description) // the books have some without
		}
		p.Pieces += l.Quantity
		p.Revenue = p.Revenue.Add(l.Amount())
		d.pieces += l.Quantity
	}
}

// Products returns the sales by stock code.
func (d *Inventory) Products() map[string]Sales {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[string]Sales, len(d.products))
	for code, p := range d.products {
		out[code] = *p
	}
	return out
}

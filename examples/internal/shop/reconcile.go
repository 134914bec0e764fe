package shop

import "fmt"

// DepartmentTotals are the figures that the departments have added up on the
// async path, each its own share. They are complete after Close.
func (s *Shop) DepartmentTotals() Totals {
	var t Totals
	s.Inventory.report(&t)
	s.Analytics.report(&t)
	s.Auditor.report(&t)
	return t
}

func (d *Inventory) report(t *Totals) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.Quantity, t.Codes = d.pieces, len(d.products)
}

func (d *Analytics) report(t *Totals) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.Anonymous, t.Customers, t.Revenue = d.anonymous, len(d.customers), d.revenue
}

func (d *Auditor) report(t *Totals) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t.Lines, t.Unpriced, t.Invoices, t.Cancellations = d.lines, d.unpriced, len(d.invoices), len(d.cancelled)
}

// Handled is what one department has handled.
type Handled struct {
	Department            string
	Orders, Cancellations int64
}

// HandledBy returns what each department has handled.
func (s *Shop) HandledBy() []Handled {
	d := func(name string, count func() (int64, int64)) Handled {
		orders, cancellations := count()
		return Handled{name, orders, cancellations}
	}
	return []Handled{
		d("inventory", s.Inventory.handledCount), d("shipping", s.Shipping.handledCount),
		d("analytics", s.Analytics.handledCount), d("audit", s.Auditor.handledCount),
	}
}

func (d *Inventory) handledCount() (orders, cancellations int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.orders, d.returns
}

func (d *Shipping) handledCount() (orders, cancellations int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.parcels, d.recalled
}

func (d *Analytics) handledCount() (orders, cancellations int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.orders, d.returns
}

func (d *Auditor) handledCount() (orders, cancellations int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.orders, d.returns
}

// Reconcile holds what the sync path has done against what the departments
// know and returns every difference: none, if nothing was lost on the way. It
// is for a shop that is closed.
func (s *Shop) Reconcile() []string {
	diff := s.Books.Totals().Diff(s.DepartmentTotals())
	orders, cancellations := s.Orders(), s.Cancellations()
	expect := func(what string, got, want int64) {
		if got != want {
			diff = append(diff, fmt.Sprintf("%s: %d, want %d", what, got, want))
		}
	}
	for _, h := range s.HandledBy() {
		expect("orders handled by "+h.Department, h.Orders, orders)
		expect("cancellations handled by "+h.Department, h.Cancellations, cancellations)
	}
	// Emissions from inside a listener count too: these two went on from one
	// async signal to the next.
	expect("orders in the journal", s.Journal.Count("order.accepted"), orders)
	expect("cancellations in the journal", s.Journal.Count("order.cancelled"), cancellations)
	expect("customers registered", s.Analytics.registeredCount(), int64(s.Books.Totals().Customers))

	payments := s.PaymentCounts()
	expect("dead letters settled", payments.Settled, payments.Dead)

	var byCountry, byProduct Money
	for _, c := range s.Shipping.Countries() {
		byCountry = byCountry.Add(c.Revenue)
	}
	for _, p := range s.Inventory.Products() {
		byProduct = byProduct.Add(p.Revenue)
	}
	for what, sum := range map[string]Money{"revenue by country": byCountry, "revenue by product": byProduct} {
		if want := s.Books.Totals().Revenue; !sum.Equal(want) {
			diff = append(diff, fmt.Sprintf("%s: %v, want %v", what, sum, want))
		}
	}
	return diff
}

func (d *Analytics) registeredCount() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.registered
}

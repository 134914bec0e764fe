package shop

import (
	"fmt"
	"strings"
	"sync"
)

// Totals are the figures that the books and the departments must agree on.
type Totals struct {
	Lines         int   // invoice lines
	Unpriced      int   // of them, lines priced at zero or below
	Anonymous     int   // of them, lines without a customer
	Invoices      int   // distinct numbers, cancellations among them
	Cancellations int   // distinct numbers
	Customers     int   // distinct
	Codes         int   // distinct stock codes
	Quantity      int64 // sum of the quantities
	Revenue       Money // sum of quantity times price
}

// Diff names every figure in which t and other differ.
func (t Totals) Diff(other Totals) []string {
	var diff []string
	compare := func(what string, a, b any, equal bool) {
		if !equal {
			diff = append(diff, fmt.Sprintf("%s: %v and %v", what, a, b))
		}
	}
	compare("lines", t.Lines, other.Lines, t.Lines == other.Lines)
	compare("lines priced at zero or below", t.Unpriced, other.Unpriced, t.Unpriced == other.Unpriced)
	compare("lines without a customer", t.Anonymous, other.Anonymous, t.Anonymous == other.Anonymous)
	compare("invoices", t.Invoices, other.Invoices, t.Invoices == other.Invoices)
	compare("cancellations", t.Cancellations, other.Cancellations, t.Cancellations == other.Cancellations)
	compare("customers", t.Customers, other.Customers, t.Customers == other.Customers)
	compare("stock codes", t.Codes, other.Codes, t.Codes == other.Codes)
	compare("quantity", t.Quantity, other.Quantity, t.Quantity == other.Quantity)
	compare("revenue", t.Revenue, other.Revenue, t.Revenue.Equal(other.Revenue))
	return diff
}

// Books add up everything on the sync path, as the last step of both chains.
// The departments add up their share on the async path; a run ends by holding
// the two against each other.
type Books struct {
	mu        sync.Mutex
	totals    Totals // the distinct counts stay zero here; guarded by mu
	invoices  set    // guarded by mu
	cancelled set    // guarded by mu
	customers set    // guarded by mu
	codes     set    // guarded by mu
}

// NewBooks are empty.
func NewBooks() *Books {
	return &Books{invoices: set{}, cancelled: set{}, customers: set{}, codes: set{}}
}

// AddOrder enters an order.
func (b *Books) AddOrder(o *Order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addLocked(o.ID, o.Customer, o.Lines)
}

// AddCancellation enters a cancellation.
func (b *Books) AddCancellation(c *Cancellation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cancelled.add(c.ID)
	b.addLocked(c.ID, c.Customer, c.Lines)
}

// addLocked must be called with mu held.
func (b *Books) addLocked(id, customer string, lines []Line) {
	t := &b.totals
	b.invoices.add(id)
	if customer != "" {
		b.customers.add(customer)
	} else {
		t.Anonymous += len(lines)
	}
	t.Lines += len(lines)
	for _, l := range lines {
		b.codes.add(l.Code)
		t.Quantity += l.Quantity
		t.Revenue = t.Revenue.Add(l.Amount())
		if l.Price.Sign() <= 0 {
			t.Unpriced++
		}
	}
}

// Totals of everything entered so far.
func (b *Books) Totals() Totals {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.totals
	t.Invoices, t.Cancellations = len(b.invoices), len(b.cancelled)
	t.Customers, t.Codes = len(b.customers), len(b.codes)
	return t
}

// set is a set of short strings.
type set map[string]struct{}

// add reports whether key is new.
func (s set) add(key string) bool {
	if _, ok := s[key]; ok {
		return false
	}
	// A copy: key may be a piece of a whole line of a file, and would keep it.
	s[strings.Clone(key)] = struct{}{}
	return true
}

package cluster

import (
	"strings"
	"time"

	"example.com/signals/examples/internal/shop"
)

// Order is what the event of an order says, and so what the signals carry in
// all three processes. A number that begins with C is a cancellation.
type Order struct {
	No       string    `json:"no"`
	Customer string    `json:"customer,omitempty"` // empty: a guest
	Country  string    `json:"country"`
	Time     time.Time `json:"time"`
	Lines    []Line    `json:"lines"`
}

// Line is one position of an Order; of a cancellation the quantity is negative.
type Line struct {
	Code     string     `json:"code"`
	Quantity int64      `json:"quantity"`
	Price    shop.Money `json:"price"` // of one piece
}

// orderOf leaves out what nobody here needs.
func orderOf(v *shop.Invoice) Order {
	o := Order{No: v.No, Customer: v.Customer, Country: v.Country, Time: v.Time, Lines: make([]Line, len(v.Lines))}
	for i, l := range v.Lines {
		o.Lines[i] = Line{l.Code, l.Quantity, l.Price}
	}
	return o
}

// Cancels reports whether it is a cancellation.
func (o *Order) Cancels() bool { return strings.HasPrefix(o.No, "C") }

// Kind is the type of the event.
func (o *Order) Kind() string {
	if o.Cancels() {
		return "cancelled"
	}
	return "placed"
}

// Stream is that of the customer. What happens to one customer is handled in the
// order in which it happened; what happens to two need not be.
func (o *Order) Stream() string {
	if o.Customer == "" {
		return "guest-" + strings.TrimPrefix(o.No, "C")
	}
	return "customer-" + o.Customer
}

// lines are the lines as the shop has them.
func (o *Order) lines() []shop.Line {
	lines := make([]shop.Line, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = shop.Line{Code: l.Code, Quantity: l.Quantity, Price: l.Price}
	}
	return lines
}

// pieces are what leaves the shop, and what comes back; not what is only entered
// in the books, such as a correction.
func (o *Order) pieces() (sent, returned int64) {
	if o.Cancels() {
		c := shop.Cancellation{Lines: o.lines()}
		for _, l := range c.Returned() {
			returned += l.Quantity
		}
		return 0, returned
	}
	placed := shop.Order{Lines: o.lines()}
	for _, l := range placed.Goods() {
		sent += l.Quantity
	}
	return sent, 0
}

// Totals are what everybody must agree on.
type Totals struct {
	Orders   int   // events: orders and cancellations
	Sent     int64 // pieces
	Returned int64
	shop.Totals
}

// tally adds orders up in memory: what the stores must come to, whatever is
// killed on the way.
type tally struct {
	totals Totals
	books  *shop.Books
}

func newTally() *tally { return &tally{books: shop.NewBooks()} }

func (t *tally) add(o *Order) {
	t.totals.Orders++
	sent, returned := o.pieces()
	t.totals.Sent += sent
	t.totals.Returned += returned
	if o.Cancels() {
		t.books.AddCancellation(&shop.Cancellation{ID: o.No, Customer: o.Customer, Lines: o.lines()})
	} else {
		t.books.AddOrder(&shop.Order{ID: o.No, Customer: o.Customer, Lines: o.lines()})
	}
}

func (t *tally) sum() Totals {
	all := t.totals
	all.Totals = t.books.Totals()
	return all
}

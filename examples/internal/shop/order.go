package shop

import "time"

// Order is what a customer wants, and after the chain what the shop has promised.
//
// The chain order.placed works on a pointer, because each step completes the
// order; the fan-out order.accepted carries copies, because its listeners run
// at the same time and share nothing.
type Order struct {
	ID       string
	Source   Source
	Customer string // empty: a guest
	Country  string
	Card     string
	Time     time.Time // the date on the invoice
	Lines    []Line    // never changed once the order is in the chain
	Span     Span      // of one FromFile

	Receipt  string    // set by the step "payment"
	Accepted time.Time // set when the chain has succeeded: emit-to-handled is measured from here
}

// Source says where an order comes from.
type Source int

// The sources of orders.
const (
	FromAPI       Source = iota // a client of the HTTP API
	FromGenerator               // the seeded generator
	FromFile                    // a replay of books that are closed
)

// Span is where something is in a file: its first and its last line, from 1.
type Span struct{ First, Last int }

// Line is one position of an order. A cancellation has negative quantities.
type Line struct {
	Code        string // stock code
	Description string
	Quantity    int64
	Price       Money // of one piece
}

// Amount is quantity times price, exactly.
func (l Line) Amount() Money { return l.Price.Mul(Units(l.Quantity)) }

// Adjustment reports whether an order's line is bookkeeping (a give-away, a
// correction, bad debt) and not goods: it is recorded, but nobody pays for it
// and nothing leaves the shelf.
func (l Line) Adjustment() bool { return l.Quantity <= 0 || l.Price.Sign() <= 0 }

// Total is the sum over all lines.
func (o *Order) Total() Money { return total(o.Lines) }

// Goods are the lines to reserve and to pay for: all but the adjustments.
func (o *Order) Goods() []Line {
	for i, l := range o.Lines {
		if !l.Adjustment() {
			continue
		}
		// Rare enough to copy only when there is something to leave out.
		goods := append([]Line(nil), o.Lines[:i]...)
		for _, l := range o.Lines[i+1:] {
			if !l.Adjustment() {
				goods = append(goods, l)
			}
		}
		return goods
	}
	return o.Lines
}

// Cancellation takes an order back. One from a file stands for itself: the
// books do not say which order it undoes.
type Cancellation struct {
	ID       string // the order's ID with a C in front, as the books have it
	Order    string // the cancelled order; empty for one from a file
	Source   Source
	Customer string
	Country  string
	Time     time.Time
	Lines    []Line // quantities negative
	Span     Span   // of one FromFile

	Receipt  string
	Accepted time.Time
}

// Total is the sum over all lines; negative.
func (c *Cancellation) Total() Money { return total(c.Lines) }

// Returned are the goods that come back, with positive quantities.
func (c *Cancellation) Returned() []Line {
	var back []Line
	for _, l := range c.Lines {
		if l.Quantity < 0 && l.Price.Sign() > 0 {
			l.Quantity = -l.Quantity
			back = append(back, l)
		}
	}
	return back
}

// reversal is the cancellation of o: what was paid for comes back.
func (o *Order) reversal() Cancellation {
	goods := o.Goods()
	lines := make([]Line, len(goods))
	for i, l := range goods {
		l.Quantity = -l.Quantity
		lines[i] = l
	}
	return Cancellation{
		ID: "C" + o.ID, Order: o.ID, Source: o.Source, Customer: o.Customer, Country: o.Country,
		Time: o.Time, Lines: lines, Receipt: o.Receipt,
	}
}

func total(lines []Line) Money {
	var sum Money
	for _, l := range lines {
		sum = sum.Add(l.Amount())
	}
	return sum
}

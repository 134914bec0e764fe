package durable

import (
	"time"

	"example.com/signals/eventstore"
	"example.com/signals/examples/internal/shop"
)

// region events

// Accepted is an order that the shop has accepted, whole: all its lines are on the
// disk, or none.
type Accepted struct{ Invoice }

// Cancelling claims an order for one who cancels it, before money moves.
type Cancelling struct{}

// Reopened gives up that claim.
type Reopened struct{}

// Cancelled is a cancellation. One from a file stands for itself.
type Cancelled struct{ Invoice }

// Opened says that the live shop has opened. Its version in the stream "shop" is in
// the numbers of the orders that follow.
type Opened struct{}

// endregion

// Invoice is what an order and a cancellation have in common.
type Invoice struct {
	No       string      `json:"no"`
	Source   shop.Source `json:"source"`
	Customer string      `json:"customer,omitempty"`
	Country  string      `json:"country,omitempty"`
	Time     time.Time   `json:"time"`
	Receipt  string      `json:"receipt,omitempty"`
	Cancels  string      `json:"cancels,omitempty"` // the number of an order
	First    int         `json:"first,omitempty"`   // line of the file, of one from a file
	Last     int         `json:"last,omitempty"`
	Lines    []Line      `json:"lines"`
}

// Line is a line of an Invoice.
type Line struct {
	Code        string     `json:"code"`
	Description string     `json:"text,omitempty"`
	Quantity    int64      `json:"n"`
	Price       shop.Money `json:"price"` // exact: a decimal number in a string
}

// types are those of the events in a shop's store.
func types() *eventstore.Registry {
	types := eventstore.NewRegistry()
	eventstore.Register[Accepted](types, "order.accepted")
	eventstore.Register[Cancelling](types, "order.cancelling")
	eventstore.Register[Reopened](types, "order.reopened")
	eventstore.Register[Cancelled](types, "order.cancelled")
	eventstore.Register[Opened](types, "shop.opened")
	return types
}

func accepted(o *shop.Order) Accepted {
	return Accepted{Invoice{
		No: o.ID, Source: o.Source, Customer: o.Customer, Country: o.Country, Time: o.Time, Receipt: o.Receipt,
		First: o.Span.First, Last: o.Span.Last, Lines: linesOf(o.Lines),
	}}
}

func cancelled(c *shop.Cancellation) Cancelled {
	return Cancelled{Invoice{
		No: c.ID, Source: c.Source, Customer: c.Customer, Country: c.Country, Time: c.Time, Receipt: c.Receipt, Cancels: c.Order,
		First: c.Span.First, Last: c.Span.Last, Lines: linesOf(c.Lines),
	}}
}

func linesOf(from []shop.Line) []Line {
	lines := make([]Line, len(from))
	for i, l := range from {
		lines[i] = Line(l)
	}
	return lines
}

func (v *Invoice) lines() []shop.Line {
	lines := make([]shop.Line, len(v.Lines))
	for i, l := range v.Lines {
		lines[i] = shop.Line(l)
	}
	return lines
}

func (v *Invoice) span() shop.Span { return shop.Span{First: v.First, Last: v.Last} }

// order is the order that was accepted.
func (e Accepted) order() shop.Order {
	return shop.Order{
		ID: e.No, Source: e.Source, Customer: e.Customer, Country: e.Country, Time: e.Time, Receipt: e.Receipt,
		Span: e.span(), Lines: e.lines(),
	}
}

// cancellation is the cancellation that was recorded.
func (e Cancelled) cancellation() shop.Cancellation {
	return shop.Cancellation{
		ID: e.No, Order: e.Cancels, Source: e.Source, Customer: e.Customer, Country: e.Country, Time: e.Time, Receipt: e.Receipt,
		Span: e.span(), Lines: e.lines(),
	}
}

package cluster

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/shop"
)

// Load is what is replayed: orders, the same ones each time, in the same order.
type Load struct {
	File   string `json:"file,omitempty"`   // with the columns of UCI Online Retail
	Orders int    `json:"orders,omitempty"` // without a file, so many are invented
}

// String says what it is.
func (l Load) String() string {
	if l.File != "" {
		return l.File
	}
	return english.Plural(l.Orders, "invented order")
}

// All gives the orders; an error is the last that comes.
func (l Load) All() iter.Seq2[Order, error] {
	if l.File != "" {
		return l.read
	}
	return func(yield func(Order, error) bool) {
		invent := newInventor()
		for range l.Orders {
			if !yield(invent.next(), nil) {
				return
			}
		}
	}
}

// read takes a file that is right in every row: what is skipped in one process
// and not in another is in no total.
func (l Load) read(yield func(Order, error) bool) {
	in, err := shop.OpenInput(l.File)
	if err != nil {
		yield(Order{}, err)
		return
	}
	defer in.Close()
	rows, err := shop.NewRowReader(in)
	if err != nil {
		yield(Order{}, in.Explain(err))
		return
	}
	var group shop.Invoices
	for {
		row, err := rows.Next()
		var bad *shop.RowError
		switch {
		case errors.As(err, &bad):
			yield(Order{}, fmt.Errorf("%s: %w", l.File, bad))
			return
		case errors.Is(err, io.EOF):
			if v := group.Flush(); v != nil {
				yield(orderOf(v), nil)
			}
			return
		case err != nil:
			yield(Order{}, in.Explain(err))
			return
		}
		if v := group.Add(row); v != nil && !yield(orderOf(v), nil) {
			return
		}
	}
}

// inventor makes orders up, and some cancellations of them.
type inventor struct {
	customers *shop.Generator
	at        time.Time
	placed    map[string]*shop.Order
}

func newInventor() *inventor {
	return &inventor{shop.NewGenerator(1), time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC), map[string]*shop.Order{}}
}

func (g *inventor) next() Order {
	g.at = g.at.Add(time.Minute)
	a := g.customers.Next(g.at)
	if a.Order != nil {
		g.placed[a.Order.ID] = a.Order
		return orderOf(&shop.Invoice{
			No: a.Order.ID, Customer: a.Order.Customer, Country: a.Order.Country, Time: g.at, Lines: a.Order.Lines,
		})
	}
	old := g.placed[a.Cancel]
	delete(g.placed, a.Cancel)
	back := shop.Invoice{No: "C" + old.ID, Customer: old.Customer, Country: old.Country, Time: g.at}
	for _, l := range old.Lines {
		l.Quantity = -l.Quantity
		back.Lines = append(back.Lines, l)
	}
	return orderOf(&back)
}

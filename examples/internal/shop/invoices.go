package shop

import (
	"strings"
	"time"
)

// maxInvoiceLines bounds what one emission carries. A longer invoice goes on
// in the next one, as an invoice that appears again later does anyway.
const maxInvoiceLines = 5000

// Invoice is a run of rows with one number, customer and country.
type Invoice struct {
	No       string
	Customer string
	Country  string
	Time     time.Time // of its first row
	Lines    []Line
	Span     Span // from its first to its last row
}

// Cancels reports whether the books mark this invoice as a cancellation.
func (v *Invoice) Cancels() bool { return strings.HasPrefix(v.No, "C") }

// Order is the invoice as an order from a file.
func (v *Invoice) Order() Order {
	return Order{ID: v.No, Source: FromFile, Customer: v.Customer, Country: v.Country, Time: v.Time, Lines: v.Lines, Span: v.Span}
}

// Cancellation is the invoice as a cancellation from a file.
func (v *Invoice) Cancellation() Cancellation {
	return Cancellation{ID: v.No, Source: FromFile, Customer: v.Customer, Country: v.Country, Time: v.Time, Lines: v.Lines, Span: v.Span}
}

// Invoices groups rows as they come. It holds one invoice, never the file.
type Invoices struct {
	open *Invoice
}

// Add takes a row and returns the invoice that it completes by not being part
// of it, or nil.
func (g *Invoices) Add(row Row) (done *Invoice) {
	if v := g.open; v != nil && v.No == row.Invoice && v.Customer == row.Customer && v.Country == row.Country &&
		len(v.Lines) < maxInvoiceLines {
		v.Lines = append(v.Lines, row.Item)
		v.Span.Last = row.Line
		return nil
	}
	done = g.open
	g.open = &Invoice{
		No: row.Invoice, Customer: row.Customer, Country: row.Country, Time: row.Time,
		Lines: []Line{row.Item}, Span: Span{row.Line, row.Line},
	}
	return done
}

// Flush returns the last invoice, or nil.
func (g *Invoices) Flush() *Invoice {
	done := g.open
	g.open = nil
	return done
}

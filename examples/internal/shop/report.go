package shop

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"example.com/signals/examples/internal/english"
)

// topN is how many countries and products a summary lists.
const topN = 5

// WriteSummary prints what the shop has done. Whether everybody agrees is
// known only once the shop is closed, so only then (final) it is said.
func (s *Shop) WriteSummary(w io.Writer, final bool) (agreed bool) {
	books := s.Books.Totals()
	dept := s.DepartmentTotals()

	table(w, func(row func(cells ...string)) {
		row("", "sync path", "departments")
		figure := func(name string, a, b int64) { row(name, english.Group(a), english.Group(b)) }
		count := func(name string, a, b int) { figure(name, int64(a), int64(b)) }
		count("lines", books.Lines, dept.Lines)
		count("distinct invoices", books.Invoices, dept.Invoices)
		count("  of them cancellations", books.Cancellations, dept.Cancellations)
		count("distinct customers", books.Customers, dept.Customers)
		count("lines without a customer", books.Anonymous, dept.Anonymous)
		count("distinct stock codes", books.Codes, dept.Codes)
		count("lines priced at zero or below", books.Unpriced, dept.Unpriced)
		figure("quantity", books.Quantity, dept.Quantity)
		row("revenue", FormatMoney(books.Revenue, 3), FormatMoney(dept.Revenue, 3))
	})

	writeTop(w, "country", s.Shipping.Countries())
	writeTop(w, "product", s.Inventory.Products())
	s.writeSignals(w)
	s.writeLatencies(w)
	s.writePayments(w)
	if !final {
		return true
	}

	diff := s.Reconcile()
	if len(diff) == 0 {
		fmt.Fprintf(w, "\nnothing lost: %s and %s, each handled by %s; all totals agree\n",
			english.Plural(s.Orders(), "order"), english.Plural(s.Cancellations(), "cancellation"), english.Plural(len(s.HandledBy()), "department"))
		return true
	}
	fmt.Fprintln(w, "\nTHE TOTALS DO NOT AGREE")
	for _, d := range diff {
		fmt.Fprintln(w, "  "+d)
	}
	return false
}

func writeTop(w io.Writer, what string, sales map[string]Sales) {
	type item struct {
		code string
		Sales
	}
	items := make([]item, 0, len(sales))
	for code, s := range sales {
		items = append(items, item{code, s})
	}
	slices.SortFunc(items, func(a, b item) int {
		if c := b.Revenue.Cmp(a.Revenue); c != 0 {
			return c
		}
		return strings.Compare(a.code, b.code)
	})
	table(w, func(row func(cells ...string)) {
		row("top "+what, "revenue", "pieces")
		for _, it := range items[:min(topN, len(items))] {
			name := it.Name
			if name != it.code {
				name = it.code + " " + name
			}
			row(printable(name, 40), FormatMoney(it.Revenue, 3), english.Group(it.Pieces))
		}
	})
}

func (s *Shop) writeSignals(w io.Writer) {
	table(w, func(row func(cells ...string)) {
		row("signal", "emissions", "deliveries", "failures", "vetoes", "drops", "refusals", "pending")
		for _, st := range s.Signals.Stats() {
			cells := []string{st.Name}
			for _, n := range []uint64{st.Emissions, st.Deliveries, st.Failures, st.Vetoes, st.Drops, st.Refusals, uint64(st.Pending)} {
				cells = append(cells, english.Group(n))
			}
			row(cells...)
		}
	})
}

func (s *Shop) writeLatencies(w io.Writer) {
	table(w, func(row func(cells ...string)) {
		row("latency", "p50", "p99", "p99.9", "max", "count")
		for _, l := range []struct {
			name string
			*Latency
		}{{"sync chain", s.Chain}, {"emit to handled", s.Handled}} {
			p := l.Percentiles()
			row(l.name, short(p.P50), short(p.P99), short(p.P999), short(p.Max), english.Group(p.Count))
		}
	})
}

func (s *Shop) writePayments(w io.Writer) {
	if s.gateway == nil {
		return
	}
	c := s.PaymentCounts()
	fmt.Fprintf(w, "\npayments: %s; the circuit opened %s; %s, %d of them settled\n",
		english.Plural(c.Repeated, "repeated attempt"), english.Plural(c.Opened, "time"), english.Plural(c.Dead, "dead letter"), c.Settled)
}

// table prints rows in columns, the first to the left and the others to the
// right, after an empty line.
func table(w io.Writer, fill func(row func(cells ...string))) {
	fmt.Fprintln(w)
	var rows [][]string
	width := 0
	fill(func(cells ...string) {
		rows = append(rows, cells)
		width = max(width, len([]rune(cells[0])))
	})
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	for _, cells := range rows {
		pad := strings.Repeat(" ", width-len([]rune(cells[0])))
		fmt.Fprintln(tw, cells[0]+pad+"\t"+strings.Join(cells[1:], "\t")+"\t")
	}
	tw.Flush()
}

// short rounds a duration to three digits.
func short(d time.Duration) string {
	for unit := 100 * time.Second; unit >= time.Microsecond; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 100).String()
		}
	}
	return d.String()
}

// printable cuts text to a length and takes out what a terminal would obey:
// descriptions and names come from files and from clients.
func printable(text string, length int) string {
	runes := []rune(strings.ToValidUTF8(text, "?"))
	if len(runes) > length {
		runes = append(runes[:length-1], '…')
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = '?'
		}
	}
	return string(runes)
}

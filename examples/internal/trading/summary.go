package trading

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/signals"
	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/trading/itch"
)

// Measurement is what a session or a replay has come to.
type Measurement struct {
	Run      Run
	Books    Books
	Orders   Orders
	Standing Standing
	Stats    []signals.SignalStats
	Failures int64

	// At what rate the latencies are measured, in messages a second; 0: at that
	// of the run itself, and without a pace not at all.
	Rate                   float64
	ToBook, ToOrder, Chain Latency
}

// measure looks at an engine that is closed.
func measure(e *Engine, run Run, rate float64) Measurement {
	return Measurement{
		Run: run, Books: e.Books(), Orders: e.Orders(), Standing: e.Positions.Standing(), Stats: e.Stats(), Failures: e.Failures(),
		Rate: rate, ToBook: e.ToBook(), ToOrder: e.ToOrder(), Chain: e.Chain(),
	}
}

// writeJSON prints what a script wants to know of the feed.
func writeJSON(w io.Writer, m *Measurement) error {
	type side struct {
		Stock  string `json:"stock"`
		Side   string `json:"side"`
		Orders int    `json:"orders"`
		Shares uint64 `json:"shares"`
		Best   string `json:"best"`
	}
	sum := struct {
		Messages int64             `json:"messages"`
		ByType   map[string]int64  `json:"by_type"`
		Unknown  int64             `json:"unknown_orders"`
		Executed map[string]uint64 `json:"executed"`
		Traded   uint64            `json:"traded"`
		Books    []side            `json:"books"`
		Checksum string            `json:"checksum"`
	}{m.Run.Messages, map[string]int64{}, m.Books.Unknown, m.Books.Executed, m.Books.Traded, []side{}, m.Books.Checksum}
	for _, typ := range []byte(itch.Types) {
		if n := m.Run.ByType[typ]; n > 0 {
			sum.ByType[string(typ)] = n
		}
	}
	for _, s := range m.Books.Sides {
		sum.Books = append(sum.Books, side{s.Stock, s.Side.String(), s.Orders, s.Shares, s.Best.String()})
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(sum)
}

// write prints the summary for people.
func (m *Measurement) write(w io.Writer) {
	b, o, s := &m.Books, &m.Orders, &m.Standing
	fmt.Fprintf(w, "\n%s in %s: %s a second\n", english.Plural(m.Run.Messages, "message"), short(m.Run.Took), english.Group(int64(m.Run.Throughput())))
	var types []string
	for _, typ := range []byte(itch.Types) {
		if n := m.Run.ByType[typ]; n > 0 {
			types = append(types, fmt.Sprintf("%c %s", typ, english.Group(n)))
		}
	}
	fmt.Fprintf(w, "  %s\n", strings.Join(types, ", "))
	orders := 0
	for _, side := range b.Sides {
		orders += side.Orders
	}
	fmt.Fprintf(w, "Books: %s in %s, checksum %s; the best prices changed %s\n", english.Plural(orders, "order"), english.Plural(len(b.Sides), "side"), b.Checksum, english.Plural(b.Quotes, "time"))
	if b.Unknown > 0 {
		fmt.Fprintf(w, "  skipped %s about orders that the feed does not hold\n", english.Plural(b.Unknown, "message"))
	}
	if b.Inconsistent > 0 {
		fmt.Fprintf(w, "  %s contradicted those before\n", english.Plural(b.Inconsistent, "message"))
	}
	fmt.Fprintf(w, "Orders: %s accepted, %s refused%s\n", english.Group(o.Accepted), english.Group(o.Total()), reasons(o.Refused))
	fmt.Fprintf(w, "  %s got something, %s nothing, %s were rejected by the exchange; %s\n",
		english.Group(s.Filled), english.Group(s.Orders-s.Filled-s.Rejected), english.Group(s.Rejected), english.Plural(s.Shares, "share"))
	fmt.Fprintf(w, "Profit: %s (", Dollars(s.Total()))
	for i, p := range s.Profit {
		fmt.Fprintf(w, "%saccount %d %s", strings.Repeat(", ", min(i, 1)), i, Dollars(p))
	}
	fmt.Fprintln(w, ")")

	rate := "at the pace of the feed"
	if m.Rate > 0 {
		rate = fmt.Sprintf("at %s a second", english.Plural(int64(m.Rate), "message"))
	}
	table(w, func(row func(cells ...string)) {
		row("latency", "p50", "p99", "p99.9", "max", "count")
		for _, l := range []struct {
			name string
			Latency
		}{{"tick to book", m.ToBook}, {"tick to order", m.ToOrder}, {"risk chain", m.Chain}} {
			if p := l.Percentiles(); p.Count > 0 {
				row(l.name, short(p.P50), short(p.P99), short(p.P999), short(p.Max), english.Group(p.Count))
			}
		}
	})
	if m.ToBook.Percentiles().Count > 0 {
		fmt.Fprintf(w, "%s, from when a message was due\n", rate)
	}
	table(w, func(row func(cells ...string)) {
		row("signal", "emissions", "deliveries", "failures", "vetoes", "drops", "refusals", "pending")
		for _, st := range m.Stats {
			cells := []string{st.Name}
			for _, n := range []uint64{st.Emissions, st.Deliveries, st.Failures, st.Vetoes, st.Drops, st.Refusals, uint64(st.Pending)} {
				cells = append(cells, english.Group(n))
			}
			row(cells...)
		}
	})
	if o.Accepted == s.Orders && m.Failures == 0 {
		fmt.Fprintf(w, "\nnothing lost: each of %s has come to its end\n", english.Plural(o.Accepted, "accepted order"))
	} else {
		fmt.Fprintf(w, "\nSOMETHING IS LOST: %s accepted, %s ended, %s\n", english.Plural(o.Accepted, "order"), english.Group(s.Orders), english.Plural(m.Failures, "failure"))
	}
}

func reasons(refused map[string]int64) string {
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(refused)) {
		all = append(all, fmt.Sprintf("%s %s", reason, english.Group(refused[reason])))
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

// table prints rows in columns, the first to the left and the others to the
// right, after an empty line.
func table(w io.Writer, fill func(row func(cells ...string))) {
	fmt.Fprintln(w)
	var rows [][]string
	width := 0
	fill(func(cells ...string) {
		rows = append(rows, cells)
		width = max(width, len(cells[0]))
	})
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	for _, cells := range rows {
		pad := strings.Repeat(" ", width-len(cells[0]))
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

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/examples/internal/english"
	"example.com/signals/examples/internal/shop"
)

// check opens the stores of the three, which have ended, and holds them against
// each other: the events against as many orders of the load, and what each
// department has against the events that it has handled. With everything handled
// that is the whole load.
func (s *Summary) check(ctx context.Context, h *home) (err error) {
	db, err := sqlite.Open(storeOf(h.dir, "orders"), sqlite.Logger(quiet(io.Discard)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	store := eventstore.New(db)
	defer func() { err = errors.Join(err, store.Close(ctx)) }()
	all, departments := newTally(), []*audit{{desk: shipping}, {desk: analytics}}
	for _, d := range departments {
		if err := d.open(ctx, h); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, d.db.Close()) }()
	}
	for e, err := range store.Read(ctx, eventstore.All()) {
		if err != nil {
			return err
		}
		var o Order
		if err := json.Unmarshal(e.Data, &o); err != nil {
			return fmt.Errorf("event %d is no order: %w", e.Position, err)
		}
		all.add(&o)
		for _, d := range departments {
			if e.Version <= d.versions[e.Stream] {
				d.done.add(&o)
			}
		}
	}
	s.Orders = all.sum()
	want, err := s.begun(h.settings.Load)
	if err != nil {
		return err
	}
	wrong := compare("orders", s.Orders, want)
	for _, d := range departments {
		want := d.done.sum()
		got, repeats, err := d.look(ctx, want)
		if err != nil {
			return err
		}
		if !s.Interrupted {
			want = s.Want
		}
		wrong = append(wrong, compare(d.name, got, want)...)
		s.Repeats[d.name] = repeats
		if d.name == shipping.name {
			s.Shipping = got
		} else {
			s.Analytics = got
		}
	}
	if len(wrong) > 0 {
		return errors.New("the totals are not exact: " + strings.Join(wrong, "; "))
	}
	return nil
}

// begun is what as many orders of the load come to as are in the store.
func (s *Summary) begun(load Load) (Totals, error) {
	if !s.Interrupted {
		return s.Want, nil
	}
	part := newTally()
	for o, err := range load.All() {
		if err != nil {
			return Totals{}, err
		}
		if part.totals.Orders == s.Orders.Orders {
			break
		}
		part.add(&o)
	}
	return part.sum(), nil
}

// audit is a look at the store of a department.
type audit struct {
	desk
	db       *sqlite.DB
	versions map[string]uint64 // how far it is with each customer
	done     *tally            // the events up to there
}

func (a *audit) open(ctx context.Context, h *home) (err error) {
	a.versions, a.done = map[string]uint64{}, newTally()
	if a.db, err = sqlite.Open(storeOf(h.dir, a.name), sqlite.Logger(quiet(io.Discard))); err != nil {
		return err
	}
	if err = a.prepare(ctx, a.db); err == nil { // it may never have come so far
		err = a.db.Update(ctx, func(tx *sqlite.Tx) error { return a.read(ctx, tx) })
	}
	if err != nil {
		return errors.Join(err, a.db.Close())
	}
	return nil
}

func (a *audit) read(ctx context.Context, tx *sqlite.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT stream, version FROM customers`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var stream string
		var version uint64
		if err := rows.Scan(&stream, &version); err != nil {
			return err
		}
		a.versions[stream] = version
	}
	return rows.Err()
}

// look returns what the department has. It should have want.
func (a *audit) look(ctx context.Context, want Totals) (got Totals, repeats int, err error) {
	err = a.db.Update(ctx, func(tx *sqlite.Tx) (err error) {
		if _, repeats, err = handled(ctx, tx); err != nil {
			return err
		}
		got, err = a.totals(ctx, tx, want)
		return err
	})
	return got, repeats, err
}

// compare names what is different.
func compare(who string, got, want Totals) []string {
	diff := got.Diff(want.Totals)
	for _, n := range []struct {
		what      string
		got, want int64
	}{{"orders", int64(got.Orders), int64(want.Orders)}, {"pieces sent", got.Sent, want.Sent}, {"pieces returned", got.Returned, want.Returned}} {
		if n.got != n.want {
			diff = append(diff, fmt.Sprintf("%s: %d and %d", n.what, n.got, n.want))
		}
	}
	for i := range diff {
		diff[i] = who + ": " + diff[i]
	}
	return diff
}

// print writes what came of a run.
func (s *Summary) print(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tthe load\torders\tshipping\tanalytics\t")
	row := func(what string, cells ...any) {
		fmt.Fprint(t, what)
		for _, cell := range cells {
			switch v := cell.(type) {
			case int:
				cell = english.Group(v)
			case int64:
				cell = english.Group(v)
			case shop.Money:
				cell = shop.FormatMoney(v, 2)
			}
			fmt.Fprintf(t, "\t%v", cell)
		}
		fmt.Fprintln(t, "\t")
	}
	w, o, h, a := s.Want, s.Orders, s.Shipping, s.Analytics
	row("orders and cancellations", w.Orders, o.Orders, h.Orders, a.Orders)
	row("pieces sent", w.Sent, o.Sent, h.Sent, "")
	row("pieces returned", w.Returned, o.Returned, h.Returned, "")
	row("invoices", w.Invoices, o.Invoices, "", a.Invoices)
	row("cancelled", w.Cancellations, o.Cancellations, "", a.Cancellations)
	row("customers", w.Customers, o.Customers, "", a.Customers)
	row("stock codes", w.Codes, o.Codes, "", a.Codes)
	row("lines", w.Lines, o.Lines, "", a.Lines)
	row("without a customer", w.Anonymous, o.Anonymous, "", a.Anonymous)
	row("priced at zero or below", w.Unpriced, o.Unpriced, "", a.Unpriced)
	row("quantity", w.Quantity, o.Quantity, "", a.Quantity)
	row("revenue", w.Revenue, o.Revenue, "", a.Revenue)
	row("killed", "", s.Kills["orders"], s.Kills["shipping"], s.Kills["analytics"])
	row("came twice", "", "", s.Repeats["shipping"], s.Repeats["analytics"])
	t.Flush()
}

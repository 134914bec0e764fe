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
	all, part := newTally(), newTally()
	for e, err := range store.Read(ctx, eventstore.All()) {
		if err != nil {
			return err
		}
		if err := all.event(e); err != nil {
			return err
		}
	}
	s.Orders = all.sum()
	for o, err := range h.settings.Load.All() {
		if err != nil {
			return err
		}
		if part.totals.Orders == s.Orders.Orders {
			break
		}
		part.add(&o)
	}
	wrong := compare("orders", s.Orders, part.sum())
	for _, d := range []struct {
		desk
		into *Totals
	}{{shipping, &s.Shipping}, {analytics, &s.Analytics}} {
		got, want, repeats, err := d.look(ctx, h, store)
		if err != nil {
			return err
		}
		*d.into, s.Repeats[d.name] = got, repeats
		wrong = append(wrong, compare(d.name, got, want)...)
	}
	if !s.Interrupted && len(wrong) == 0 {
		for name, got := range map[string]Totals{"orders": s.Orders, "shipping": s.Shipping, "analytics": s.Analytics} {
			wrong = append(wrong, compare(name, got, s.Want)...)
		}
	}
	if len(wrong) > 0 {
		return errors.New("the totals are not exact: " + strings.Join(wrong, "; "))
	}
	return nil
}

// look returns what a department has, and what it should have: of each customer
// the events up to the version that it has come to.
func (k *desk) look(ctx context.Context, h *home, store *eventstore.Store) (got, want Totals, repeats int, err error) {
	db, err := sqlite.Open(storeOf(h.dir, k.name), sqlite.Logger(quiet(io.Discard)))
	if err != nil {
		return got, want, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := k.prepare(ctx, db); err != nil { // it may never have come so far
		return got, want, 0, err
	}
	versions := map[string]uint64{}
	err = db.Update(ctx, func(tx *sqlite.Tx) error {
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
			versions[stream] = version
		}
		return rows.Err()
	})
	if err != nil {
		return got, want, 0, err
	}
	done := newTally()
	for e, err := range store.Read(ctx, eventstore.All()) {
		if err != nil {
			return got, want, 0, err
		}
		if e.Version > versions[e.Stream] {
			continue
		}
		if err := done.event(e); err != nil {
			return got, want, 0, err
		}
	}
	want = done.sum()
	err = db.Update(ctx, func(tx *sqlite.Tx) (err error) {
		if _, repeats, err = handled(ctx, tx); err != nil {
			return err
		}
		got, err = k.totals(ctx, tx, want)
		return err
	})
	return got, want, repeats, err
}

// event adds what an event says.
func (t *tally) event(e eventstore.Recorded) error {
	var o Order
	if err := json.Unmarshal(e.Data, &o); err != nil {
		return fmt.Errorf("event %d is no order: %w", e.Position, err)
	}
	t.add(&o)
	return nil
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
				cell = group(int64(v))
			case int64:
				cell = group(v)
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

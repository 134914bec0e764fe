package durable

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/examples/internal/shop"
)

// key is that of the projection: of its checkpoint, and in Wait.
const key = "totals"

// makeTables makes the read model, if it is not there.
func makeTables(ctx context.Context, db *sqlite.DB) error {
	return db.Update(ctx, func(tx *sqlite.Tx) error {
		for _, statement := range []string{
			"CREATE TABLE IF NOT EXISTS shop_totals (one INTEGER PRIMARY KEY CHECK (one = 1), lines, unpriced, anonymous, quantity, revenue TEXT)",
			"INSERT OR IGNORE INTO shop_totals VALUES (1, 0, 0, 0, 0, '0')",
			"CREATE TABLE IF NOT EXISTS shop_invoices (no TEXT PRIMARY KEY, cancellation) WITHOUT ROWID",
			"CREATE TABLE IF NOT EXISTS shop_customers (customer TEXT PRIMARY KEY) WITHOUT ROWID",
			"CREATE TABLE IF NOT EXISTS shop_codes (code TEXT PRIMARY KEY) WITHOUT ROWID",
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// region project

// project keeps the totals in tables beside the events. What an event adds to them
// commits with the checkpoint that says so: whenever the program is killed, each
// event is in them once.
func project(store *eventstore.Store) (*eventstore.Listener, error) {
	sales := eventstore.Match(eventstore.Item{Types: []string{"order.accepted", "order.cancelled"}})
	return sqlite.Project(store, key, sales, func(ctx context.Context, tx *sqlite.Tx, r eventstore.Recorded) error {
		values, err := store.Types().Decode(ctx, r)
		if err != nil {
			return err
		}
		for _, v := range values {
			switch e := v.(type) {
			case Accepted:
				err = enter(ctx, tx, &e.Invoice, false)
			case Cancelled:
				err = enter(ctx, tx, &e.Invoice, true)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, eventstore.StopOnFailure())
}

// endregion

// enter adds an invoice to the totals.
func enter(ctx context.Context, tx *sqlite.Tx, v *Invoice, cancellation bool) error {
	var (
		revenue             shop.Money
		quantity            int64
		unpriced, anonymous int
		codes               []string
	)
	for _, l := range v.lines() {
		revenue = revenue.Add(l.Amount())
		quantity += l.Quantity
		if l.Price.Sign() <= 0 {
			unpriced++
		}
		codes = append(codes, l.Code)
	}
	list, err := json.Marshal(codes)
	if err != nil {
		return err
	}
	var before string
	if err := tx.QueryRowContext(ctx, "SELECT revenue FROM shop_totals").Scan(&before); err != nil {
		return err
	}
	sum, err := shop.ParseMoney(before)
	if err != nil {
		return fmt.Errorf("the revenue in shop_totals is %q: %w", before, err)
	}
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	if v.Customer == "" {
		anonymous = len(v.Lines)
	} else {
		exec("INSERT OR IGNORE INTO shop_customers VALUES (?)", v.Customer)
	}
	exec("INSERT OR IGNORE INTO shop_invoices VALUES (?, ?)", v.No, cancellation)
	exec("INSERT OR IGNORE INTO shop_codes SELECT value FROM json_each(?)", string(list))
	exec("UPDATE shop_totals SET lines = lines + ?, unpriced = unpriced + ?, anonymous = anonymous + ?, quantity = quantity + ?, revenue = ?",
		len(v.Lines), unpriced, anonymous, quantity, sum.Add(revenue).String()) // a number would be rounded
	return err
}

// readModel returns what the projection has added up.
func readModel(ctx context.Context, db *sqlite.DB) (t shop.Totals, err error) {
	var revenue string
	err = db.Update(ctx, func(tx *sqlite.Tx) error {
		row := func(query string) *sql.Row { return tx.QueryRowContext(ctx, query) }
		return errors.Join(
			row("SELECT lines, unpriced, anonymous, quantity, revenue FROM shop_totals").
				Scan(&t.Lines, &t.Unpriced, &t.Anonymous, &t.Quantity, &revenue),
			row("SELECT count(*), coalesce(sum(cancellation), 0) FROM shop_invoices").Scan(&t.Invoices, &t.Cancellations),
			row("SELECT count(*) FROM shop_customers").Scan(&t.Customers),
			row("SELECT count(*) FROM shop_codes").Scan(&t.Codes),
		)
	})
	if err != nil {
		return t, fmt.Errorf("reading the read model: %w", err)
	}
	t.Revenue, err = shop.ParseMoney(revenue)
	return t, err
}

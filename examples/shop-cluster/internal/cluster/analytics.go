package cluster

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"example.com/signals/eventstore/sqlite"
	"example.com/signals/examples/internal/shop"
)

// analytics counts and adds up. Revenue is text: an exact decimal, which SQLite
// has no type for.
var analytics = desk{
	name: "analytics",
	tables: []string{
		`CREATE TABLE IF NOT EXISTS invoices (number TEXT PRIMARY KEY, cancels INTEGER NOT NULL) STRICT`,
		`CREATE TABLE IF NOT EXISTS buyers (customer TEXT PRIMARY KEY) STRICT`,
		`CREATE TABLE IF NOT EXISTS products (code TEXT PRIMARY KEY, quantity INTEGER NOT NULL) STRICT`,
		`CREATE TABLE IF NOT EXISTS countries (country TEXT PRIMARY KEY, lines INTEGER NOT NULL, unpriced INTEGER NOT NULL,
			anonymous INTEGER NOT NULL, revenue TEXT NOT NULL) STRICT`,
	},
	enter:  analyze,
	total:  revenue,
	totals: analyzed,
}

func analyze(ctx context.Context, tx *sqlite.Tx, o *Order) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO invoices VALUES ($1, $2) ON CONFLICT DO NOTHING`, o.No, o.Cancels())
	if err != nil {
		return err
	}
	t := newTally()
	t.add(o)
	of := t.sum()
	if o.Customer != "" {
		if _, err := tx.ExecContext(ctx, `INSERT INTO buyers VALUES ($1) ON CONFLICT DO NOTHING`, o.Customer); err != nil {
			return err
		}
	}
	lines, err := json.Marshal(o.Lines)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO products SELECT value ->> 'code', sum(value ->> 'quantity') FROM json_each($1) GROUP BY 1
		ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity`, string(lines))
	if err != nil {
		return err
	}
	var before string
	err = tx.QueryRowContext(ctx, `SELECT revenue FROM countries WHERE country = $1`, o.Country).Scan(&before)
	sum := of.Revenue
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	default:
		if sum, err = add(sum, before); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO countries VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO UPDATE SET lines = lines + excluded.lines, unpriced = unpriced + excluded.unpriced,
			anonymous = anonymous + excluded.anonymous, revenue = excluded.revenue`,
		o.Country, of.Lines, of.Unpriced, of.Anonymous, sum.String())
	return err
}

func add(sum shop.Money, text string) (shop.Money, error) {
	more, err := shop.ParseMoney(text)
	return sum.Add(more), err
}

// earned is the revenue of all countries.
func earned(ctx context.Context, tx *sqlite.Tx) (sum shop.Money, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT revenue FROM countries`)
	if err != nil {
		return sum, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return sum, err
		}
		if sum, err = add(sum, text); err != nil {
			return sum, err
		}
	}
	return sum, rows.Err()
}

func revenue(ctx context.Context, tx *sqlite.Tx) (string, error) {
	sum, err := earned(ctx, tx)
	return "revenue " + shop.FormatMoney(sum.Round(2), 2), err
}

func analyzed(ctx context.Context, tx *sqlite.Tx, want Totals) (Totals, error) {
	got := Totals{Sent: want.Sent, Returned: want.Returned} // nothing of analytics'
	var err error
	if got.Orders, _, err = handled(ctx, tx); err != nil {
		return got, err
	}
	err = tx.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM invoices), (SELECT count(*) FROM invoices WHERE cancels), (SELECT count(*) FROM buyers),
			(SELECT count(*) FROM products), (SELECT coalesce(sum(quantity), 0) FROM products),
			coalesce(sum(lines), 0), coalesce(sum(unpriced), 0), coalesce(sum(anonymous), 0) FROM countries`).
		Scan(&got.Invoices, &got.Cancellations, &got.Customers, &got.Codes, &got.Quantity, &got.Lines, &got.Unpriced, &got.Anonymous)
	if err != nil {
		return got, err
	}
	got.Revenue, err = earned(ctx, tx)
	return got, err
}

package ledger

import (
	"context"
	"fmt"

	"example.com/signals/eventstore"
)

// The keys of the projections, and so the names of the books that they keep.
const (
	current = "balances"
	rebuilt = "balances, rebuilt"
)

// makeTables makes the read model: any number of books, side by side.
func makeTables(ctx context.Context, db *Database) error {
	return db.update(ctx, func(t tx) error {
		for _, table := range []string{
			"ledger_balances (book TEXT, account TEXT, cents BIGINT NOT NULL, PRIMARY KEY (book, account))",
			"ledger_customers (book TEXT, customer TEXT, name TEXT NOT NULL, PRIMARY KEY (book, customer))",
			"ledger_letters (request TEXT PRIMARY KEY, reason TEXT NOT NULL)",
		} {
			if err := t.exec(ctx, "CREATE TABLE IF NOT EXISTS "+table); err != nil {
				return err
			}
		}
		return nil
	})
}

// region project

// keep makes the projection that keeps a book, in the transactions that move its
// checkpoint. It would rather stop than leave an event out.
func keep(db *Database, store *eventstore.Store, book string, opts ...eventstore.ListenOption) (*eventstore.Listener, error) {
	return db.project(store, book, func(ctx context.Context, t tx, r eventstore.Recorded) error {
		if r.Position == 1 { // whatever another one with this name has left
			for _, table := range []string{"ledger_balances", "ledger_customers"} {
				if err := t.exec(ctx, "DELETE FROM "+table+" WHERE book = $1", book); err != nil {
					return err
				}
			}
		}
		values, err := store.Types().Decode(ctx, r)
		if err != nil {
			return err
		}
		for _, v := range values {
			if err := enter(ctx, t, book, r, v); err != nil {
				return err
			}
		}
		return nil
	}, append(opts, eventstore.StopOnFailure())...)
}

// enter writes one event into a book.
func enter(ctx context.Context, t tx, book string, r eventstore.Recorded, event any) error {
	const (
		add = `INSERT INTO ledger_balances AS b VALUES ($1, $2, $3)
			ON CONFLICT (book, account) DO UPDATE SET cents = b.cents + excluded.cents`
		name = `INSERT INTO ledger_customers VALUES ($1, $2, $3)
			ON CONFLICT (book, customer) DO UPDATE SET name = excluded.name`
		letter = `INSERT INTO ledger_letters VALUES ($1, $2)`
	)
	switch e := event.(type) {
	case Joined:
		return t.exec(ctx, name, book, e.Customer, e.Name)
	case Left:
		return t.exec(ctx, name, book, e.Customer, "(erased)")
	case Transferred:
		if err := t.exec(ctx, add, book, e.From, -e.Cents); err != nil {
			return err
		}
		return t.exec(ctx, add, book, e.To, e.Cents)
	case Refused:
		// The customer gets one letter. The books are rebuilt without writing to
		// everybody again.
		if !eventstore.Rebuilding(ctx) {
			return t.exec(ctx, letter, r.ID, e.Reason)
		}
	}
	return nil // an Erased has no name to enter
}

// endregion

// Books are what a projection has kept.
type Books struct {
	Cents map[string]int64  // by account
	Names map[string]string // by customer
}

// read returns a book, and the number of letters.
func read(ctx context.Context, db *Database, book string) (b Books, letters int, err error) {
	err = db.update(ctx, func(t tx) error {
		b = Books{map[string]int64{}, map[string]string{}}
		err := t.each(ctx, "SELECT account, cents FROM ledger_balances WHERE book = $1", []any{book}, func(scan func(...any) error) error {
			var account string
			var cents int64
			err := scan(&account, &cents)
			b.Cents[account] = cents
			return err
		})
		if err != nil {
			return err
		}
		err = t.each(ctx, "SELECT customer, name FROM ledger_customers WHERE book = $1", []any{book}, func(scan func(...any) error) error {
			var customer, name string
			err := scan(&customer, &name)
			b.Names[customer] = name
			return err
		})
		if err != nil {
			return err
		}
		return t.each(ctx, "SELECT count(*) FROM ledger_letters", nil, func(scan func(...any) error) error { return scan(&letters) })
	})
	if err != nil {
		return Books{}, 0, fmt.Errorf("ledger: reading the book %q: %w", book, err)
	}
	return b, letters, nil
}

// region rebuild

// rebuild keeps a second book beside the first one, from the first event on,
// until it has caught up, and returns it.
func rebuild(ctx context.Context, db *Database, store *eventstore.Store, head eventstore.Position) (Books, error) {
	l, err := keep(db, store, rebuilt, eventstore.RebuildOf(current))
	if err != nil {
		return Books{}, err
	}
	if err := store.Wait(ctx, rebuilt, head); err != nil {
		return Books{}, err
	}
	if err := l.Stop(ctx); err != nil {
		return Books{}, err
	}
	b, _, err := read(ctx, db, rebuilt)
	if err != nil {
		return Books{}, err
	}
	return b, store.DeleteCheckpoint(ctx, rebuilt) // the next run rebuilds anew
}

// endregion

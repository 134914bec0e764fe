package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/natsignals"
)

// desk is what is different between two departments.
type desk struct {
	name   string
	tables []string // statements that make them, if they are missing
	// enter writes an order into the tables; it is called once for each.
	enter func(ctx context.Context, tx *sqlite.Tx, o *Order) error
	// total is a line on what came of all.
	total func(ctx context.Context, tx *sqlite.Tx) (string, error)
	// totals are what the tables say, and what of want the department does not
	// know.
	totals func(ctx context.Context, tx *sqlite.Tx, want Totals) (Totals, error)
}

// department is a process that consumes orders into a store of its own.
type department struct {
	desk
	db       *sqlite.DB
	placed   *signals.AsyncSignal[Order]
	consumer *natsignals.Consumer
	ended    chan error
}

// inbox has how far a department is with each customer, and what it has done in
// all.
var inbox = []string{
	`CREATE TABLE IF NOT EXISTS customers (stream TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT`,
	`CREATE TABLE IF NOT EXISTS inbox (one INTEGER PRIMARY KEY CHECK (one = 1), handled INTEGER NOT NULL, repeats INTEGER NOT NULL) STRICT`,
	`INSERT INTO inbox VALUES (1, 0, 0) ON CONFLICT DO NOTHING`,
}

// prepare makes what tables are missing.
func (k *desk) prepare(ctx context.Context, db *sqlite.DB) error {
	return db.Update(ctx, func(tx *sqlite.Tx) error {
		for _, statement := range slices.Concat(inbox, k.tables) {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// silence is how soon the messages of a process that was killed go to the next
// one. Between two lives of this shop it is a second, and if the machine is so
// busy that a living process is taken for dead, its messages come twice, which
// is harmless.
const silence = time.Second

func beginDepartment(ctx context.Context, j *job, db *sqlite.DB, js jetstream.JetStream, k desk) (process, error) {
	if err := k.prepare(ctx, db); err != nil {
		return nil, err
	}
	d := &department{desk: k, db: db, ended: make(chan error, 1)}
	// region consume
	d.placed = signals.New[Order](signals.Name("order.placed"))
	d.placed.Subscribe(d.handle, signals.Key(k.name), signals.Concurrency(lanes))
	consumer, err := natsignals.Consume(ctx, js, j.Shop.stream(), k.name, d.placed,
		natsignals.Filter(j.Shop.subject()), natsignals.Ordered(lanes), natsignals.AckWait(silence))
	// endregion
	if err != nil {
		return nil, errors.Join(err, d.placed.Close(ctx))
	}
	d.consumer = consumer
	go func() {
		<-consumer.Done()
		if err := consumer.Err(); err != nil {
			d.ended <- err
		}
	}()
	return d, nil
}

// region handle

// handle enters an order exactly once: what it changes and how far this customer
// is are one transaction. The relay tells the event's version in the stream of
// its customer, so a repetition is known, and so would a gap be.
func (d *department) handle(ctx context.Context, o Order) error {
	e, ok := natsignals.RecordedOf(ctx)
	if !ok {
		return fmt.Errorf("order %s came from no relay", o.No)
	}
	err := d.db.Update(ctx, func(tx *sqlite.Tx) error {
		var done uint64
		err := tx.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM customers WHERE stream = $1`, e.Stream).Scan(&done)
		if err != nil {
			return err
		}
		if e.Version <= done {
			_, err := tx.ExecContext(ctx, `UPDATE inbox SET repeats = repeats + 1`)
			return err
		}
		if e.Version > done+1 {
			return d.stop(fmt.Errorf("order %s is number %d of %s, and %d was the last: one was lost or overtaken", o.No, e.Version, e.Stream, done))
		}
		if err := d.enter(ctx, tx, &o); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO customers VALUES ($1, $2) ON CONFLICT DO UPDATE SET version = excluded.version`, e.Stream, e.Version)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE inbox SET handled = handled + 1`)
		return err
	})
	if errors.Is(err, eventstore.ErrBroken) { // until it is opened again
		return d.stop(err)
	}
	return err // and the message comes again
}

// endregion

// stop ends the process with an error that no repetition can help.
func (d *department) stop(err error) error {
	select {
	case d.ended <- err:
	default:
	}
	return err
}

func (d *department) failed() <-chan error { return d.ended }

func (d *department) report(ctx context.Context) (r report, err error) {
	err = d.db.Update(ctx, func(tx *sqlite.Tx) (err error) {
		if r.Orders, r.Repeats, err = handled(ctx, tx); err != nil {
			return err
		}
		r.Total, err = d.total(ctx, tx)
		return err
	})
	r.Trouble = d.consumer.Stats().Err
	return r, err
}

// handled is how many orders have been entered, and how many came again.
func handled(ctx context.Context, tx *sqlite.Tx) (n, repeats int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT handled, repeats FROM inbox`).Scan(&n, &repeats)
	return n, repeats, err
}

// close finishes what is in hand.
func (d *department) close(ctx context.Context) error {
	return errors.Join(d.consumer.Close(ctx), d.placed.Close(ctx))
}

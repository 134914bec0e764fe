package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/postgres"
	"example.com/signals/eventstore/sqlite"
)

// What docs/event_store.md shows of programs that have a database of their own. It
// stands alone: recipes_test.go has the tests.

// region outbox-sqlite

// placeInSQLite keeps an order in a table of the program, and the event that
// tells of it: together or not at all.
func placeInSQLite(ctx context.Context, db *sqlite.DB, order string, cents int64) error {
	return db.Update(ctx, func(tx *sqlite.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO orders (id, cents) VALUES (?, ?)", order, cents); err != nil {
			return err
		}
		_, err := tx.Append([]eventstore.Event{{ID: "placed-" + order, Type: "order placed", Stream: "order-" + order}})
		return err
	})
}

// endregion

// region outbox-postgres

// placeInPostgres is the same over pgx: the append comes last, since all appends
// wait for the end of the transaction.
func placeInPostgres(ctx context.Context, pool *pgxpool.Pool, db *postgres.DB, order string, cents int64) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO orders (id, cents) VALUES ($1, $2)", order, cents); err != nil {
			return err
		}
		_, err := db.AppendTx(ctx, tx, []eventstore.Event{{ID: "placed-" + order, Type: "order placed", Stream: "order-" + order}})
		return err
	})
}

// endregion

// region outbox-publish

// publish hands every order to a broker, also those of a run that was killed
// before it could: at least once, with an ID by which the other side knows it.
func publish(store *eventstore.Store, send func(ctx context.Context, id string, data []byte) error) (*eventstore.Listener, error) {
	placed := eventstore.Match(eventstore.Item{Types: []string{"order placed"}})
	return store.Listen("publish", placed, func(ctx context.Context, r eventstore.Recorded) error {
		return send(ctx, r.ID, r.Data)
	}, eventstore.StopOnFailure()) // in order: rather none than one left out
}

// endregion

// region wait

// placeAndList answers with what the projection says, this order included.
func placeAndList(ctx context.Context, store *eventstore.Store, order string, list func(context.Context) ([]string, error)) ([]string, error) {
	stored, err := store.Append(ctx, []eventstore.Event{{Type: "order placed", Stream: "order-" + order}})
	if err != nil {
		return nil, err
	}
	// Until the projection has it, wherever it runs; ctx bounds how long.
	if err := store.Wait(ctx, "open orders", stored[len(stored)-1].Position); err != nil {
		return nil, fmt.Errorf("order %s is placed, but the list is behind: %w", order, err)
	}
	return list(ctx)
}

// endregion

// region backup

// backUp copies the store, with the program's own tables, while it is in use,
// and reads the copy once before it trusts it.
func backUp(ctx context.Context, db *sqlite.DB, path string) (err error) {
	if err := db.Backup(ctx, path); err != nil {
		return err
	}
	copied, err := sqlite.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	store := eventstore.New(copied)
	return errors.Join(store.Check(ctx), store.Close(ctx))
}

// endregion

// region move

// move takes a whole history over into an empty store, with positions, identity
// and what encrypts, and lets the listeners with these keys go on where they
// were. Nobody appends to the old store any more.
func move(ctx context.Context, from, to *eventstore.Store, keys ...string) error {
	var secret bytes.Buffer // of Encrypted: first, so that nobody reads as erased meanwhile
	if _, err := from.ExportKeys(ctx, &secret); err != nil {
		return err
	}
	if _, err := to.ImportKeys(ctx, &secret); err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() {
		_, err := from.Export(ctx, w, 0)
		w.CloseWithError(err)
	}()
	_, err := to.Import(ctx, r)
	r.CloseWithError(err) // ends the export, if the import failed
	if err != nil {
		return err // call it again: what is there is compared and skipped
	}
	for _, key := range keys {
		there, err := from.Checkpoints(ctx, key)
		if err != nil {
			return err
		}
		if len(there) == 0 {
			return fmt.Errorf("no listener has the key %q in the old store", key)
		}
		for _, c := range there {
			if c.Dead > 0 {
				return fmt.Errorf("%q has %d dead letters: redeliver or discard them first", key, c.Dead)
			}
			checkpoints := to.Backend().(eventstore.Checkpoints)
			if _, err := checkpoints.OpenKey(ctx, key, c.Position); err != nil {
				return err
			}
			// It says of which history it is: Check compares.
			m := eventstore.Move{Key: key, From: c.Position, To: c.Position, Identity: c.Identity, EventID: c.EventID}
			if err := checkpoints.Advance(ctx, m, nil); err != nil {
				return err
			}
		}
	}
	return to.Check(ctx)
}

// endregion

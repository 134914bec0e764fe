package postgres

import (
	"context"
	"fmt"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// Import stores events with the positions, versions and times that they have.
func (db *DB) Import(ctx context.Context, identity string, events []eventstore.Recorded) error {
	batch := eventstore.Batch{Events: make([]eventstore.Event, len(events))}
	imported := make([]eventstore.Recorded, len(events))
	for i, r := range events {
		imported[i] = r.Clone()
		batch.Events[i] = imported[i].Event
	}
	if _, err := size(batch); err != nil {
		return err
	}
	err := db.inTx(ctx, "import", func(ctx context.Context, tx pgx.Tx) error {
		l, err := db.look(ctx, tx, []eventstore.Batch{batch})
		if err != nil {
			return named("import", err)
		}
		if err := db.takeOn(ctx, tx, identity, l.head); err != nil {
			return err
		}
		if len(imported) == 0 {
			return nil
		}
		for _, r := range imported {
			if err := l.take(r); err != nil {
				return err
			}
		}
		return named("import", db.store(ctx, tx, l, db.instance))
	})
	if err == nil && len(imported) > 0 {
		db.session.stored(imported)
	}
	return err
}

// takeOn gives an empty store the identity; another one must have it.
func (db *DB) takeOn(ctx context.Context, tx pgx.Tx, identity string, head eventstore.Position) error {
	var own string
	if err := tx.QueryRow(ctx, db.sql("SELECT identity FROM {s}.store")).Scan(&own); err != nil {
		return named("import", err)
	}
	if own == identity {
		return nil
	}
	if head > 0 {
		return fmt.Errorf("postgres: import of history %s into a store with history %s: want an empty store", identity, own)
	}
	_, err := tx.Exec(ctx, db.sql("UPDATE {s}.store SET identity = $1"), identity)
	return named("import", err)
}

// take takes an event of another store into the transaction, if it comes next.
func (l *look) take(r eventstore.Recorded) error {
	if want := l.head + 1; r.Position != want {
		return fmt.Errorf("postgres: import of position %d where %d comes next", r.Position, want)
	}
	if l.stored[r.ID] != nil {
		return fmt.Errorf("postgres: import of position %d: its id %q is taken", r.Position, r.ID)
	}
	var version uint64
	if r.Stream != "" {
		version = l.streams[r.Stream].version + 1
	}
	if r.Version != version {
		return fmt.Errorf("postgres: import of position %d: version %d of stream %q where %d comes next", r.Position, r.Version, r.Stream, version)
	}
	l.head++
	l.streams[r.Stream] = streamEnd{version, r.Position}
	l.stored[r.ID] = &r
	l.new = append(l.new, r)
	return nil
}

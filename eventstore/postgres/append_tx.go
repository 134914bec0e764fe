package postgres

import (
	"context"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// AppendTx appends in a transaction of the caller, over any connection to the
// database that the DB is in: the events are stored if it commits, and then
// followers get them; rolled back, nobody ever sees them. Otherwise it is as
// Store.Append: atomic, idempotent by id, under conditions. Persisted is not
// emitted. After a *ConflictError or *DuplicateError nothing was written and the
// transaction can go on; after another error it has failed.
//
// From here to the end of the transaction all appends to the store wait, of
// every process: make it the last thing before the commit. An Append in between, over
// another connection, would wait for the transaction that it is called in, which
// the server cannot see.
//
// In a transaction that is REPEATABLE READ or SERIALIZABLE, appends that were
// committed since it began are a serialization failure (40001): begin again.
func (db *DB) AppendTx(ctx context.Context, tx pgx.Tx, events []eventstore.Event, conds ...eventstore.Condition) ([]eventstore.Recorded, error) {
	if tx == nil {
		panic("postgres: AppendTx: the transaction is nil")
	}
	b, err := eventstore.NewBatch(events, conds...)
	if err != nil {
		return nil, named("append in a transaction", err)
	}
	if _, err := size(b); err != nil {
		return nil, err
	}
	if err := db.ready(ctx); err != nil {
		return nil, err
	}
	l, err := db.look(ctx, tx, []eventstore.Batch{b})
	if err != nil {
		return nil, named("append in a transaction", err)
	}
	done, err := l.decide(0, b)
	if err != nil {
		return nil, err
	}
	if !done.Known {
		if err := db.store(ctx, tx, l, nobody); err != nil {
			return nil, named("append in a transaction", err)
		}
	}
	out := make([]eventstore.Recorded, len(done.Events))
	for i, r := range done.Events {
		out[i] = r.Clone()
	}
	return out, nil
}

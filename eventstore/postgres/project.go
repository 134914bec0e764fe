package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// Project runs a projection: a durable listener whose read model is in the
// database of the store. What apply writes with its transaction is committed
// together with the listener's checkpoint: exactly once, whatever fails, and
// however many processes run it. The Store must be over a DB.
//
// apply must not commit or roll back; it may use AppendTx with the same transaction.
// Calls of the Store that write, which would wait for the transaction, are errors in it. While
// it catches up, several events share a transaction; if one fails, what was
// written for those before it is written again, in another one.
func Project(s *eventstore.Store, key string, q eventstore.Query, apply func(ctx context.Context, tx pgx.Tx, r eventstore.Recorded) error, opts ...eventstore.ListenOption) (*eventstore.Listener, error) {
	if s == nil || apply == nil {
		return nil, errors.New("postgres: project: want a Store and a function")
	}
	if _, is := s.Backend().(*DB); !is {
		return nil, fmt.Errorf("postgres: project %q: the store is over %T, want a *postgres.DB: %w", key, s.Backend(), eventstore.ErrUnsupported)
	}
	return s.Listen(key, q, nil, append(slices.Clip(opts), eventstore.InTransaction(
		func(ctx context.Context, tx any, r eventstore.Recorded) error { return apply(ctx, tx.(pgx.Tx), r) }))...)
}

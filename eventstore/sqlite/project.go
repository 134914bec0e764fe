package sqlite

import (
	"context"
	"errors"
	"fmt"

	"example.com/signals/eventstore"
)

// Project makes a projection: a durable listener whose read model is in tables
// of the same file. apply writes them with tx, in the transaction that moves the
// checkpoint: what it does for an event is done exactly once, whatever
// crashes when. The store must be over a DB. Several events share a
// transaction while it catches up, and others that write wait for it, so apply
// is quick and does nothing but SQL.
//
// Otherwise it is as Store.Listen. Make the tables in an Update before.
func Project(s *eventstore.Store, key string, q eventstore.Query, apply func(ctx context.Context, tx *Tx, r eventstore.Recorded) error, opts ...eventstore.ListenOption) (*eventstore.Listener, error) {
	switch {
	case s == nil:
		return nil, errors.New("sqlite: Project: the Store is nil")
	case apply == nil:
		return nil, fmt.Errorf("sqlite: Project %q: the function is nil", key)
	}
	if _, ok := s.Backend().(*DB); !ok {
		return nil, fmt.Errorf("sqlite: Project %q: the store is over a %T, want a *sqlite.DB", key, s.Backend())
	}
	in := eventstore.InTransaction(func(ctx context.Context, tx any, r eventstore.Recorded) error {
		return apply(ctx, tx.(*Tx), r)
	})
	return s.Listen(key, q, nil, append(append([]eventstore.ListenOption{}, opts...), in)...)
}

package eventstore_test

import (
	"context"
	"fmt"

	"example.com/signals/eventstore"
)

func ExampleSnapshotPolicy() {
	ctx := context.Background()
	store := eventstore.New(eventstore.Memory(), eventstore.Types(ledgerTypes()))
	store.SnapshotTaken().Subscribe(func(_ context.Context, s eventstore.Snapshot) error {
		fmt.Printf("%s at position %d: %s\n", s.Name, s.Position, s.Data)
		return nil
	})

	// region snapshot
	model := accounts("alice", "bob")
	model.Snapshots = eventstore.SnapshotPolicy{
		Every:   2,             // events; some hundreds, outside of an example
		Version: 1,             // raise it when Fold, or what it is given, changes
		Name:    "alice + bob", // optional: one that operators recognize
	}
	// endregion
	_, err := eventstore.Decide(ctx, store, model, func(Accounts) ([]any, error) {
		return []any{Opened{"alice", 100}, Opened{"bob", 0}}, nil
	})
	fmt.Println(err)
	state, _, err := eventstore.Load(ctx, store, model)
	fmt.Println(state, err)
	fmt.Println(store.Close(ctx)) // waits for the listener
	// Unordered output:
	// <nil>
	// map[alice:{0 100} bob:{0 0}] <nil>
	// alice + bob at position 2: {"alice":{"Cents":0,"Limit":100},"bob":{"Cents":0,"Limit":0}}
	// <nil>
}

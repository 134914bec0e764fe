package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

// Example keeps an event in a file, and finds it there when the file is opened again.
func Example() {
	dir, err := os.MkdirTemp("", "notes")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "notes.db")

	for range 2 {
		if err := note(context.Background(), path); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 1 buy tea
	// 1 buy tea
	// 2 buy tea
}

// region open

// Noted is what happens here.
type Noted struct{ Text string }

// note appends an event to the store in a file, which is made if it is missing,
// and prints all that are there.
func note(ctx context.Context, path string) (err error) {
	db, err := sqlite.Open(path) // no other line says which database it is
	if err != nil {
		return err
	}
	types := eventstore.NewRegistry()
	eventstore.Register[Noted](types, "noted")
	store := eventstore.New(db, eventstore.Types(types))
	defer func() { err = errors.Join(err, store.Close(ctx), db.Close()) }() // in this order

	event, err := types.Encode(ctx, eventstore.Draft{Stream: "notes", Value: Noted{"buy tea"}})
	if err != nil {
		return err
	}
	if _, err := store.Append(ctx, []eventstore.Event{event}); err != nil {
		return err // it wraps ErrOutcomeUnknown if the event may be stored all the same
	}
	for r, err := range store.Read(ctx, eventstore.All()) {
		if err != nil {
			return err
		}
		values, err := types.Decode(ctx, r)
		if err != nil {
			return err
		}
		for _, v := range values {
			fmt.Println(r.Position, v.(Noted).Text)
		}
	}
	return nil
}

// endregion

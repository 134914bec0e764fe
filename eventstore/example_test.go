package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"example.com/signals/eventstore"
)

// An event store with one function to append: the event is durable before
// anyone reacts, what must happen at once happens in the caller's goroutine, and
// what may take its time is delivered from the store, also after a crash.
func Example_appendEvent() {
	store := eventstore.New(eventstore.Memory()) // or over SQLite, or PostgreSQL
	appendEvent := func(ctx context.Context, event eventstore.Event) error {
		stored, err := store.Append(ctx, []eventstore.Event{event})
		if persisted, ok := errors.AsType[*eventstore.PersistedError](err); ok {
			return fmt.Errorf("event %d is stored, but: %w", stored[0].Position, persisted)
		}
		if err != nil {
			return fmt.Errorf("failed to persist event: %w", err)
		}
		return nil
	}
	store.Persisted().Subscribe(func(_ context.Context, e eventstore.Recorded) error {
		fmt.Println("persisted:", e.Type)
		return nil
	})
	processed := func(_ context.Context, e eventstore.Recorded) error {
		fmt.Println("processed:", e.Type)
		return nil
	}

	ctx := context.Background()
	fmt.Println(appendEvent(ctx, eventstore.Event{Type: "order placed", Stream: "order-1"}))
	if _, err := store.Listen("processing", eventstore.All(), processed); err != nil {
		fmt.Println(err)
	}
	fmt.Println(store.Wait(ctx, "processing", 1), store.Close(ctx))
	// Output:
	// persisted: order placed
	// <nil>
	// processed: order placed
	// <nil> <nil>
}

// A durable listener goes on where it was, tries again what failed, and keeps
// what it cannot handle.
func ExampleStore_Listen() {
	ctx := context.Background()
	store := eventstore.New(eventstore.Memory(), eventstore.Logger(slog.New(slog.DiscardHandler)))
	for _, address := range []string{"ann@example.com", "", "bob@example.com"} {
		if _, err := store.Append(ctx, []eventstore.Event{{Type: "signed up", Data: []byte(address)}}); err != nil {
			fmt.Println(err)
		}
	}

	mail := func(_ context.Context, e eventstore.Recorded) error {
		if len(e.Data) == 0 {
			return errors.New("no address")
		}
		fmt.Printf("mail to %s\n", e.Data)
		return nil
	}
	signedUp := eventstore.Match(eventstore.Item{Types: []string{"signed up"}})
	l, err := store.Listen("welcome", signedUp, mail, eventstore.Attempts(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := store.Wait(ctx, l.Key(), 3); err != nil {
		fmt.Println(err)
	}
	for d, err := range store.DeadLetters(ctx, l.Key()) {
		fmt.Println("position", d.Position, "failed:", d.Err, err)
	}
	fmt.Println(store.Close(ctx))
	// Output:
	// mail to ann@example.com
	// mail to bob@example.com
	// position 2 failed: no address <nil>
	// <nil>
}

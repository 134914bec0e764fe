package postgres

import (
	"context"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5/pgxpool"
)

// within returns a context that ends when patience does.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// await waits for a value or the closing of the channel.
func await[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-within(t).Done():
		t.Fatalf("still waiting: %s", what)
	}
	return v
}

// until waits until the statement is true.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("still waiting: %s", what)
		}
	}
}

// untilOneWaits waits until somebody waits for a row's or an advisory lock
// in that pool's database.
func untilOneWaits(t testing.TB, pool *pgxpool.Pool, statement string) {
	t.Helper()
	until(t, "somebody waits for a lock", func() bool {
		var n int
		err := pool.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity
			WHERE wait_event_type = 'Lock' AND position($1 in query) > 0`, statement).Scan(&n)
		return err == nil && n > 0
	})
}

func event(kind, stream string, tags ...string) eventstore.Event {
	return eventstore.Event{Type: kind, Stream: stream, Tags: tags}
}

func one(id string) []eventstore.Event { return []eventstore.Event{{ID: id, Type: "a"}} }

// ids returns those of all events of the store.
func ids(t testing.TB, b eventstore.Backend) (out []string) {
	t.Helper()
	for r, err := range eventstore.New(b).Read(within(t), eventstore.All()) {
		ok(t, err)
		if int(r.Position) != len(out)+1 {
			t.Fatalf("position %d after %d events", r.Position, len(out))
		}
		out = append(out, r.ID)
	}
	return out
}

// follow follows all events from the beginning, until the test ends.
func follow(t testing.TB, b eventstore.Backend) <-chan eventstore.Recorded {
	ctx, cancel := context.WithCancel(context.Background())
	out, done := make(chan eventstore.Recorded, 10000), make(chan struct{})
	store := eventstore.New(b)
	go func() {
		defer close(done)
		for r, err := range store.Follow(ctx, eventstore.All(), 0) {
			if err != nil {
				t.Errorf("follow: %v", err)
				return
			}
			out <- r
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return out
}

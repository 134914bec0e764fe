package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// counting is a read model: how often each event was applied.
func counting(t *testing.T, db *DB) func(context.Context, pgx.Tx, eventstore.Recorded) error {
	t.Helper()
	must(db.pool.Exec(within(t), db.sql("CREATE TABLE {s}.counts (id text PRIMARY KEY, n int)")))
	return func(ctx context.Context, tx pgx.Tx, r eventstore.Recorded) error {
		_, err := tx.Exec(ctx, db.sql("INSERT INTO {s}.counts AS c VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = c.n + 1"), r.ID)
		return err
	}
}

// counted checks that n events are in the read model, each once.
func counted(t *testing.T, db *DB, n int) {
	t.Helper()
	var rows, sum int
	ok(t, db.pool.QueryRow(within(t), db.sql("SELECT count(*), coalesce(sum(n), 0) FROM {s}.counts")).Scan(&rows, &sum))
	if rows != n || sum != n {
		t.Errorf("%d events were applied %d times; want %d, each once", rows, sum, n)
	}
}

func TestAProjectionCommitsWithItsCheckpoint(t *testing.T) {
	ctx := within(t)
	db := open(t, newPool(t, sharedServer(t)), newSchema())
	store := eventstore.New(db)
	apply := counting(t, db)
	for i := range 300 {
		must(store.Append(ctx, one(fmt.Sprint("old", i))))
	}
	boom := errors.New("boom")
	var failed atomic.Int32
	l := must(Project(store, "counts", eventstore.All(), func(ctx context.Context, tx pgx.Tx, r eventstore.Recorded) error {
		if err := apply(ctx, tx, r); err != nil {
			return err
		}
		if r.ID == "old200" {
			failed.Add(1)
			return boom // what it wrote is rolled back
		}
		return nil
	}, eventstore.Backoff(time.Millisecond, time.Millisecond), eventstore.Attempts(3)))
	for i := range 50 {
		must(store.Append(ctx, one(fmt.Sprint("new", i))))
	}
	ok(t, store.Wait(ctx, "counts", 350))
	counted(t, db, 349)
	letters := must(db.DeadLetters(ctx, "counts", 0, 10))
	if len(letters) != 1 || letters[0].ID != "old200" || failed.Load() < 3 {
		t.Errorf("dead letters %+v after %d failures", letters, failed.Load())
	}
	ok(t, l.Stop(ctx))
	ok(t, store.Close(ctx))
}

func TestAProjectionInSeveralProcessesAppliesEachEventOnce(t *testing.T) {
	ctx := within(t)
	s, schema := sharedServer(t), newSchema()
	first := open(t, newPool(t, s), schema, Poll(20*time.Millisecond))
	apply := counting(t, first)
	appender := eventstore.New(first)
	const n = 200
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			if _, err := appender.Append(ctx, one(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		}
	}()
	// Each works for a while and goes away with its connections.
	for i := range 4 {
		db := open(t, newPool(t, s), schema, Poll(20*time.Millisecond))
		store := eventstore.New(db)
		must(Project(store, "counts", eventstore.All(), apply))
		ok(t, eventstore.New(db).Wait(ctx, "counts", eventstore.Position(20*(i+1))))
		if i < 3 {
			ok(t, db.Close()) // under the feet of the store
			ok(t, store.Close(ctx))
			continue
		}
		<-done
		ok(t, store.Wait(ctx, "counts", n))
		ok(t, store.Close(ctx))
	}
	counted(t, first, n)
}

func TestProjectNeedsAStoreOverPostgres(t *testing.T) {
	apply := func(context.Context, pgx.Tx, eventstore.Recorded) error { return nil }
	if _, err := Project(eventstore.New(eventstore.Memory()), "k", eventstore.All(), apply); !errors.Is(err, eventstore.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
	if _, err := Project(nil, "k", eventstore.All(), apply); err == nil {
		t.Error("no store was accepted")
	}
	if _, err := Project(eventstore.New(eventstore.Memory()), "k", eventstore.All(), nil); err == nil {
		t.Error("no function was accepted")
	}
}

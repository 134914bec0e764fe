package postgres

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestAppendTxIsPartOfTheTransaction(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	db := open(t, pool, newSchema(), Poll(time.Hour))
	store := eventstore.New(db)
	store.Persisted().Subscribe(func(context.Context, eventstore.Recorded) error {
		t.Error("Persisted was emitted for a transaction of the caller")
		return nil
	})
	followed := follow(t, db)
	must(pool.Exec(ctx, db.sql("CREATE TABLE {s}.orders (id text PRIMARY KEY)")))

	place := func(id string, end func(pgx.Tx) error) {
		tx := must(pool.Begin(ctx))
		must(tx.Exec(ctx, db.sql("INSERT INTO {s}.orders VALUES ($1)"), id))
		stored := must(db.AppendTx(ctx, tx, []eventstore.Event{{ID: id, Type: "placed", Stream: "orders"}}))
		more := must(db.AppendTx(ctx, tx, []eventstore.Event{{ID: id + "+", Type: "paid", Stream: "orders"}},
			eventstore.ExpectVersion("orders", stored[0].Version)))
		if more[0].Position != stored[0].Position+1 || more[0].Version != stored[0].Version+1 {
			t.Errorf("the second is at %d, version %d", more[0].Position, more[0].Version)
		}
		ok(t, end(tx))
	}
	commit := func(tx pgx.Tx) error { return tx.Commit(ctx) }
	place("1", commit)
	place("2", func(tx pgx.Tx) error { return tx.Rollback(ctx) })
	place("3", commit)

	for i, id := range []string{"1", "1+", "3", "3+"} {
		if r := await(t, "a committed event", followed); r.ID != id || int(r.Position) != i+1 {
			t.Errorf("followed %s at %d; want %s", r.ID, r.Position, id)
		}
	}
	rows, _ := pool.Query(ctx, db.sql("SELECT id FROM {s}.orders ORDER BY 1"))
	if orders := must(pgx.CollectRows(rows, pgx.RowTo[string])); !slices.Equal(orders, []string{"1", "3"}) {
		t.Errorf("orders %v", orders)
	}
}

func TestAppendTxThatIsRefusedLeavesTheTransactionUsable(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	db := open(t, pool, newSchema())
	store := eventstore.New(db)
	must(store.Append(ctx, one("a")))
	tx := must(pool.Begin(ctx))
	_, err := db.AppendTx(ctx, tx, one("b"), eventstore.ExpectStream("nobody"))
	if _, conflict := errors.AsType[*eventstore.ConflictError](err); !conflict {
		t.Fatalf("error %v; want a conflict", err)
	}
	_, err = db.AppendTx(ctx, tx, []eventstore.Event{{ID: "a", Type: "other"}})
	if _, duplicate := errors.AsType[*eventstore.DuplicateError](err); !duplicate {
		t.Fatalf("error %v; want a duplicate", err)
	}
	if _, err := db.AppendTx(ctx, tx, nil); err == nil {
		t.Error("no events were accepted")
	}
	again := must(db.AppendTx(ctx, tx, one("a"), eventstore.ExpectStream("nobody")))
	must(db.AppendTx(ctx, tx, one("b")))
	ok(t, tx.Commit(ctx))
	if again[0].Position != 1 || !slices.Equal(ids(t, db), []string{"a", "b"}) {
		t.Errorf("again at %d, events %v", again[0].Position, ids(t, db))
	}
}

// A late commit at an earlier position would be skipped by those who follow.
func TestACommitAtAnEarlierPositionIsNeverLate(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	schema := newSchema()
	db, other := open(t, pool, schema), open(t, pool, schema)
	followed := follow(t, db)
	tx := must(pool.Begin(ctx))
	must(db.AppendTx(ctx, tx, one("early")))
	done := make(chan error, 1)
	go func() {
		_, err := eventstore.New(other).Append(ctx, one("late"))
		done <- err
	}()
	untilOneWaits(t, pool, "counter")
	if head := must(db.Head(ctx)); head != 0 {
		t.Errorf("head %d while the first is uncommitted", head)
	}
	ok(t, tx.Commit(ctx))
	ok(t, await(t, "the later append", done))
	for _, id := range []string{"early", "late"} {
		if r := await(t, "an event", followed); r.ID != id {
			t.Errorf("followed %s; want %s", r.ID, id)
		}
	}
}

func TestASerializableTransactionThatCameTooLateFails(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	db := open(t, pool, newSchema())
	for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
		tx := must(pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: level}))
		must(tx.Exec(ctx, "SELECT 1")) // its snapshot
		must(eventstore.New(db).Append(ctx, one("between "+string(level))))
		_, err := db.AppendTx(ctx, tx, one("x"))
		if e, is := errors.AsType[*pgconn.PgError](err); !is || e.Code != "40001" {
			t.Errorf("%s: error %v; want a serialization failure", level, err)
		}
		ok(t, tx.Rollback(ctx))

		tx = must(pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: level}))
		must(db.AppendTx(ctx, tx, one("in time "+string(level))))
		ok(t, tx.Commit(ctx))
	}
	if n := len(ids(t, db)); n != 4 {
		t.Errorf("%d events", n)
	}
}

func TestAppendsAreDurableWhateverTheSessionSays(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	db := open(t, pool, newSchema())
	for set, want := range map[string]string{"off": "on", "local": "local", "remote_apply": "remote_apply"} {
		tx := must(pool.Begin(ctx))
		must(tx.Exec(ctx, "SET LOCAL synchronous_commit = "+set))
		must(db.AppendTx(ctx, tx, one(set)))
		var is string
		ok(t, tx.QueryRow(ctx, "SHOW synchronous_commit").Scan(&is))
		if is != want {
			t.Errorf("synchronous_commit was %s and is %s; want %s", set, is, want)
		}
		ok(t, tx.Rollback(ctx))
	}
}

func TestCallsInsideOfAProjectionFailAtOnce(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	db := open(t, pool, newSchema())
	store := eventstore.New(db)
	must(store.Append(ctx, one("a")))
	must(db.OpenKey(ctx, "k", 0))
	ok(t, db.Advance(ctx, eventstore.Move{Key: "k", To: 1}, func(ctx context.Context, tx any) error {
		if _, err := store.Append(ctx, one("b")); err == nil {
			t.Error("an append over another connection was accepted")
		}
		if err := db.Advance(ctx, eventstore.Move{Key: "k", To: 1}, nil); err == nil || errors.Is(err, eventstore.ErrMoved) {
			t.Errorf("a move of the same key: error %v", err)
		}
		_, err := db.AppendTx(ctx, tx.(pgx.Tx), one("c"))
		return err
	}))
	if got := ids(t, db); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("events %v", got)
	}
}

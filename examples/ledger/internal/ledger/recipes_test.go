package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/postgres"
	"example.com/signals/eventstore/sqlite"
)

func TestWhatIsInTheTableAndWhatIsPublishedAgree(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (s *eventstore.Store, place func(order string, cents int64) error){
		"sqlite": func(t *testing.T) (*eventstore.Store, func(string, int64) error) {
			db := openFile(t, filepath.Join(t.TempDir(), "db"))
			must(t, db.Update(t.Context(), func(tx *sqlite.Tx) error {
				_, err := tx.ExecContext(t.Context(), "CREATE TABLE orders (id TEXT PRIMARY KEY, cents INTEGER CHECK (cents > 0))")
				return err
			}))
			return newStore(t, db), func(order string, cents int64) error { return placeInSQLite(t.Context(), db, order, cents) }
		},
		"postgres": func(t *testing.T) (*eventstore.Store, func(string, int64) error) {
			pool, db := openPool(t, newDSN(t))
			_, err := pool.Exec(t.Context(), "CREATE TABLE orders (id text PRIMARY KEY, cents bigint CHECK (cents > 0))")
			must(t, err)
			return newStore(t, db), func(order string, cents int64) error {
				return placeInPostgres(t.Context(), pool, db, order, cents)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, place := open(t)
			for order, cents := range map[string]int64{"a": 1, "b": 2} {
				must(t, place(order, cents))
			}
			if place("c", -1) == nil || place("a", 5) == nil {
				t.Error("an order that the table refuses was placed")
			}
			var sent []string
			var calls atomic.Int32
			l, err := publish(store, func(_ context.Context, id string, _ []byte) error {
				sent = append(sent, id)
				calls.Add(1)
				return nil
			})
			must(t, err)
			must(t, store.Wait(t.Context(), "publish", 2))
			must(t, l.Stop(t.Context()))
			if slices.Sort(sent); !slices.Equal(sent, []string{"placed-a", "placed-b"}) || calls.Load() != 2 {
				t.Errorf("published: %v", sent)
			}
		})
	}
}

func TestAProjectionIsReadWithOnesOwnWrites(t *testing.T) {
	db := openFile(t, filepath.Join(t.TempDir(), "db"))
	must(t, db.Update(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.ExecContext(t.Context(), "CREATE TABLE open_orders (stream TEXT PRIMARY KEY)")
		return err
	}))
	store := newStore(t, db)
	_, err := sqlite.Project(store, "open orders", eventstore.All(), func(ctx context.Context, tx *sqlite.Tx, r eventstore.Recorded) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO open_orders VALUES (?)", r.Stream)
		return err
	})
	must(t, err)
	list := func(ctx context.Context) (out []string, err error) {
		err = db.Update(ctx, func(tx *sqlite.Tx) error {
			rows, err := tx.QueryContext(ctx, "SELECT stream FROM open_orders ORDER BY stream")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var s sql.NullString
				if err := rows.Scan(&s); err != nil {
					return err
				}
				out = append(out, s.String)
			}
			return rows.Err()
		})
		return out, err
	}
	for n := range 20 {
		got, err := placeAndList(t.Context(), store, fmt.Sprint(n), list)
		must(t, err)
		if len(got) != n+1 {
			t.Fatalf("after %d orders the list is %v", n+1, got)
		}
	}
}

func TestAStoreIsBackedUpAndMovedFromSQLiteToPostgres(t *testing.T) {
	db := openFile(t, filepath.Join(t.TempDir(), "db"))
	from := newStore(t, db)
	join := eventstore.Model[struct{}]{Stream: "customers", Query: eventstore.OfStream("customers"), Fold: func(s struct{}, _ any) struct{} { return s }}
	ann := []any{Joined{Customer: "c1", Name: "Ann"}}
	people := eventstore.New(db, eventstore.Types(today(db)))
	_, err := eventstore.Decide(t.Context(), people, join, func(struct{}) ([]any, error) { return ann, nil })
	must(t, err)
	place := func(s *eventstore.Store, n int) {
		for range n {
			_, err := s.Append(t.Context(), []eventstore.Event{{Type: "order placed", Stream: "orders", Tags: []string{"shop"}}})
			must(t, err)
		}
	}
	place(from, 30)
	must(t, backUp(t.Context(), db, filepath.Join(t.TempDir(), "copy")))

	_, there := openPool(t, newDSN(t))
	to := newStore(t, there)
	var sum atomic.Int64
	listen := func(s *eventstore.Store) *eventstore.Listener {
		l, err := s.Listen("sum", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error { sum.Add(int64(r.Position)); return nil })
		must(t, err)
		must(t, s.Wait(t.Context(), "sum", must2(s.Head(t.Context()))(t)))
		return l
	}
	must(t, listen(from).Stop(t.Context()))
	must(t, move(t.Context(), from, to, "sum"))
	must(t, move(t.Context(), from, to, "sum")) // again: nothing more
	if a, b := must2(from.Identity(t.Context()))(t), must2(to.Identity(t.Context()))(t); a != b {
		t.Errorf("the identity was %s and is %s", a, b)
	}
	place(to, 12)
	listen(to)
	if got := sum.Load(); got != 43*44/2 {
		t.Errorf("the listener saw %d, want each of 43 positions once: %d", got, 43*44/2)
	}
	for r, err := range to.Read(t.Context(), eventstore.All(), eventstore.Until(1)) {
		must(t, err)
		values, err := today(there).Decode(t.Context(), r)
		if err != nil || !slices.Equal(values, ann) {
			t.Errorf("in the new store, who joined is %v, %v; want %v", values, err, ann)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must2[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		must(t, err)
		return v
	}
}

func newStore(t *testing.T, b eventstore.Backend) *eventstore.Store {
	t.Helper()
	s := eventstore.New(b)
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openFile(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(path)
	must(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func openPool(t *testing.T, dsn string) (*pgxpool.Pool, *postgres.DB) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	must(t, err)
	t.Cleanup(pool.Close)
	db, err := postgres.Open(t.Context(), pool)
	must(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool, db
}

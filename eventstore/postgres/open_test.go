package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestProcessesThatOpenAnEmptyDatabaseAgree(t *testing.T) {
	ctx := within(t)
	s, schema := sharedServer(t), newSchema()
	found := make([]string, 6)
	var group sync.WaitGroup
	for i := range found {
		pool := newPool(t, s)
		group.Go(func() {
			db, err := Open(ctx, pool, schema)
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if found[i], err = db.Identity(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, id := range found {
		if id == "" || id != found[0] {
			t.Errorf("identities %v", found)
		}
	}
	if again := must(open(t, newPool(t, s), schema).Identity(ctx)); again != found[0] {
		t.Errorf("identity %s after reopening; want %s", again, found[0])
	}
}

func TestTablesOfANewerVersionAreRefused(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	schema := newSchema()
	db := open(t, pool, schema)
	must(pool.Exec(ctx, db.sql("UPDATE {s}.store SET version = 99")))
	_, err := Open(ctx, pool, schema)
	if err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("error %v", err)
	}
}

func TestAServerWithoutFsyncIsRefused(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, ownServer(t, "-c", "fsync=off"))
	if _, err := Open(ctx, pool); err == nil || !strings.Contains(err.Error(), "fsync") {
		t.Errorf("error %v", err)
	}
	must(eventstore.New(open(t, pool, WithoutFsync())).Append(ctx, one("a")))
}

// A role that may use the tables, and make none, opens what another one made.
func TestARoleWithoutRightsToCreateOpensWhatIsThere(t *testing.T) {
	ctx := within(t)
	s := sharedServer(t)
	pool := newPool(t, s)
	schema := newSchema()
	must(pool.Exec(ctx, "CREATE ROLE appender LOGIN"))
	as := must(pgxpool.New(ctx, strings.Replace(s.dsn(), "user=postgres", "user=appender", 1)))
	defer as.Close()
	if _, err := Open(ctx, as, schema); err == nil {
		t.Error("a role without rights made a schema")
	}
	db := open(t, pool, schema)
	must(pool.Exec(ctx, db.sql(`GRANT USAGE ON SCHEMA {s} TO appender;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {s} TO appender`)))
	must(eventstore.New(open(t, as, schema)).Append(ctx, one("a")))
	if n := len(ids(t, db)); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestOptionsThatMakeNoSensePanic(t *testing.T) {
	for i, fn := range []func(){
		func() { Schema("") }, func() { Schema(strings.Repeat("x", 64)) }, func() { Schema("a\x00") },
		func() { Poll(0) }, func() { CommitTimeout(-1) },
		func() { _, _ = Open(context.Background(), nil) },
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "postgres: ") {
					t.Errorf("case %d: panic %q", i, text)
				}
			}()
			fn()
		}()
	}
}

// Each kind of damage that Check looks for is found.
func TestCheckFindsDamage(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	for damage, want := range map[string]string{
		"DELETE FROM {s}.events WHERE position = 2":                     "the counter is at 3",
		"UPDATE {s}.counter SET position = 4":                           "the counter is at 4",
		"UPDATE {s}.events SET version = 7 WHERE position = 1":          "has version 7",
		"UPDATE {s}.events SET version = 1 WHERE position = 3":          "no stream",
		"DELETE FROM {s}.event_tags WHERE tag = 't'":                    "tag t of the event at position 1",
		"INSERT INTO {s}.event_tags VALUES ('u', 3)":                    "tag u of the event at position 3",
		"INSERT INTO {s}.dead_letters VALUES ('k', 9, '', 1)":           "key k has a dead letter at position 9",
		"INSERT INTO {s}.subjects VALUES ('customer 7', 'id', '\\x00')": "customer 7",
		"DELETE FROM {s}.counter":                                       "0 rows in table counter",
	} {
		db := open(t, pool, newSchema())
		must(eventstore.New(db).Append(ctx, []eventstore.Event{event("a", "s", "t"), event("a", "s"), event("b", "")}))
		must(db.OpenKey(ctx, "k", 0))
		ok(t, db.Check(ctx))
		must(pool.Exec(ctx, db.sql(damage)))
		if err := db.Check(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("after %s: error %v; want one with %q", damage, err, want)
		}
	}
}

func TestTooLargeABatchIsRefusedBeforeAnythingIsSent(t *testing.T) {
	_, err := size(eventstore.Batch{Events: []eventstore.Event{{ID: "a", Type: "a", Data: make([]byte, maxBatch)}}})
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("error %v", err)
	}
}

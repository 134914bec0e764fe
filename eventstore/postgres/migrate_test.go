package postgres

import (
	"context"
	"errors"
	"slices"
	"testing"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5/pgxpool"
)

// made makes tables of an older version, with what is in them.
func made(ctx context.Context, pool *pgxpool.Pool, schema Option, steps []string, fill string) {
	old := &DB{}
	schema(&old.config)
	for _, step := range slices.Concat([]string{"CREATE SCHEMA {s}"}, steps, []string{fill}) {
		must(pool.Exec(ctx, old.sql(step)))
	}
}

// A checkpoint of version 1 does not say of which history it is. Its listener goes on,
// and then it says it; also beside a program of version 1 that is still running, and
// moves it without saying it.
func TestACheckpointOfVersion1GoesOnAndThenSaysItsHistory(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	schema := newSchema()
	made(ctx, pool, schema, []string{schemaSQL}, `INSERT INTO {s}.store (version, identity) VALUES (1, 'mine');
		INSERT INTO {s}.events VALUES (1, 'one', 'a', 1, NULL, 0, NULL, '', NULL, 0, 0), (2, 'two', 'a', 1, NULL, 0, NULL, '', NULL, 0, 0),
			(3, 'three', 'a', 1, NULL, 0, NULL, '', NULL, 0, 0);
		UPDATE {s}.counter SET position = 3;
		INSERT INTO {s}.checkpoints VALUES ('k', 1, '', 0), ('new', 0, '', 0), ('stopped', 2, 'it failed', 0)`)
	db := open(t, pool, schema)
	store := eventstore.New(db)
	says := func(key, id string) {
		t.Helper()
		c := must(db.Keys(ctx, key))[0]
		identity := ""
		if id != "" {
			identity = "mine"
		}
		if c.EventID != id || c.Identity != identity || c.Stopped != "" {
			t.Errorf("%+v; want event %q", c, id)
		}
	}
	run := func(key string, want int) {
		t.Helper()
		seen := 0
		l, err := store.Listen(key, eventstore.All(), func(context.Context, eventstore.Recorded) error { seen++; return nil })
		ok(t, err)
		ok(t, errors.Join(store.Wait(ctx, key, 3), l.Stop(ctx)))
		if seen != want {
			t.Errorf("%q: %d events; want %d", key, seen, want)
		}
	}
	says("k", "")
	for key, want := range map[string]int{"k": 2, "new": 3, "stopped": 1} {
		run(key, want)
		says(key, "three")
	}
	must(pool.Exec(ctx, db.sql("UPDATE {s}.checkpoints SET position = 2, stopped = '', updated_ns = 0 WHERE key = 'k'"))) // as version 1 does
	says("k", "")
	run("k", 1)
	says("k", "three")
	ok(t, store.Check(ctx))
	if id := must(db.Identity(ctx)); id != "mine" {
		t.Errorf("identity %s", id)
	}
}

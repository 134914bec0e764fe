package postgres

import (
	"strings"
	"testing"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// The server's own checksums see a page that changed on the disk, if they are on; not a
// row that somebody wrote to, nor what a back-up brought back wrong.
func TestAByteThatChangedInAnEventIsFound(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	const second = `position 2, event "two" of stream "s"`
	for statement, want := range map[string]string{
		"UPDATE {s}.events SET data = set_byte(data, 3, 0) WHERE position = 2":      second,
		`UPDATE {s}.events SET meta = '{"user": "eve"}' WHERE position = 2`:         second,
		"UPDATE {s}.events SET time_ns = time_ns + 1 WHERE position = 2":            second,
		"UPDATE {s}.events SET stored_ns = stored_ns + 1 WHERE position = 2":        second,
		"UPDATE {s}.events SET schema = 2 WHERE position = 2":                       second,
		"UPDATE {s}.events SET sum = 7 WHERE position = 2":                          second,
		"UPDATE {s}.events SET id = 'twp' WHERE position = 2":                       `position 2, event "twp"`,
		"UPDATE {s}.events SET type = 'type?' WHERE position = 2":                   second,
		"UPDATE {s}.events SET stream = 't', version = 1 WHERE position = 2":        `position 2, event "two" of stream "t"`,
		"UPDATE {s}.events SET tags = ARRAY['x', 'z'] WHERE position = 2":           second,
		"UPDATE {s}.events SET data = data || '\\x20'::bytea WHERE position IN (1)": `position 1, event "one"`,
	} {
		db := open(t, pool, newSchema())
		store := eventstore.New(db)
		for _, id := range []string{"one", "two", "three"} {
			must(store.Append(ctx, []eventstore.Event{{
				ID: id, Type: "type", Stream: "s", Tags: []string{"x", "y"}, Data: []byte(`{"a":1}`), Meta: map[string]string{"user": "bob", "at": "ü"},
			}}))
		}
		if v, err := store.Verify(ctx); err != nil || v != (eventstore.Verified{Events: 3}) {
			t.Fatalf("before: %+v, %v", v, err)
		}
		must(pool.Exec(ctx, db.sql(statement)))
		if _, err := store.Verify(ctx); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "is not what was stored") {
			t.Errorf("after %s: %v; want %s", statement, err, want)
		}
	}
}

// Events of older versions have no checksum, nor those of a program of an older version
// that is still running. They are read as ever, and Check says how many there are.
func TestEventsOfVersion2HaveNoChecksumAndThoseThatComeHave(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	schema := newSchema()
	made(ctx, pool, schema, []string{schemaSQL, schema2SQL}, `INSERT INTO {s}.store (version, identity) VALUES (2, 'mine');
		INSERT INTO {s}.events VALUES (1, 'one', 'a', 1, NULL, 0, NULL, '', NULL, 0, 0), (2, 'two', 'a', 1, NULL, 0, NULL, '', NULL, 0, 0);
		UPDATE {s}.counter SET position = 2`)
	db := open(t, pool, schema)
	store := eventstore.New(db)
	must(store.Append(ctx, one("three")))
	ok(t, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := db.AppendTx(ctx, tx, one("four"))
		return err
	}))
	if v, err := store.Verify(ctx); err != nil || v != (eventstore.Verified{Events: 4, WithoutChecksum: 2}) {
		t.Errorf("%+v, %v", v, err)
	}
	must(pool.Exec(ctx, db.sql(`UPDATE {s}.events SET data = '\x00' WHERE position IN (1, 4)`)))
	if _, err := store.Verify(ctx); err == nil || strings.Contains(err.Error(), "position 1,") || !strings.Contains(err.Error(), "position 4,") {
		t.Errorf("%v", err)
	}
}

// An event that is missing is not said to have changed those behind it.
func TestBehindAGapNothingHasChanged(t *testing.T) {
	ctx := within(t)
	pool := newPool(t, sharedServer(t))
	db := open(t, pool, newSchema())
	store := eventstore.New(db)
	for range 20 {
		must(store.Append(ctx, []eventstore.Event{{Type: "a"}}))
	}
	must(pool.Exec(ctx, db.sql("DELETE FROM {s}.events WHERE position = 7; UPDATE {s}.events SET data = '\\x00' WHERE position = 12")))
	v, err := store.Verify(ctx)
	if v.Events != 19 || err == nil || !strings.Contains(err.Error(), "position 8 follows 6") {
		t.Fatalf("%+v, %v", v, err)
	}
	if text := err.Error(); strings.Count(text, "not what was stored") != 1 || !strings.Contains(text, "position 12, ") {
		t.Errorf("%v; want that of position 12 alone", err)
	}
}

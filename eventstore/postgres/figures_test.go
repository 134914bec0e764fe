package postgres

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var figures = flag.String("figures", "", "measure the `rows` of docs/benchmarks.md that match, and fail if one is short")

// figure compares the rate of appends with that of plain inserts of the same
// rows, or with that of other appends.
type figure struct {
	what          string
	goal          float64 // at least; 0 for no goal
	base, subject func(ctx context.Context) error
	baseN, n      int // goroutines
}

// TestFigures measures: make figures, or go test -run TestFigures -figures . -v.
func TestFigures(t *testing.T) {
	if *figures == "" {
		t.Skip("measures only with -figures: make figures")
	}
	rows := regexp.MustCompile(*figures)
	s := sharedServer(t)
	pool := figuresPool(t, s, 64)
	db := open(t, pool, Schema("figures"))
	plain := newPlain(t, pool)
	full := filled(t, pool, 100_000)

	store, fullStore := eventstore.New(db), eventstore.New(full)
	appends := func(store *eventstore.Store, tags int, conds func([]string) []eventstore.Condition) func(context.Context) error {
		return func(ctx context.Context) error {
			e := newEvent(tags)
			_, err := store.Append(ctx, []eventstore.Event{e}, conds(e.Tags)...)
			return err
		}
	}
	free := func([]string) []eventstore.Condition { return nil }
	none := func(tags []string) []eventstore.Condition {
		return []eventstore.Condition{eventstore.ExpectNone(eventstore.Match(eventstore.Item{Tags: tags}), 0)}
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintln(out, "what\tgoal\tmeasured\t\tbase, a second\tsubject")
	for _, f := range []figure{
		{"64 appenders / 64 plain inserters", 0.7, plain.insert(0), appends(store, 0, free), 64, 64},
		{"the same with 3 tags each", 0.7, plain.insert(3), appends(store, 3, free), 64, 64},
		{"a lone appender / a lone plain inserter", 0, plain.insert(0), appends(store, 0, free), 1, 1},
		{"the same with 3 tags each", 0, plain.insert(3), appends(store, 3, free), 1, 1},
		{"64 appenders / the lone one", 0, appends(store, 0, free), appends(store, 0, free), 1, 64},
		{"64 appenders with a condition on 3 tags / without", 0, appends(store, 3, free), appends(store, 3, none), 64, 64},
		{"the same at 100,000 events", 0, appends(fullStore, 3, free), appends(fullStore, 3, none), 64, 64},
	} {
		if !rows.MatchString(f.what) {
			continue
		}
		ratio, base, subject := f.measure(t)
		verdict, goal := "-", "-"
		if f.goal > 0 {
			verdict, goal = "ok", fmt.Sprintf(">= %.3g x", f.goal)
			if ratio < f.goal {
				verdict = "short"
				t.Errorf("short: %s: %.3g x, want at least %.3g x", f.what, ratio, f.goal)
			}
		}
		fmt.Fprintf(out, "%s\t%s\t%.3g x\t%s\t%.0f\t%.0f\n", f.what, goal, ratio, verdict, base, subject)
	}
}

// measure lets base and subject take turns, and returns the median of the
// ratios of neighbours, with the median rates.
func (f figure) measure(t *testing.T) (ratio, base, subject float64) {
	const turns, slice = 7, 700 * time.Millisecond
	var ratios, bases, subjects []float64
	for range turns {
		b, s := rate(t, f.base, f.baseN, slice), rate(t, f.subject, f.n, slice)
		ratios, bases, subjects = append(ratios, s/b), append(bases, b), append(subjects, s)
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return v[len(v)/2]
	}
	return median(ratios), median(bases), median(subjects)
}

// rate returns how often n goroutines can call op in a second.
func rate(t *testing.T, op func(context.Context) error, n int, slice time.Duration) float64 {
	t.Helper()
	var ops atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for range n {
		group.Go(func() {
			for time.Since(began) < slice {
				if err := op(t.Context()); err != nil {
					t.Error(err)
					return
				}
				ops.Add(1)
			}
		})
	}
	group.Wait()
	return float64(ops.Load()) / time.Since(began).Seconds()
}

func figuresPool(t *testing.T, s *server, conns int) *pgxpool.Pool {
	t.Helper()
	c, err := pgxpool.ParseConfig(s.dsn())
	if err != nil {
		t.Fatal(err)
	}
	c.MaxConns = int32(conns)
	pool, err := pgxpool.NewWithConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// newEvent returns an event as a shop has them, with an id, and with tags that
// nothing else has.
func newEvent(tags int) eventstore.Event {
	e := eventstore.Event{
		ID: rand.Text(), Type: "order placed", Stream: rand.Text(),
		Data: []byte(`{"order":"536365","items":[{"code":"85123A","quantity":6,"price":255}],"customer":"17850"}`),
	}
	for i := range tags {
		e.Tags = append(e.Tags, fmt.Sprintf("kind%d:%s", i, rand.Text()))
	}
	return e
}

// plain is the same tables in the hands of somebody who inserts rows, with a
// sequence: one transaction for each event, in one round trip.
type plain struct{ pool *pgxpool.Pool }

func newPlain(t *testing.T, pool *pgxpool.Pool) plain {
	t.Helper()
	_, err := pool.Exec(t.Context(), `CREATE SCHEMA plain; CREATE SEQUENCE plain.position;
		CREATE TABLE plain.events (LIKE figures.events INCLUDING ALL);
		CREATE TABLE plain.event_tags (LIKE figures.event_tags INCLUDING ALL)`)
	if err != nil {
		t.Fatal(err)
	}
	return plain{pool}
}

func (p plain) insert(tags int) func(context.Context) error {
	const event = `INSERT INTO plain.events (position, id, type, schema, stream, version, tags, data, meta, time_ns, stored_ns)
		VALUES (nextval('plain.position'), $1, $2, 1, $3, 1, $4, $5, NULL, $6, $6)`
	return func(ctx context.Context) error {
		e := newEvent(tags)
		args := []any{e.ID, e.Type, e.Stream, e.Tags, e.Data, time.Now().UnixNano()}
		if tags == 0 {
			_, err := p.pool.Exec(ctx, event, args...)
			return err
		}
		var b pgx.Batch // one transaction
		b.Queue(event, args...)
		b.Queue("INSERT INTO plain.event_tags SELECT unnest($1::text[]), currval('plain.position')", e.Tags)
		return p.pool.SendBatch(ctx, &b).Close()
	}
}

// filled returns a store with that many events.
func filled(t testing.TB, pool *pgxpool.Pool, n int) *DB {
	t.Helper()
	db := open(t, pool, newSchema())
	store := eventstore.New(db)
	for n > 0 {
		batch := make([]eventstore.Event, min(n, 5000))
		for i := range batch {
			batch[i] = newEvent(2)
			batch[i].Tags = append(batch[i].Tags, fmt.Sprintf("common:%d", i%10))
		}
		if _, err := store.Append(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
		n -= len(batch)
	}
	if _, err := pool.Exec(context.Background(), db.sql("ANALYZE {s}.events, {s}.event_tags")); err != nil {
		t.Fatal(err)
	}
	return db
}

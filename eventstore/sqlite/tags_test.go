package sqlite_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
)

// Tags are in memory, on their way to the table, or in it: whatever is asked,
// forwards or backwards, as a condition, by a reader or within a transaction,
// after a rollback and after reopening, finds the same as going through all events.
func TestTagsAreFoundWhereverTheyAre(t *testing.T) {
	for _, keep := range []int{1, 4, 30, 100_000} {
		t.Run(fmt.Sprint("keep back ", keep), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(keep), 1))
			path := filepath.Join(t.TempDir(), "db")
			db := must(sqlite.Open(path, sqlite.KeepBack(keep)))(t)
			defer func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}()
			var all []eventstore.Recorded
			for range 50 {
				switch n := rnd.IntN(20); {
				case n == 0:
					if err := db.Close(); err != nil {
						t.Fatal(err)
					}
					db = must(sqlite.Open(path, sqlite.KeepBack(keep)))(t)
				case n < 4:
					undo := errors.New("undo")
					err := db.Update(t.Context(), func(tx *sqlite.Tx) error {
						added := must(tx.Append(randomEvents(rnd)))(t)
						conflicts(t, rnd, slices.Concat(all, added), func(c eventstore.Condition) error { _, err := tx.Append(one("x"), c); return err }, true)
						return undo
					})
					if !errors.Is(err, undo) {
						t.Fatal(err)
					}
				default:
					all = append(all, must(eventstore.New(db).Append(t.Context(), randomEvents(rnd)))(t)...)
				}
				store := eventstore.New(db)
				compareReads(t, rnd, store, all)
				conflicts(t, rnd, all, func(c eventstore.Condition) error {
					stored, err := store.Append(t.Context(), one("y"), c)
					all = append(all, stored...)
					return err
				}, false)
			}
			if err := eventstore.New(db).Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func randomEvents(rnd *rand.Rand) []eventstore.Event {
	out := make([]eventstore.Event, 1+rnd.IntN(5))
	for i := range out {
		out[i] = eventstore.Event{Type: string(rune('a' + rnd.IntN(3))), Tags: randomTags(rnd, 4)}
		if rnd.IntN(2) == 0 {
			out[i].Stream = fmt.Sprint("s", rnd.IntN(2))
		}
	}
	return out
}

func randomTags(rnd *rand.Rand, most int) (tags []string) {
	for range rnd.IntN(most) {
		tags = append(tags, fmt.Sprint("t", rnd.IntN(6)))
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

func randomQuery(rnd *rand.Rand) eventstore.Query {
	items := make([]eventstore.Item, 1+rnd.IntN(2))
	for i := range items {
		item := eventstore.Item{Tags: randomTags(rnd, 4)}
		if rnd.IntN(3) == 0 {
			item.Stream = fmt.Sprint("s", rnd.IntN(2))
		}
		if rnd.IntN(3) == 0 || len(item.Tags) == 0 && item.Stream == "" {
			item.Types = []string{string(rune('a' + rnd.IntN(3))), "b"}
		}
		items[i] = item
	}
	return eventstore.Match(items...)
}

// compareReads asks for something.
func compareReads(t *testing.T, rnd *rand.Rand, store *eventstore.Store, all []eventstore.Recorded) {
	t.Helper()
	for range 5 {
		q, after, backward := randomQuery(rnd), eventstore.Position(rnd.IntN(len(all)+1)), rnd.IntN(2) == 0
		opts := []eventstore.ReadOption{eventstore.After(after)}
		var want, got []eventstore.Position
		for i := range all {
			if all[i].Position > after && q.Matches(&all[i].Event) {
				want = append(want, all[i].Position)
			}
		}
		if backward {
			slices.Reverse(want)
			opts = append(opts, eventstore.Backward())
		}
		if rnd.IntN(3) == 0 {
			opts = append(opts, eventstore.Limit(3))
			want = want[:min(3, len(want))]
		}
		for r, err := range store.Read(t.Context(), q, opts...) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r.Position)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v after %d, backward %v: found %v, want %v", q, after, backward, got, want)
		}
	}
}

// conflicts appends under a condition that holds or does not. In a transaction
// one that holds would append, and so is not tried.
func conflicts(t *testing.T, rnd *rand.Rand, all []eventstore.Recorded, try func(eventstore.Condition) error, inside bool) {
	t.Helper()
	q, after := randomQuery(rnd), eventstore.Position(rnd.IntN(len(all)+1))
	there := slices.ContainsFunc(all, func(r eventstore.Recorded) bool { return r.Position > after && q.Matches(&r.Event) })
	if inside && !there {
		return
	}
	err := try(eventstore.ExpectNone(q, after))
	if _, conflict := errors.AsType[*eventstore.ConflictError](err); conflict != there || err != nil && !conflict {
		t.Fatalf("%v after %d: %v, and there is one: %v", q, after, err, there)
	}
}

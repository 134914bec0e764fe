package eventstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"example.com/signals/eventstore"
)

// Followers of every shape of query, woken through the index, get what a look
// at each event finds.
func TestEveryShapeOfQueryIsWoken(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			name := func(kind string) string { return fmt.Sprintf("%s%d", kind, random.IntN(3)) }
			some := func(kind string) (names []string) {
				for range random.IntN(3) {
					names = append(names, name(kind))
				}
				return names
			}
			queries := []eventstore.Query{eventstore.All()}
			for range 30 {
				var items []eventstore.Item
				for range 1 + random.IntN(3) {
					item := eventstore.Item{Types: some("type"), Tags: some("tag")}
					if random.IntN(3) == 0 || item.Types == nil && item.Tags == nil {
						item.Stream = name("stream")
					}
					items = append(items, item)
				}
				queries = append(queries, eventstore.Match(items...))
			}
			ctx, cancel := context.WithCancel(t.Context())
			store := eventstore.New(eventstore.Memory())
			got := make([]followed, len(queries))
			want := make([][]eventstore.Position, len(queries))
			for i, q := range queries {
				go got[i].run(ctx, store, q)
			}
			synctest.Wait()
			for range 100 {
				var batch []eventstore.Event
				for range 1 + random.IntN(3) {
					batch = append(batch, eventstore.Event{Type: name("type"), Stream: name("stream"), Tags: some("tag")})
				}
				stored, err := store.Append(t.Context(), batch)
				if err != nil {
					t.Fatal(err)
				}
				for i, q := range queries {
					for _, r := range stored {
						if q.Matches(&r.Event) {
							want[i] = append(want[i], r.Position)
						}
					}
				}
				if random.IntN(3) > 0 {
					synctest.Wait()
				}
			}
			synctest.Wait()
			for i := range queries {
				got[i].is(t, want[i]...)
			}
			cancel()
		})
	}
}

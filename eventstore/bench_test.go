package eventstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"example.com/signals/eventstore"
)

// BenchmarkAppendPastIdleFollowers is an append that none of so many waiting
// followers is concerned with. It should cost the same for any number.
func BenchmarkAppendPastIdleFollowers(b *testing.B) {
	for _, n := range []int{0, 1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			store := eventstore.New(eventstore.Memory())
			var began, ended sync.WaitGroup
			began.Add(n)
			first := []eventstore.Event{{Type: "opened", Stream: "everybody", Tags: []string{"everybody"}}}
			if _, err := store.Append(ctx, first); err != nil {
				b.Fatal(err)
			}
			for i := range n {
				q := eventstore.Match(
					eventstore.Item{Stream: "everybody"},
					[]eventstore.Item{
						{Stream: fmt.Sprint("order-", i)},
						{Types: []string{"placed"}, Tags: []string{fmt.Sprint("customer-", i)}},
						{Types: []string{fmt.Sprint("kind-", i)}},
					}[i%3],
				)
				ended.Go(func() {
					for _, err := range store.Follow(ctx, q, 0) {
						if err != nil {
							b.Error(err)
						}
						began.Done()
					}
				})
			}
			began.Wait()
			event := []eventstore.Event{{Type: "placed", Stream: "order", Tags: []string{"customer", "region"}}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := store.Append(ctx, event); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
			ended.Wait()
		})
	}
}

package eventstore_test

import (
	"context"
	"fmt"
	"testing"

	"example.com/signals"
	"example.com/signals/eventstore"
)

// BenchmarkCatchUp is what a durable listener costs for each event of a long
// history, beside a bare Read of it; and with that many others on the store.
func BenchmarkCatchUp(b *testing.B) {
	const events = 20_000
	store := eventstore.New(eventstore.Memory())
	batch := make([]eventstore.Event, 500)
	for i := range batch {
		batch[i] = eventstore.Event{Type: "placed", Stream: fmt.Sprint("order-", i), Tags: []string{"customer"}, Data: make([]byte, 100)}
	}
	for range events / len(batch) {
		if _, err := store.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	perEvent := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
	}
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range store.Read(b.Context(), eventstore.All()) {
				if n++; err != nil {
					b.Fatal(err)
				}
			}
		}
		perEvent(b)
	})
	nothing := func(context.Context, eventstore.Recorded) error { return nil }
	b.Run("listen in memory", func(b *testing.B) { // what a durable listener costs more than this
		var all []eventstore.Recorded
		for r, err := range store.Read(b.Context(), eventstore.All()) {
			if all = append(all, r); err != nil {
				b.Fatal(err)
			}
		}
		async := signals.New[eventstore.Recorded]()
		async.Subscribe(nothing)
		for b.Loop() {
			for _, r := range all {
				async.Emit(b.Context(), r)
			}
			if err := async.Drain(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b)
	})
	for _, others := range []int{0, 10, 100} {
		b.Run(fmt.Sprintf("listen beside %d", others), func(b *testing.B) {
			store := eventstore.New(store.Backend())
			for i := range others {
				key := fmt.Sprintf("%s-%d", b.Name(), i)
				if _, err := store.Listen(key, eventstore.All(), nothing, eventstore.FromHead()); err != nil {
					b.Fatal(err)
				}
			}
			n := 0
			for b.Loop() {
				n++
				key := fmt.Sprintf("%s-%p-%d", b.Name(), b, n)
				l, err := store.Listen(key, eventstore.All(), nothing)
				if err == nil {
					err = store.Wait(b.Context(), key, events)
				}
				if err == nil {
					err = l.Stop(b.Context())
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			perEvent(b)
			if err := store.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkAppendToDelivery is an append and the wait until a listener has
// handled it, beside the append alone.
func BenchmarkAppendToDelivery(b *testing.B) {
	store := eventstore.New(eventstore.Memory())
	event := []eventstore.Event{{Type: "placed", Stream: "order"}}
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			if _, err := store.Append(b.Context(), event); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("durable listener", func(b *testing.B) {
		got := make(chan eventstore.Position, 1)
		l, err := store.Listen("k", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error {
			got <- r.Position
			return nil
		}, eventstore.FromHead())
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := store.Append(b.Context(), event); err != nil {
				b.Fatal(err)
			}
			<-got
		}
		if err := l.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := store.DeleteCheckpoint(b.Context(), "k"); err != nil {
			b.Fatal(err)
		}
	})
}

package bridge_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/natsignals"
)

func (w *world) bucket(name string) jetstream.KeyValue {
	w.t.Helper()
	kv, err := w.js.CreateKeyValue(w.ctx, jetstream.KeyValueConfig{Bucket: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return kv
}

func TestAnIdempotentListenerRunsOnceThoughAnotherMakesTheMessageComeAgain(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	var charged, asked atomic.Int32
	s.Subscribe(natsignals.Idempotent(w.bucket("done"), "payment", func(context.Context, Order) error {
		charged.Add(1)
		return nil
	}))
	s.Subscribe(func(context.Context, Order) error {
		if asked.Add(1) < 4 {
			return errDeclined
		}
		return nil
	})
	c := w.consume("ORDERS", "shipping", s)
	w.put("orders.placed", Order{ID: 1})
	eventually(t, "handled", func() bool { return c.Stats().Handled >= 1 })
	if charged.Load() != 1 || asked.Load() != 4 {
		t.Errorf("charged %d times in %d deliveries; want once in 4", charged.Load(), asked.Load())
	}
	if err := s.EmitWait(w.ctx, Order{ID: 2}); err == nil || !strings.Contains(err.Error(), "no id") {
		t.Errorf("an emission from no bridge: %v; want an error", err)
	}
}

func TestFoldAppliesEachMessageOnceThoughItIsDeliveredOrStoredTwice(t *testing.T) {
	w := newWorld(t)
	w.streamOf(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Duplicates: 100 * time.Millisecond})
	kv := w.bucket("totals")
	s := async()
	closeSignal(t, s)
	s.Subscribe(natsignals.Fold(kv, func(o Order) string { return o.Key }, func(_ context.Context, sum int, o Order) (int, error) { return sum + o.ID, nil }))
	seen := make(map[int]int)
	s.Subscribe(func(_ context.Context, o Order) error { // each message comes twice
		if seen[o.ID]++; seen[o.ID] == 1 {
			return errDeclined
		}
		return nil
	})
	c := w.consume("ORDERS", "totals", s, natsignals.Ordered(1))
	out := async()
	closeSignal(t, out)
	w.publish(out, "orders.placed", natsignals.ID(func(o Order) string { return fmt.Sprint(o.ID) }))
	for _, o := range orders(10) {
		o.Key = "a key. with *"
		out.Emit(w.ctx, o)
	}
	eventually(t, "handled", func() bool { return c.Stats().Handled >= 10 })
	// Longer after the first than the stream remembers, the same fact again.
	eventually(t, "stored twice", func() bool {
		if err := out.EmitWait(w.ctx, Order{ID: 10, Key: "a key. with *"}); err != nil {
			t.Fatal(err)
		}
		return w.stored("ORDERS") == 11
	})
	eventually(t, "handled", func() bool { return c.Stats().Handled >= 11 })
	if got, err := natsignals.FoldedState[int](w.ctx, kv, "a key. with *"); err != nil || got != 55 {
		t.Errorf("%d, %v; want 55", got, err)
	}
}

func TestFoldWithoutOrderIsRefused(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	s.Subscribe(natsignals.Fold(w.bucket("totals"), func(o Order) string { return o.Key }, func(_ context.Context, n int, _ Order) (int, error) { return n, nil }))
	c := w.consume("ORDERS", "totals", s)
	w.put("orders.placed", Order{ID: 1})
	eventually(t, "refused", func() bool { return strings.Contains(c.Stats().Err, "without Ordered") })
}

package bridge_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/natsignals"
)

func TestARetryIsNotOvertakenInItsPartition(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	out := async()
	closeSignal(t, out)
	const partitions, keys, each = 4, 6, 20
	w.publish(out, "orders.placed", natsignals.Partitioned(partitions, func(o Order) string { return o.Key }))
	// Two processes share the work.
	var mu sync.Mutex
	got := make(map[string][]int)
	failed := make(map[Order]int)
	listen := func(_ context.Context, o Order) error {
		mu.Lock()
		defer mu.Unlock()
		if failed[o]++; o.ID%5 == 0 && failed[o] < 3 {
			return errDeclined
		}
		got[o.Key] = append(got[o.Key], o.ID)
		return nil
	}
	var consumers []*natsignals.Consumer
	for range 2 {
		s := signals.New[Order](signals.Logger(quiet))
		closeSignal(t, s)
		s.Subscribe(listen)
		_, js := w.connect()
		c, err := natsignals.Consume(w.ctx, js, "ORDERS", "shipping", s, natsignals.Filter("orders.placed"), natsignals.Ordered(partitions), quick, natsignals.Logger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeNow(c.Close) })
		consumers = append(consumers, c)
	}
	for i := range each {
		for k := range keys {
			out.Emit(w.ctx, Order{i + 1, fmt.Sprint("customer-", k)})
		}
	}
	eventually(t, "all handled", func() bool { return consumers[0].Stats().Handled+consumers[1].Stats().Handled == keys*each })
	mu.Lock()
	defer mu.Unlock()
	for _, ids := range got {
		wantIDs(t, ids, each)
	}
}

func TestPartitionsThatNobodyWouldReadAreAnError(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.put("orders.placed.5", Order{ID: 1})
	_, err := natsignals.Consume(w.ctx, w.js, "ORDERS", "shipping", async(), natsignals.Filter("orders.placed"), natsignals.Ordered(4))
	if err == nil || !strings.Contains(err.Error(), "orders.placed.5") {
		t.Errorf("%v; want an error that names the subject", err)
	}
}

func TestWhatWaitsInAllPartitionsIsSeen(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	c := w.consume("ORDERS", "shipping", s, natsignals.Filter("orders.placed"), natsignals.Ordered(2), natsignals.CheckEvery(20*time.Millisecond))
	w.put("orders.placed.0", orders(2)...)
	w.put("orders.placed.1", orders(3)...)
	eventually(t, "5 are pending", func() bool { return c.Stats().Pending == 5 })
}

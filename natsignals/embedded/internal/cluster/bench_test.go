//go:build linux

package cluster_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

// Until two of three servers have written the message, one message in flight;
// beside nats.go used by hand for the same bytes.
func BenchmarkPublishOnThreeServers(b *testing.B) {
	w := newWorld(b, "2m")
	_, js := w.connect("publisher")
	w.retried("make the stream", func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3})
		return err
	})
	first := Order{"a", 0}
	sent := 0 // a duplicate would be answered, and not written
	byHand := func(b *testing.B) {
		for range b.N {
			sent++
			o := Order{"hand", sent}
			data, _ := json.Marshal(o)
			m := &nats.Msg{Subject: "orders.placed", Data: data, Header: nats.Header{
				"Nats-Msg-Id": {o.id()}, "ce-id": {o.id()}, "ce-source": {"/cluster.test"}, "ce-type": {"cluster_test.Order"}, "ce-specversion": {"1.0"},
				"ce-time": {time.Now().UTC().Format(time.RFC3339Nano)}, "content-type": {"application/json"},
			}}
			if _, err := js.PublishMsg(w.ctx, m); err != nil {
				b.Fatal(err)
			}
		}
	}
	s := signals.NewSync[Order]()
	if _, err := natsignals.Publish(w.ctx, js, s, "orders.placed", natsignals.Replicas(3)); err != nil {
		b.Fatal(err)
	}
	bridge := func(b *testing.B) {
		for n := range b.N {
			first.N = n
			if err := s.TryEmit(w.ctx, first); err != nil {
				b.Fatal(err)
			}
		}
	}
	for range 3 { // in turn, since the machine has other things to do
		b.Run("by_hand", byHand)
		b.Run("bridge", bridge)
	}
}

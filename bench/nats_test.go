package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
	"example.com/signals/natsignals/embedded"
)

// Beside each figure of a bridge stands, from the same run, that of nats.go
// used by hand for the same: the same bytes and headers, acknowledged by the same stream,
// in order; or each message handled and its acknowledgement confirmed.

// order is about 100 bytes of JSON.
type order struct {
	ID       int
	Customer string
	Note     string
}

func orderOf(i int) order {
	return order{i, "customer-" + strconv.Itoa(i%1000), "sixty or so characters of whatever a customer has to say"}
}

// natsWorld is an embedded server and a connection over loopback.
type natsWorld struct {
	ctx context.Context
	nc  *nats.Conn
	js  jetstream.JetStream
}

func newNATS(b *testing.B, storage jetstream.StorageType) *natsWorld {
	b.Helper()
	server, err := embedded.Start(b.TempDir(), embedded.Logger(slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	nc, err := nats.Connect(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { nc.Close(); server.Close() })
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	w := &natsWorld{context.Background(), nc, js}
	if _, err := js.CreateStream(w.ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: storage, AllowAtomicPublish: true}); err != nil {
		b.Fatal(err)
	}
	return w
}

// natsMessage is what the bridge makes of an order.
func natsMessage(i int) *nats.Msg {
	data, _ := json.Marshal(orderOf(i))
	id := "0123456789abcdef01-" + strconv.Itoa(i)
	return &nats.Msg{Subject: "orders.placed", Data: data, Header: nats.Header{
		"Nats-Msg-Id": {id}, "ce-id": {id}, "ce-source": {"/bench.test"}, "ce-type": {"bench.order"}, "ce-specversion": {"1.0"},
		"ce-time": {time.Now().UTC().Format(time.RFC3339Nano)}, "content-type": {"application/json"},
	}}
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

var storages = map[string]jetstream.StorageType{"disk": jetstream.FileStorage, "memory": jetstream.MemoryStorage}

// BenchmarkNATSPublish: until the stream has acknowledged, one message in flight.
func BenchmarkNATSPublish(b *testing.B) {
	for _, where := range []string{"disk", "memory"} {
		b.Run(where+"/by_hand", func(b *testing.B) {
			w := newNATS(b, storages[where])
			for i := range b.N {
				if _, err := w.js.PublishMsg(w.ctx, natsMessage(i)); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b)
		})
		b.Run(where+"/sync", func(b *testing.B) {
			w := newNATS(b, storages[where])
			s := signals.NewSync[order]()
			if _, err := natsignals.Publish(w.ctx, w.js, s, "orders.placed", natsignals.AcceptLoss()); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for i := range b.N {
				if err := s.TryEmit(w.ctx, orderOf(i)); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b)
		})
		b.Run(where+"/async", func(b *testing.B) {
			w := newNATS(b, storages[where])
			s := signals.New[order]()
			if _, err := natsignals.Publish(w.ctx, w.js, s, "orders.placed", natsignals.AcceptLoss()); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for i := range b.N {
				s.Emit(w.ctx, orderOf(i))
			}
			if err := s.Drain(w.ctx); err != nil {
				b.Fatal(err)
			}
			perSecond(b)
		})
	}
}

// handed is an async signal that hands over batches of one size.
type handed struct {
	*signals.AsyncSignal[order]
	fn func(context.Context, []order) error
}

func (h *handed) SubscribeBatch(fn func(context.Context, []order) error, opts ...signals.ListenerOption) *signals.Subscription {
	h.fn = fn
	return h.Subscribe(func(context.Context, order) error { return nil }, opts...)
}

// BenchmarkNATSPublishBatch: batches that are stored as a whole, one in flight.
func BenchmarkNATSPublishBatch(b *testing.B) {
	for _, size := range []int{10, 100, 500} {
		b.Run(fmt.Sprintf("%d/by_hand", size), func(b *testing.B) {
			w := newNATS(b, jetstream.FileStorage)
			for from := 0; from < b.N; from += size {
				n := min(size, b.N-from)
				for i := range n {
					m := natsMessage(from + i)
					m.Header.Set("Nats-Batch-Id", strconv.Itoa(from))
					m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
					if i < n-1 {
						if err := w.nc.PublishMsg(m); err != nil {
							b.Fatal(err)
						}
						continue
					}
					m.Header.Set("Nats-Batch-Commit", "1")
					reply, err := w.nc.RequestMsgWithContext(timed(w.ctx, b), m)
					if err != nil || strings.Contains(string(reply.Data), "error") {
						b.Fatal(err, reply)
					}
				}
			}
			perSecond(b)
		})
		b.Run(fmt.Sprintf("%d/bridge", size), func(b *testing.B) {
			w := newNATS(b, jetstream.FileStorage)
			h := &handed{AsyncSignal: signals.New[order]()}
			if _, err := natsignals.Publish(w.ctx, w.js, h, "orders.placed", natsignals.AcceptLoss()); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for from := 0; from < b.N; from += size {
				batch := make([]order, min(size, b.N-from))
				for i := range batch {
					batch[i] = orderOf(from + i)
				}
				if err := h.fn(w.ctx, batch); err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b)
		})
	}
}

func timed(ctx context.Context, b *testing.B) context.Context {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	b.Cleanup(cancel)
	return ctx
}

// BenchmarkNATSRoundTrip: from an emission until a listener behind the server
// has it, one after the other.
func BenchmarkNATSRoundTrip(b *testing.B) {
	for _, where := range []string{"disk", "memory"} {
		roundTrip(b, where)
	}
}

func roundTrip(b *testing.B, where string) {
	b.Run(where+"/by_hand", func(b *testing.B) {
		w := newNATS(b, storages[where])
		cons, err := w.js.CreateConsumer(w.ctx, "ORDERS", jetstream.ConsumerConfig{Durable: "all", AckPolicy: jetstream.AckExplicitPolicy})
		if err != nil {
			b.Fatal(err)
		}
		got := make(chan struct{})
		stop, err := cons.Consume(func(m jetstream.Msg) {
			var o order
			if err := json.Unmarshal(m.Data(), &o); err != nil {
				b.Error(err)
			}
			got <- struct{}{}
			if err := m.DoubleAck(w.ctx); err != nil {
				b.Error(err)
			}
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for i := range b.N {
			if _, err := w.js.PublishMsg(w.ctx, natsMessage(i)); err != nil {
				b.Fatal(err)
			}
			<-got
		}
		b.StopTimer()
		stop.Drain()
		<-stop.Closed()
	})
	b.Run(where+"/bridge", func(b *testing.B) {
		w := newNATS(b, storages[where])
		out, in := signals.New[order](), signals.New[order]()
		if _, err := natsignals.Publish(w.ctx, w.js, out, "orders.placed", natsignals.AcceptLoss()); err != nil {
			b.Fatal(err)
		}
		got := make(chan struct{})
		in.AddListener(func(context.Context, order) { got <- struct{}{} })
		c, err := natsignals.Consume(w.ctx, w.js, "ORDERS", "all", in)
		if err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for i := range b.N {
			out.Emit(w.ctx, orderOf(i))
			<-got
		}
		b.StopTimer()
		if err := c.Close(w.ctx); err != nil {
			b.Fatal(err)
		}
	})
}

//go:build linux

package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

// Each message handled, and its acknowledgement confirmed by two of three servers;
// beside nats.go used by hand for the same messages and with the same guarantees, one
// after the other in each iteration.
func BenchmarkConsumeOnThreeServers(b *testing.B) {
	w := newWorld(b, "2m")
	_, js := w.connect("filler")
	w.retried("make the stream", func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3})
		return err
	})
	const n = 5000 // so many that the time to open 16 consumers does not matter
	for i := range n {
		data, err := json.Marshal(Order{"key", i})
		w.must(err)
		_, err = js.PublishMsg(w.ctx, &nats.Msg{Subject: "orders.placed", Data: data})
		w.must(err)
	}
	for _, consumers := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("consumers=%d", consumers), func(b *testing.B) {
			var hand, bridge, ratio []float64
			for b.Loop() {
				name := nats.NewInbox()[len("_INBOX."):]
				h := w.handle(consumers, n, name+"-hand", js, handByHand)
				r := w.handle(consumers, n, name+"-bridge", js, handBridged)
				hand, bridge, ratio = append(hand, h/n), append(bridge, r/n), append(ratio, r/h)
			}
			b.ReportMetric(0, "ns/op")
			for unit, values := range map[string][]float64{"hand-ns/msg": hand, "bridge-ns/msg": bridge, "ratio": ratio} {
				slices.Sort(values)
				b.ReportMetric(values[len(values)/2], unit)
			}
		})
	}
}

// work is so many messages, shared by consumers.
type work struct {
	n    int
	left atomic.Int64
	done chan struct{} // closed when none is left

	mu      sync.Mutex
	bridges []*natsignals.Consumer
}

// acknowledged reports whether the bridges have had all of them confirmed.
func (k *work) acknowledged() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	var sum uint64
	for _, c := range k.bridges {
		sum += c.Stats().Handled
	}
	return sum == uint64(k.n)
}

func (k *work) one() {
	if k.left.Add(-1) == 0 {
		close(k.done)
	}
}

// handle lets so many consumers share n messages, and returns how many
// nanoseconds they took, without making the consumer and without closing the
// bridges, which waits for what may be on its way.
func (w *world) handle(consumers, n int, durable string, js jetstream.JetStream, consume func(w *world, js jetstream.JetStream, durable string, k *work)) float64 {
	w.retried("make a consumer", func(ctx context.Context) error {
		_, err := js.CreateOrUpdateConsumer(ctx, "ORDERS", jetstream.ConsumerConfig{Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 1064, MaxDeliver: -1, AckWait: 30 * time.Second})
		return err
	})
	k := &work{n: n, done: make(chan struct{})}
	k.left.Store(int64(n))
	begun := time.Now()
	var all sync.WaitGroup
	for range consumers {
		all.Go(func() { consume(w, js, durable, k) })
	}
	all.Wait()
	took := float64(time.Since(begun))
	for _, c := range k.bridges {
		all.Go(func() { _ = c.Close(w.ctx) })
	}
	all.Wait()
	w.must(js.DeleteConsumer(w.ctx, "ORDERS", durable))
	return took
}

func handByHand(w *world, js jetstream.JetStream, durable string, k *work) {
	cons, err := js.Consumer(w.ctx, "ORDERS", durable)
	if err != nil {
		w.t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	go func() {
		select {
		case <-k.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	var here sync.Map // messages of which the server is told that they are alive
	go func() {
		tick := time.NewTicker(10 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				here.Range(func(m, _ any) bool { _ = m.(jetstream.Msg).InProgress(); return true })
			case <-ctx.Done():
				return
			}
		}
	}()
	for ctx.Err() == nil {
		batch, err := cons.Fetch(64, jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(2*time.Second))
		if err != nil {
			if ctx.Err() == nil {
				w.t.Error(err)
			}
			return
		}
		var some sync.WaitGroup
		for m := range batch.Messages() {
			here.Store(m, true)
			some.Go(func() {
				defer here.Delete(m)
				if err := one(w.ctx, m); err != nil {
					w.t.Error(err)
				}
				k.one()
			})
		}
		some.Wait()
	}
}

// one handles a message; a panic is a failure, and it comes again.
func one(ctx context.Context, m jetstream.Msg) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.Join(fmt.Errorf("panic: %v", v), m.NakWithDelay(100*time.Millisecond))
		}
	}()
	var o Order
	if err := json.Unmarshal(m.Data(), &o); err != nil {
		return err
	}
	return m.DoubleAck(ctx)
}

func handBridged(w *world, js jetstream.JetStream, durable string, k *work) {
	s := signals.New[Order]()
	s.AddListener(func(context.Context, Order) { k.one() })
	c, err := natsignals.Consume(w.ctx, js, "ORDERS", durable, s, natsignals.Replicas(3))
	if err != nil {
		w.t.Error(err)
		return
	}
	k.mu.Lock()
	k.bridges = append(k.bridges, c)
	k.mu.Unlock()
	select {
	case <-k.done:
	case <-c.Done():
		w.t.Error(c.Err())
		return
	}
	for !k.acknowledged() && c.Err() == nil {
		time.Sleep(20 * time.Microsecond)
	}
}

//go:build unix

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

// fill puts messages into the stream, not timed.
func (w *natsWorld) fill(b *testing.B, n int) {
	b.Helper()
	for i := range n {
		if _, err := w.js.PublishMsgAsync(natsMessage(i)); err != nil {
			b.Fatal(err)
		}
		if i%256 == 255 {
			<-w.js.PublishAsyncComplete()
		}
	}
	<-w.js.PublishAsyncComplete()
}

// BenchmarkNATSConsume: each message decoded, handled, and its acknowledgement
// confirmed, so many in flight in each of so many consumers that share a durable. Both
// ways handle the same messages one after the other in each iteration, so
// that whatever else the machine does meets both: what counts is the ratio, and
// on a busy machine that of the processor time, the server's included.
func BenchmarkNATSConsume(b *testing.B) {
	for _, consumers := range []int{1, 4, 16} {
		for _, inFlight := range []int{1, 16, 64, 256} {
			if consumers > 1 && inFlight != 16 && inFlight != 64 {
				continue
			}
			b.Run(fmt.Sprintf("consumers=%d/in_flight=%d", consumers, inFlight), func(b *testing.B) {
				w := newNATS(b, jetstream.MemoryStorage)
				const n = 10_000 // so many that the time to open 16 consumers does not matter
				w.fill(b, n)
				var hand, bridge, ratio, cpu []float64
				for round := 0; b.Loop(); round++ {
					before := processorTime(b)
					h := w.consumeByHand(b, fmt.Sprint("hand", round), consumers, inFlight, n)
					between := processorTime(b)
					r := w.consumeBridged(b, fmt.Sprint("bridge", round), consumers, inFlight, n)
					cpu = append(cpu, float64(processorTime(b)-between)/float64(between-before))
					hand = append(hand, float64(h)/float64(n))
					bridge = append(bridge, float64(r)/float64(n))
					ratio = append(ratio, float64(r)/float64(h))
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(hand), "hand-ns/msg")
				b.ReportMetric(median(bridge), "bridge-ns/msg")
				b.ReportMetric(median(ratio), "ratio")
				b.ReportMetric(median(cpu), "cpu-ratio")
			})
		}
	}
}

// processorTime is what this process has used, on all processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// consumeByHand handles n messages with nats.go alone.
func (w *natsWorld) consumeByHand(b *testing.B, durable string, consumers, inFlight, n int) time.Duration {
	b.Helper()
	begun := time.Now()
	cons, err := w.js.CreateConsumer(w.ctx, "ORDERS", jetstream.ConsumerConfig{Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	var handled atomic.Int64
	var all sync.WaitGroup
	for range consumers {
		all.Go(func() {
			for handled.Load() < int64(n) {
				batch, err := cons.Fetch(inFlight, jetstream.FetchMaxWait(20*time.Millisecond))
				if err != nil {
					b.Error(err)
					return
				}
				var some sync.WaitGroup
				for m := range batch.Messages() {
					some.Go(func() {
						var o order
						if err := json.Unmarshal(m.Data(), &o); err != nil {
							b.Error(err)
						}
						if err := m.DoubleAck(w.ctx); err != nil {
							b.Error(err)
						}
						handled.Add(1)
					})
				}
				some.Wait()
			}
		})
	}
	all.Wait()
	return time.Since(begun)
}

// consumeBridged handles n messages with listeners of signals.
func (w *natsWorld) consumeBridged(b *testing.B, durable string, consumers, inFlight, n int) time.Duration {
	b.Helper()
	begun := time.Now()
	done := make(chan struct{})
	var handled atomic.Int64
	var all []*natsignals.Consumer
	for range consumers {
		s := signals.New[order]()
		s.AddListener(func(context.Context, order) {
			if handled.Add(1) == int64(n) {
				close(done)
			}
		})
		c, err := natsignals.Consume(w.ctx, w.js, "ORDERS", durable, s, natsignals.InFlight(inFlight))
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, c)
	}
	<-done
	for _, c := range all { // until the last is acknowledged
		if err := c.Close(w.ctx); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begun)
}

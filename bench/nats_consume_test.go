//go:build unix

package bench

import (
	"context"
	"encoding/json"
	"errors"
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

// alive is what tells the server, three times per AckWait, that the messages in
// this process are alive, also those that wait.
type alive struct {
	mu   sync.Mutex
	msgs map[jetstream.Msg]bool
}

func (a *alive) add(m jetstream.Msg) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.msgs[m] = true
}

func (a *alive) remove(m jetstream.Msg) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.msgs, m)
}

func (a *alive) tell(stop <-chan struct{}) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.mu.Lock()
			for m := range a.msgs {
				_ = m.InProgress()
			}
			a.mu.Unlock()
		case <-stop:
			return
		}
	}
}

// handleByHand is one message; a panic while it is handled is a failure, and it
// comes again.
func handleByHand(ctx context.Context, m jetstream.Msg, handle func(order)) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.Join(fmt.Errorf("panic: %v", v), m.NakWithDelay(100*time.Millisecond))
		}
	}()
	var o order
	if err := json.Unmarshal(m.Data(), &o); err != nil {
		return errors.Join(err, m.NakWithDelay(100*time.Millisecond))
	}
	handle(o)
	return m.DoubleAck(ctx)
}

// consumeByHand handles n messages with nats.go alone, and what it must do for the
// same guarantees: a message stays with its process while it waits or is handled,
// its acknowledgement is confirmed, a panic is a failure, and a consumer that is
// gone is noticed by its heartbeat.
func (w *natsWorld) consumeByHand(b *testing.B, durable string, consumers, inFlight, n int) time.Duration {
	b.Helper()
	begun := time.Now()
	cons, err := w.js.CreateConsumer(w.ctx, "ORDERS", jetstream.ConsumerConfig{Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	var handled atomic.Int64
	fetching, done := context.WithTimeout(w.ctx, time.Minute)
	defer done()
	handle := func(order) {
		if handled.Add(1) == int64(n) {
			done()
		}
	}
	var all sync.WaitGroup
	for range consumers {
		here := &alive{msgs: make(map[jetstream.Msg]bool)}
		go here.tell(fetching.Done())
		all.Go(func() {
			for fetching.Err() == nil {
				batch, err := cons.Fetch(inFlight, jetstream.FetchContext(fetching), jetstream.FetchHeartbeat(2*time.Second))
				if err != nil {
					if fetching.Err() == nil {
						b.Error(err)
					}
					return
				}
				var some sync.WaitGroup
				for m := range batch.Messages() {
					here.add(m)
					some.Go(func() {
						defer here.remove(m)
						if err := handleByHand(w.ctx, m, handle); err != nil {
							b.Error(err)
						}
					})
				}
				some.Wait()
				if err := batch.Error(); err != nil && fetching.Err() == nil {
					b.Error(err)
					return
				}
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
	for acknowledged := uint64(0); acknowledged < uint64(n); {
		acknowledged = 0
		for _, c := range all {
			acknowledged += c.Stats().Handled
		}
		time.Sleep(20 * time.Microsecond)
	}
	took := time.Since(begun) // Close waits for what may be on its way
	var closing sync.WaitGroup
	for _, c := range all {
		closing.Go(func() {
			if err := c.Close(w.ctx); err != nil {
				b.Error(err)
			}
		})
	}
	closing.Wait()
	return took
}

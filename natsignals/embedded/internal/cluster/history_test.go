//go:build linux

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

// Order is the N-th of its key.
type Order struct {
	Key string
	N   int
}

func (o Order) id() string { return fmt.Sprintf("%s-%d", o.Key, o.N) }

// Total is what Fold keeps for each key.
type Total struct{ Count, Sum int }

// history is what happened, for the check at the end.
type history struct {
	mu           sync.Mutex
	acknowledged map[Order]bool // true: the publisher was told so; false: it was not
	handled      map[string][]int
	times        map[Order]int // how often each was delivered
}

func (h *history) published(o Order, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acknowledged[o] = err == nil
}

func (h *history) deliver(o Order) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.times[o]++; h.times[o] == 1 {
		h.handled[o.Key] = append(h.handled[o.Key], o.N)
	}
}

// lost returns the messages that were acknowledged and never delivered.
func (h *history) lost() (lost []Order) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for o, acknowledged := range h.acknowledged {
		if acknowledged && h.times[o] == 0 {
			lost = append(lost, o)
		}
	}
	return lost
}

// disorder returns a message that came for the first time after a later one of
// its key.
func (h *history) disorder() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, ns := range h.handled {
		if strings.HasPrefix(key, "sync") {
			continue // who goes on after a failed TryEmit gives up the order
		}
		for i := 1; i < len(ns); i++ {
			if ns[i] <= ns[i-1] {
				return fmt.Errorf("%s: %d came after %d", key, ns[i], ns[i-1])
			}
		}
	}
	return nil
}

func TestTheCheckOfAHistorySeesWhatIsWrong(t *testing.T) {
	h := &history{acknowledged: make(map[Order]bool), handled: make(map[string][]int), times: make(map[Order]int)}
	h.published(Order{"a", 1}, nil)
	h.published(Order{"a", 2}, errors.New("no answer"))
	if lost := h.lost(); len(lost) != 1 || lost[0].N != 1 {
		t.Errorf("lost %v; want a-1", lost)
	}
	h.deliver(Order{"a", 2})
	h.deliver(Order{"a", 1})
	if lost, err := h.lost(), h.disorder(); len(lost) != 0 || err == nil {
		t.Errorf("lost %v, %v; want none lost and a disorder", lost, err)
	}
}

const (
	partitions = 4
	keys       = 8
)

var quiet = []natsignals.Option{natsignals.Timeout(3 * time.Second), natsignals.Backoff(20*time.Millisecond, 500*time.Millisecond)}

// consumer is one process's worth of consuming: a connection, a signal and a
// bridge.
func (w *world) consumer(name string, kv func(jetstream.JetStream) jetstream.KeyValue, h *history, slow time.Duration) *natsignals.Consumer {
	w.t.Helper()
	_, js := w.connect(name)
	s := signals.New[Order](signals.OnFailure(func(context.Context, signals.Failure) {}))
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		_ = s.Close(ctx)
	})
	fold := natsignals.Fold(kv(js), func(o Order) string { return o.Key }, func(_ context.Context, t Total, o Order) (Total, error) {
		return Total{t.Count + 1, t.Sum + o.N}, nil
	})
	s.Subscribe(func(ctx context.Context, o Order) error {
		if slow > 0 {
			timer := time.NewTimer(slow)
			defer timer.Stop()
			<-timer.C
		}
		if err := fold(ctx, o); err != nil {
			return err
		}
		h.deliver(o)
		return nil
	}, signals.Concurrency(partitions))
	var c *natsignals.Consumer
	w.retried("consume", func(ctx context.Context) (err error) {
		c, err = natsignals.Consume(ctx, js, "ORDERS", "totals", s, append(quiet, natsignals.Filter("orders.placed"),
			natsignals.Ordered(partitions), natsignals.AckWait(3*time.Second), natsignals.CheckEvery(time.Second), natsignals.Replicas(3))...)
		return err
	})
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		defer cancel()
		_ = c.Close(ctx)
	})
	return c
}

func TestWhatIsAcknowledgedIsDeliveredInOrderAndAppliedOnceWhateverHappensToTheServers(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of faults")
	}
	w := newWorld(t, "2m")
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("SIGNALS_CLUSTER_LOGS") != "" {
			for _, n := range w.nodes {
				_ = run("cp", n.dir+"/log", fmt.Sprintf("%s/n%d.log", os.Getenv("SIGNALS_CLUSTER_LOGS"), n.i))
			}
		}
	})
	_, js := w.connect("publisher")
	w.retried("make the stream", func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3, AllowAtomicPublish: true})
		return err
	})
	w.retried("make the bucket", func(ctx context.Context) error {
		_, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "totals", Replicas: 3})
		return err
	})
	bucket := func(js jetstream.JetStream) (kv jetstream.KeyValue) {
		w.retried("find the bucket", func(ctx context.Context) (err error) {
			kv, err = js.KeyValue(ctx, "totals")
			return err
		})
		return kv
	}
	h := &history{acknowledged: make(map[Order]bool), handled: make(map[string][]int), times: make(map[Order]int)}
	consumers := []*natsignals.Consumer{w.consumer("one", bucket, h, 0), w.consumer("slow", bucket, h, 20*time.Millisecond)}

	s := signals.New[Order](signals.OnFailure(func(context.Context, signals.Failure) {}))
	var p *natsignals.Publisher
	w.retried("publish", func(ctx context.Context) (err error) {
		p, err = natsignals.Publish(ctx, js, s, "orders.placed", append(quiet, natsignals.Replicas(3), natsignals.Window(2*time.Minute),
			natsignals.ID(Order.id), natsignals.Partitioned(partitions, func(o Order) string { return o.Key }))...)
		return err
	})
	stop, stopped := make(chan struct{}), make(chan int)
	go func() { // emits without waiting, a message every 10 ms
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		n := 0
		for {
			select {
			case <-tick.C:
				o := Order{fmt.Sprint("key", n%keys), n/keys + 1}
				n++
				s.Emit(w.ctx, o)
				h.published(o, nil) // the signal is drained below: then each is acknowledged
			case <-stop:
				stopped <- n
				return
			}
		}
	}()
	stopSync := w.emitSync(h)
	begun := time.Now()
	for _, fault := range faults {
		fault.do(w, js)
		t.Logf("%5.1fs %s", time.Since(begun).Seconds(), fault.name)
	}
	close(stop)
	n := <-stopped
	succeeded, failed := stopSync()
	t.Logf("TryEmit: %d succeeded, %d failed", succeeded, failed)
	if succeeded == 0 || failed == 0 {
		t.Error("want some TryEmit to succeed and some to fail, or the faults were none")
	}
	ctx, cancel := context.WithTimeout(w.ctx, 60*time.Second)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Fatalf("not all is acknowledged: %v; %+v", err, p.Stats())
	}
	t.Logf("%5.1fs all %d acknowledged, %d attempts repeated, %d duplicates", time.Since(begun).Seconds(), n, p.Stats().Repeats, p.Stats().Duplicates)
	eventually(t, 60*time.Second, "everything is handled", func() bool {
		for _, c := range consumers {
			if err := c.Err(); err != nil {
				t.Fatalf("a consumer ended: %v", err)
			}
		}
		return len(h.lost()) == 0
	})
	if err := h.disorder(); err != nil {
		t.Errorf("order: %v", err)
	}
	kv := bucket(js)
	h.mu.Lock()
	again := 0
	for k := range keys {
		want := Total{}
		for i := k; i < n; i += keys {
			want.Count++
			want.Sum += i/keys + 1
			again += h.times[Order{fmt.Sprint("key", k), i/keys + 1}] - 1
		}
		var got Total
		w.retried("read a total", func(ctx context.Context) (err error) {
			got, err = natsignals.FoldedState[Total](ctx, kv, fmt.Sprint("key", k))
			return err
		})
		if got != want {
			t.Errorf("key%d is %+v; want %+v: each applied once", k, got, want)
		}
	}
	for key, ns := range h.handled {
		got, err := natsignals.FoldedState[Total](ctx, kv, key)
		if err != nil || got.Count != len(ns) {
			t.Errorf("%s was applied %d times, %v; want %d: each that was delivered, once", key, got.Count, err, len(ns))
		}
	}
	h.mu.Unlock()
	t.Logf("%5.1fs all handled, %d deliveries repeated", time.Since(begun).Seconds(), again)
	w.deletedUnderWay(js, consumers, p, s)
}

// deletedUnderWay deletes what the bridges use: they say so, and none is silent.
func (w *world) deletedUnderWay(js jetstream.JetStream, consumers []*natsignals.Consumer, p *natsignals.Publisher, s *signals.AsyncSignal[Order]) {
	w.t.Helper()
	w.retried("delete a consumer", func(ctx context.Context) error { return js.DeleteConsumer(ctx, "ORDERS", "totals-1") })
	for _, c := range consumers {
		eventually(w.t, 20*time.Second, "a consumer says that it was deleted", func() bool { return errors.Is(c.Err(), natsignals.ErrConsumerLost) })
	}
	w.retried("delete the stream", func(ctx context.Context) error { return js.DeleteStream(ctx, "ORDERS") })
	s.Emit(w.ctx, Order{"late", 1})
	eventually(w.t, 20*time.Second, "the publisher says that there is no stream", func() bool { return strings.Contains(p.Stats().Err, natsignals.ErrNoStream.Error()) })
	ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
	defer cancel()
	if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		w.t.Errorf("Close with a message that has no stream: %v; want the deadline", err)
	}
}

// emitSync emits on a sync signal, a message every 50 ms, on a connection that
// reconnects every second, and notes what TryEmit said.
func (w *world) emitSync(h *history) (stop func() (succeeded, failed int)) {
	nc, js := w.connect("sync publisher")
	s := signals.NewSync[Order]()
	w.retried("publish", func(ctx context.Context) error {
		_, err := natsignals.Publish(ctx, js, s, "orders.placed", natsignals.Timeout(time.Second), natsignals.Replicas(3),
			natsignals.ID(Order.id), natsignals.Partitioned(partitions, func(o Order) string { return o.Key }))
		return err
	})
	done, ended := make(chan struct{}), make(chan struct{})
	var succeeded, failed int
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if n%20 == 0 {
				_ = nc.ForceReconnect()
			}
			o := Order{fmt.Sprint("sync", n%2), n}
			err := s.TryEmit(w.ctx, o)
			h.published(o, err)
			if err != nil {
				failed++
			} else {
				succeeded++
			}
		}
	}()
	return func() (int, int) {
		close(done)
		<-ended
		return succeeded, failed
	}
}

// faults are what happens to the servers, one after the other.
var faults = []struct {
	name string
	do   func(w *world, js jetstream.JetStream)
}{
	{"the leader is killed and comes back", func(w *world, js jetstream.JetStream) {
		n := w.leader(js, "ORDERS")
		n.kill()
		wait(3)
		n.start()
		wait(2)
	}},
	{"another is killed and comes back", func(w *world, js jetstream.JetStream) {
		n := w.nodes[(w.leader(js, "ORDERS").i+1)%nodes]
		n.kill()
		wait(1)
		n.start()
		wait(2)
	}},
	{"the leader is paused for 3 s", func(w *world, js jetstream.JetStream) {
		n := w.leader(js, "ORDERS")
		n.pause()
		wait(3)
		n.resume()
		wait(2)
	}},
	{"the leader is cut off for 4 s", func(w *world, js jetstream.JetStream) {
		n := w.leader(js, "ORDERS")
		n.cut()
		wait(4)
		n.mend()
		wait(2)
	}},
	{"all are killed and come back", func(w *world, _ jetstream.JetStream) {
		for _, n := range w.nodes {
			n.kill()
		}
		wait(1)
		for _, n := range w.nodes {
			n.start()
		}
		wait(4)
	}},
}

// wait lets a fault last: nothing tells when it has lasted long enough.
func wait(seconds int) { <-time.After(time.Duration(seconds) * time.Second) }

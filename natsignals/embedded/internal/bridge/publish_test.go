package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/natsignals"
)

func TestTryEmitSucceedsOnlyIfTheStreamHasAcknowledged(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := signals.NewSync[Order](signals.Logger(quiet))
	p := w.publish(s, "orders.placed", natsignals.Timeout(300*time.Millisecond))
	if err := s.TryEmit(w.ctx, Order{ID: 1}); err != nil {
		t.Fatal(err)
	}
	if got := w.stored("ORDERS"); got != 1 {
		t.Errorf("%d messages after TryEmit; want 1", got)
	}
	w.server.Close()
	err := s.TryEmit(w.ctx, Order{ID: 2})
	if !errors.Is(err, natsignals.ErrUnreachable) && !errors.Is(err, natsignals.ErrNotAcknowledged) {
		t.Errorf("TryEmit without a server: %v; want ErrUnreachable or ErrNotAcknowledged", err)
	}
	if st := p.Stats(); st.Acknowledged != 1 || st.Repeats != 1 {
		t.Errorf("%+v; want 1 acknowledged, and 1 attempt that failed", st)
	}
	w.up()
	eventually(t, "TryEmit succeeds again", func() bool { return s.TryEmit(w.ctx, Order{ID: 3}) == nil })
	if err := p.Close(w.ctx); err != nil {
		t.Error(err)
	}
	if s.Len() != 0 {
		t.Error("the bridge is still on the signal after Close")
	}
}

func TestAsyncEmissionsArePublishedInOrderAcrossARestartOfTheServer(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	p := w.publish(s, "orders.placed", natsignals.Timeout(500*time.Millisecond), natsignals.Backoff(time.Millisecond, 20*time.Millisecond),
		natsignals.ID(func(o Order) string { return fmt.Sprint("order-", o.ID) }))
	const n = 300
	for _, o := range orders(n) {
		s.Emit(w.ctx, o)
		switch o.ID {
		case 100:
			eventually(t, "some are acknowledged", func() bool { return p.Stats().Acknowledged > 10 })
			w.server.Close()
		case 200:
			eventually(t, "the failure is seen", func() bool { return p.Stats().Err != "" })
			if st := p.Stats(); st.Since.IsZero() || st.Listener.Lag == 0 {
				t.Errorf("while the server is away: %+v; want Since and a lag", st)
			}
			w.up()
		}
	}
	if err := s.Drain(w.ctx); err != nil {
		t.Fatal(err)
	}
	wantStored(t, w, "ORDERS", n)
	if st := p.Stats(); st.Acknowledged != n || st.Err != "" {
		t.Errorf("%+v; want %d acknowledged and no error", st, n)
	}
}

// wantStored reads a stream: orders 1 to n, each once, in order.
func wantStored(t *testing.T, w *world, stream string, n int) {
	t.Helper()
	s := async()
	var got record
	s.Subscribe(got.listen)
	_, js := w.connect()
	c, err := natsignals.Consume(w.ctx, js, stream, "reader", s, natsignals.Ordered(1), natsignals.Logger(quiet))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, fmt.Sprint(n, " messages"), got.has(n))
	if err := c.Close(w.ctx); err != nil {
		t.Error(err)
	}
	wantIDs(t, got.ids(), n)
}

// batching is an async signal that hands over what waits, as the core's
// SubscribeBatch does.
type batching struct {
	*signals.AsyncSignal[Order]
	mu      sync.Mutex
	waiting []Order
	batches int
}

func (b *batching) SubscribeBatch(fn func(context.Context, []Order) error, opts ...signals.ListenerOption) *signals.Subscription {
	return b.Subscribe(func(ctx context.Context, o Order) error {
		b.mu.Lock()
		b.waiting = append(b.waiting, o)
		if b.Pending() > 1 && len(b.waiting) < 40 {
			b.mu.Unlock()
			return nil
		}
		batch := b.waiting
		b.waiting = nil
		b.batches++
		b.mu.Unlock()
		return fn(ctx, batch)
	}, opts...)
}

func TestABatchIsStoredAsOneOrOneByOneInOrder(t *testing.T) {
	for name, atomic := range map[string]bool{"atomic": true, "one by one": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.streamOf(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, AllowAtomicPublish: atomic, Storage: jetstream.MemoryStorage})
			b := &batching{AsyncSignal: async()}
			closeSignal(t, b.AsyncSignal)
			p := w.publish(b, "orders.placed", natsignals.AcceptLoss(), natsignals.ID(func(o Order) string { return fmt.Sprint("order-", o.ID) }))
			// Number 50 is there already: a batch with it is refused as a whole.
			m := &nats.Msg{Subject: "orders.other", Data: []byte(`{"id":0}`), Header: nats.Header{}}
			m.Header.Set(jetstream.MsgIDHeader, "order-50")
			if _, err := w.js.PublishMsg(w.ctx, m); err != nil {
				t.Fatal(err)
			}
			const n = 200
			for _, o := range orders(n) {
				b.Emit(w.ctx, o)
			}
			if err := b.Drain(w.ctx); err != nil {
				t.Fatal(err)
			}
			if got := w.stored("ORDERS"); got != n {
				t.Errorf("%d messages; want %d: all but the duplicate, and the one that was there", got, n)
			}
			if st := p.Stats(); st.Acknowledged != n || st.Duplicates != 1 {
				t.Errorf("%+v; want %d acknowledged, 1 of them a duplicate", st, n)
			}
		})
	}
}

func TestWhatNoRepetitionCanHelpIsAFailureAndTheNextGoesOn(t *testing.T) {
	w := newWorld(t)
	w.streamOf(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, MaxMsgSize: 1000})
	var mu sync.Mutex
	var failures []error
	s := signals.New[Order](signals.OnFailure(func(_ context.Context, f signals.Failure) {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, f.Err)
	}))
	closeSignal(t, s)
	w.publish(s, "orders.placed", natsignals.ID(func(o Order) string {
		if o.ID == 3 {
			panic("no id")
		}
		if o.ID == 2 {
			return ""
		}
		return fmt.Sprint(o.ID)
	}))
	s.Emit(w.ctx, Order{ID: 1, Key: strings.Repeat("x", 2000)})  // more than the stream takes
	s.Emit(w.ctx, Order{ID: 2})                                  // no id
	s.Emit(w.ctx, Order{ID: 3})                                  // a panic
	s.Emit(w.ctx, Order{ID: 4, Key: strings.Repeat("x", 2<<20)}) // more than the server takes
	s.Emit(w.ctx, Order{ID: 5})                                  // is published
	if err := s.Drain(w.ctx); err != nil {
		t.Fatal(err)
	}
	if got := w.stored("ORDERS"); got != 1 {
		t.Errorf("%d messages; want the last one", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(failures) != 4 || !errors.Is(failures[0], natsignals.ErrTooLarge) || !errors.Is(failures[3], natsignals.ErrTooLarge) {
		t.Errorf("failures %q; want 4, the first and the last of them ErrTooLarge", failures)
	}
}

func TestHeadersAreCloudEventsAndCarryTheTrace(t *testing.T) {
	w := newWorld(t)
	stream := w.stream("ORDERS", "orders.>")
	s := signals.NewSync[Order]()
	w.publish(s, "orders.placed", natsignals.Source("/shop"))
	ctx := natsignals.WithTrace(w.ctx, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=1")
	if err := s.TryEmit(ctx, Order{ID: 7}); err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(w.ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	h := m.Header
	for name, want := range map[string]string{"ce-specversion": "1.0", "ce-source": "/shop", "ce-type": "bridge_test.Order",
		"content-type": "application/json", "ce-id": h.Get("Nats-Msg-Id"), "tracestate": "vendor=1"} {
		if got := h.Get(name); got != want || got == "" {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	if _, err := time.Parse(time.RFC3339Nano, h.Get("ce-time")); err != nil {
		t.Error(err)
	}
	in := async()
	closeSignal(t, in)
	traces := make(chan string, 1)
	in.Subscribe(func(ctx context.Context, _ Order) error {
		parent, _ := natsignals.TraceOf(ctx)
		traces <- parent
		if m, ok := natsignals.MessageOf(ctx); !ok || m.ID != h.Get("ce-id") || m.Sequence != 1 || m.Subject != "orders.placed" {
			return fmt.Errorf("MessageOf is %+v", m)
		}
		return nil
	})
	c := w.consume("ORDERS", "reader", in)
	if got := <-traces; got != h.Get("traceparent") || got == "" {
		t.Errorf("the listener's trace is %q; want %q", got, h.Get("traceparent"))
	}
	eventually(t, "handled", func() bool { return c.Stats().Handled >= 1 })
	if st := c.Stats(); st.Failures != 0 {
		t.Errorf("%+v", st)
	}
}

// lying is a JetStream that calls a message a duplicate that was never stored,
// as a leader does that is deposed with the message in its hands.
type lying struct {
	jetstream.JetStream
	lies int
}

func (l *lying) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if l.lies > 0 {
		l.lies--
		return &jetstream.PubAck{Stream: "ORDERS", Sequence: 99, Duplicate: true}, nil
	}
	return l.JetStream.PublishMsg(ctx, m, opts...)
}

func TestADuplicateThatWasNeverStoredIsPublishedAgain(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.js = &lying{w.js, 1}
	s := async()
	closeSignal(t, s)
	p := w.publish(s, "orders.placed", quick)
	if err := s.EmitWait(w.ctx, Order{ID: 1}); err != nil {
		t.Fatal(err)
	}
	if got := w.stored("ORDERS"); got != 1 {
		t.Errorf("%d messages; want 1", got)
	}
	if st := p.Stats(); st.Repeats != 1 || st.Acknowledged != 1 {
		t.Errorf("%+v; want one attempt repeated", st)
	}
}

// The async publisher of nats.go has a bound on what is pending that is
// exceeded, or stalls its callers, when acknowledgements are lost. The bridge
// has one message or batch in flight and waits for nothing but its answer.
func TestAPublisherWithoutAcknowledgementsHoldsOneMessageAndWakesAtTheReconnect(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := signals.New[Order](signals.Logger(quiet), signals.Capacity(50, signals.Reject))
	closeSignal(t, s)
	p := w.publish(s, "orders.placed", natsignals.Timeout(200*time.Millisecond), natsignals.Backoff(time.Hour, time.Hour))
	w.server.Close()
	eventually(t, "the connection is down", func() bool { return !w.nc.IsConnected() })
	refused := 0
	for _, o := range orders(100) {
		if err := s.Offer(w.ctx, o); errors.Is(err, signals.ErrOverflow) {
			refused++
		}
	}
	if refused != 50 {
		t.Errorf("%d refused; want 50: the bound of the signal is the bound", refused)
	}
	eventually(t, "the first attempt failed", func() bool { return p.Stats().Repeats > 0 })
	w.up() // the pause before the next attempt is an hour; the reconnect ends it
	if err := s.Drain(w.ctx); err != nil {
		t.Fatal(err)
	}
	wantStored(t, w, "ORDERS", 50)
}

func TestClosingAPublisherGivesUpWhenItsContextEnds(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	p := w.publish(s, "orders.placed", natsignals.Timeout(200*time.Millisecond), quick)
	w.server.Close()
	eventually(t, "the connection is down", func() bool { return !w.nc.IsConnected() })
	for _, o := range orders(3) {
		s.Emit(w.ctx, o)
	}
	ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
	defer cancel()
	if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 messages") {
		t.Errorf("Close: %v; want the deadline and 3 messages", err)
	}
	if err := p.Close(w.ctx); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if err := s.Drain(w.ctx); err != nil { // nothing waits any more
		t.Error(err)
	}
	st := p.Stats()
	if lost := st.Listener.Failures + st.Listener.Drops; lost != 3 {
		t.Errorf("%+v; want 3 drops and failures", st.Listener)
	}
}

// With one worker there is none left for the bridge, whose messages Close waits for.
func TestClosingAPublisherInsideAListenerWouldWaitForItselfAndIsRefused(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := signals.New[Order](signals.Logger(quiet), signals.MaxWorkers(1))
	closeSignal(t, s)
	var p *natsignals.Publisher
	gate, closed := make(chan struct{}), make(chan error, 1)
	s.Subscribe(func(context.Context, Order) error {
		<-gate // until p is set
		closed <- p.Close(context.Background())
		return nil
	})
	p = w.publish(s, "orders.placed")
	close(gate)
	s.Emit(w.ctx, Order{ID: 1})
	select {
	case err := <-closed:
		if !errors.Is(err, signals.ErrWouldDeadlock) {
			t.Errorf("%v; want ErrWouldDeadlock", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Close waits for the listener that has called it")
	}
	if err := s.Drain(w.ctx); err != nil {
		t.Fatal(err)
	}
	if st := p.Stats(); st.Acknowledged != 1 {
		t.Errorf("%+v; want the message acknowledged, and nothing closed", st)
	}
	if err := p.Close(w.ctx); err != nil {
		t.Errorf("Close outside: %v", err)
	}
}

func TestPublishRefusesWhatMakesNoSense(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.streamOf(jetstream.StreamConfig{Name: "MEMORY", Subjects: []string{"memory"}, Storage: jetstream.MemoryStorage, Duplicates: time.Second})
	s := async()
	accept := natsignals.AcceptLoss()
	type options = []natsignals.Option
	for name, c := range map[string]struct {
		subject string
		opts    options
		want    string
	}{
		"no durability":       {"orders.placed", nil, "AcceptLoss"},
		"fewer replicas":      {"orders.placed", options{natsignals.Replicas(3)}, "num_replicas 1; want 3"},
		"two replicas":        {"orders.placed", options{natsignals.Replicas(2)}, "Replicas(2)"},
		"in memory":           {"memory", options{natsignals.SyncAlways()}, "storage Memory; want File"},
		"a short window":      {"memory", options{accept, natsignals.Window(time.Minute)}, "duplicate_window 1s; want 1m0s"},
		"a wildcard":          {"orders.*", options{accept}, `"orders.*" is no subject`},
		"no stream":           {"nowhere", options{accept}, "no such stream in this account"},
		"an ID of a string":   {"orders.placed", options{accept, natsignals.ID(func(string) string { return "" })}, "want a func(bridge_test.Order) string"},
		"a consumer's option": {"orders.placed", options{accept, natsignals.InFlight(3)}, "InFlight is no option"},
		"a nil option":        {"orders.placed", options{nil}, "Option is nil"},
	} {
		_, err := natsignals.Publish(w.ctx, w.js, s, c.subject, c.opts...)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "natsignals: ") {
			t.Errorf("%s: %v; want an error with %q", name, err, c.want)
		}
	}
	if s.Len() != 0 {
		t.Errorf("%d listeners on the signal after failures; want none", s.Len())
	}
	var config *natsignals.ConfigError
	if _, err := natsignals.Publish(w.ctx, w.js, s, "orders.placed", natsignals.Replicas(5)); !errors.As(err, &config) || config.Got != 1 || config.Want != 5 {
		t.Errorf("%v; want a ConfigError with both values", err)
	}
}

func TestAShardedSignalKeepsTheOrderPerKeyOnItsWayThroughAStream(t *testing.T) {
	w := newWorld(t)
	w.streamOf(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: jetstream.MemoryStorage})
	out := signals.NewSharded(4, func(o Order) uint64 { return uint64(len(o.Key)) }, signals.Logger(quiet))
	p := w.publish(out, "orders.placed", natsignals.AcceptLoss())
	const each = 50
	for i := range each {
		for k := range 4 {
			out.Emit(w.ctx, Order{i + 1, strings.Repeat("k", k+1)})
		}
	}
	if err := out.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	if st := p.Stats(); st.Acknowledged != 4*each {
		t.Errorf("%+v after Close of the signal; want %d acknowledged", st, 4*each)
	}
	in := async()
	closeSignal(t, in)
	var mu sync.Mutex
	got := make(map[string][]int)
	in.AddListener(func(_ context.Context, o Order) {
		mu.Lock()
		defer mu.Unlock()
		got[o.Key] = append(got[o.Key], o.ID)
	})
	c := w.consume("ORDERS", "reader", in, natsignals.Ordered(1))
	eventually(t, "all handled", func() bool { return c.Stats().Handled >= 4*each })
	mu.Lock()
	defer mu.Unlock()
	for _, ids := range got {
		wantIDs(t, ids, each)
	}
}

func TestPropagateCarriesWhatItIsToldAndItsPanicsHarmNobody(t *testing.T) {
	type key struct{}
	for name, boom := range map[string]bool{"carried": false, "panics": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stream("ORDERS", "orders.>")
			out, in := signals.NewSync[Order](), async()
			closeSignal(t, in)
			propagate := natsignals.Propagate(
				func(ctx context.Context, h nats.Header) { h.Set("Tenant", ctx.Value(key{}).(string)) },
				func(ctx context.Context, h nats.Header) context.Context {
					if boom {
						panic("extract")
					}
					return context.WithValue(ctx, key{}, h.Get("Tenant"))
				})
			w.publish(out, "orders.placed", propagate)
			tenants := make(chan any, 1)
			in.AddListener(func(ctx context.Context, _ Order) { tenants <- ctx.Value(key{}) })
			c := w.consume("ORDERS", "reader", in, propagate)
			if err := out.TryEmit(context.WithValue(w.ctx, key{}, "acme"), Order{ID: 1}); err != nil {
				t.Fatal(err)
			}
			if got := <-tenants; got != "acme" && !boom {
				t.Errorf("the tenant is %v; want acme", got)
			}
			eventually(t, "handled", func() bool { return c.Stats().Handled >= 1 })
		})
	}
}

func TestTheWiringShowsTheSubjectAndTheListenerOptionsHold(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := signals.NewSync[Order]()
	w.publish(s, "orders.placed", natsignals.Listener(signals.Filter(func(o Order) bool { return o.ID > 1 })))
	if keys := s.Keys(); len(keys) != 1 || keys[0] != "nats orders.placed" {
		t.Errorf("keys %q; want the subject", keys)
	}
	for _, o := range orders(3) {
		if err := s.TryEmit(w.ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.stored("ORDERS"); got != 2 {
		t.Errorf("%d messages; want those that pass the filter", got)
	}
	_, err := natsignals.Publish(w.ctx, w.js, s, "orders.placed", natsignals.SyncAlways())
	if !errors.Is(err, signals.ErrKeyTaken) {
		t.Errorf("a second bridge to the same subject: %v; want ErrKeyTaken", err)
	}
}

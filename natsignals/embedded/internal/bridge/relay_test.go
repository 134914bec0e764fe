package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/eventstore"
	"example.com/signals/natsignals"
)

// crashing is a store in memory that can lose its process: from then on no
// checkpoint is written. Advance says yes all the same, since nobody is there any
// more who would hear a no and begin again at the last checkpoint.
type crashing struct {
	eventstore.Backend
	eventstore.Checkpoints
	gone atomic.Bool
}

func newCrashing() *crashing {
	b := eventstore.Memory()
	return &crashing{Backend: b, Checkpoints: b.(eventstore.Checkpoints)}
}

func (c *crashing) Advance(ctx context.Context, m eventstore.Move, apply func(context.Context, any) error) error {
	if c.gone.Load() {
		return nil
	}
	return c.Checkpoints.Advance(ctx, m, apply)
}

func open(t testing.TB, b eventstore.Backend) *eventstore.Store {
	t.Helper()
	s := eventstore.New(b, eventstore.Logger(quiet))
	t.Cleanup(func() { closeNow(s.Close) })
	return s
}

// place appends orders from to to.
func place(t testing.TB, s *eventstore.Store, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		_, err := s.Append(context.Background(), []eventstore.Event{{
			ID: fmt.Sprint("order-", i), Type: "order.placed", Stream: fmt.Sprint("customer-", i%3), Data: fmt.Appendf(nil, `{"id":%d}`, i),
			Tags: []string{"shop"}, Meta: map[string]string{"tenant": "acme", "traceparent": trace},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func toOrders(eventstore.Recorded) string { return "orders.placed" }

func (w *world) relay(s *eventstore.Store, subject func(eventstore.Recorded) string, opts ...natsignals.Option) *eventstore.Listener {
	w.t.Helper()
	l, err := natsignals.Relay(w.ctx, w.js, s, "relay", eventstore.All(), subject,
		append([]natsignals.Option{natsignals.SyncAlways(), natsignals.Logger(quiet), quick}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { closeNow(l.Stop) })
	return l
}

// The process ends between publishing and the checkpoint, and in the middle of
// publishing, again and again.
func TestARelayThatCrashesPublishesEachEventOnceInOrder(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	b := newCrashing()
	const rounds, each = 8, 25
	var again atomic.Int64
	for round := range rounds {
		s := open(t, b)
		place(t, s, round*each+1, (round+1)*each)
		published := w.stored("ORDERS")
		b.gone.Store(round%2 == 0)
		l := w.relay(s, func(r eventstore.Recorded) string {
			if uint64(r.Position) <= published {
				again.Add(1)
			}
			return toOrders(r)
		})
		eventually(t, "some more are published", func() bool { return w.stored("ORDERS") >= published+each/2 })
		killed, kill := context.WithCancel(w.ctx)
		kill()
		_ = l.Stop(killed)
		<-l.Done()
		closeNow(s.Close)
	}
	b.gone.Store(false)
	s := open(t, b)
	w.relay(s, toOrders)
	if err := s.Wait(w.ctx, "relay", rounds*each); err != nil {
		t.Fatal(err)
	}
	wantStored(t, w, "ORDERS", rounds*each)
	if got := w.stored("ORDERS"); got != rounds*each {
		t.Errorf("%d messages; want %d", got, rounds*each)
	}
	if again.Load() == 0 {
		t.Error("no crash was between publishing and the checkpoint")
	}
}

func TestARelayGoesOnAfterTheServerWasAway(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := open(t, eventstore.Memory())
	l := w.relay(s, toOrders, natsignals.Timeout(time.Second))
	place(t, s, 1, 20)
	if err := s.Wait(w.ctx, "relay", 20); err != nil {
		t.Fatal(err)
	}
	w.server.Close()
	place(t, s, 21, 40)
	eventually(t, "they wait", func() bool { return l.Stats().Lag == 20 })
	w.up()
	if err := s.Wait(w.ctx, "relay", 40); err != nil {
		t.Fatal(err)
	}
	wantStored(t, w, "ORDERS", 40)
}

func TestStopOfARelayEndsWhileTheServerIsAway(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := open(t, eventstore.Memory())
	place(t, s, 1, 1)
	l := w.relay(s, toOrders)
	if err := s.Wait(w.ctx, "relay", 1); err != nil {
		t.Fatal(err)
	}
	w.server.Close()
	eventually(t, "the connection is gone", func() bool { return !w.nc.IsConnected() })
	place(t, s, 2, 2)
	ctx, cancel := context.WithTimeout(w.ctx, 50*time.Millisecond)
	defer cancel()
	_ = l.Stop(ctx)
	select {
	case <-l.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the relay goes on")
	}
	if c, err := s.Checkpoints(w.ctx, "relay"); err != nil || c[0].Position != 1 {
		t.Errorf("the checkpoint is %+v, %v; want 1", c, err)
	}
	w.up()
}

// The live message is there before the projection that it tells of.
func TestAListenerCanWaitForTheProjectionThatAMessageHasOvertaken(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := open(t, eventstore.Memory())
	gate := make(chan struct{})
	var projected atomic.Int64
	if _, err := s.Listen("orders", eventstore.All(), func(context.Context, eventstore.Recorded) error {
		<-gate
		projected.Add(1)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	in := async()
	closeSignal(t, in)
	begun, seen := make(chan eventstore.Recorded, 1), make(chan int64, 1)
	in.Subscribe(func(ctx context.Context, _ Order) error {
		e, ok := natsignals.RecordedOf(ctx)
		if !ok {
			return errors.New("it is of no relay")
		}
		begun <- e
		if err := s.Wait(ctx, "orders", e.Position); err != nil {
			return err
		}
		seen <- projected.Load()
		return nil
	})
	w.consume("ORDERS", "mail", in)
	w.relay(s, toOrders)
	place(t, s, 1, 1)
	e := <-begun
	if projected.Load() != 0 {
		t.Error("the message is there after the projection: the test shows nothing")
	}
	close(gate)
	if got := <-seen; got != 1 {
		t.Errorf("the projection has %d events; want 1", got)
	}
	if e.ID != "order-1" || e.Type != "order.placed" || e.Schema != 1 || e.Stream != "customer-1" || e.Version != 1 || e.Position != 1 ||
		e.Meta["tenant"] != "acme" || len(e.Tags) != 1 || e.Time.IsZero() || e.Stored.IsZero() {
		t.Errorf("RecordedOf has %+v", e)
	}
}

func TestAMessageOfARelaySaysWhatTheEventIs(t *testing.T) {
	w := newWorld(t)
	stream := w.stream("ORDERS", "orders.>")
	s := open(t, eventstore.Memory())
	w.relay(s, toOrders, natsignals.Source("/shop"), natsignals.Partitioned(4, func(r eventstore.Recorded) string { return r.Stream }))
	place(t, s, 1, 1)
	if err := s.Wait(w.ctx, "relay", 1); err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(w.ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := natsignals.PartitionOf("orders.placed", "customer-1", 4); m.Subject != want || string(m.Data) != `{"id":1}` {
		t.Errorf("%s on %s; want it on %s", m.Data, m.Subject, want)
	}
	for name, want := range map[string]string{
		jetstream.MsgIDHeader: "order-1", "ce-id": "order-1", "ce-type": "order.placed", "ce-source": "/shop", "ce-subject": "customer-1",
		"content-type": "application/json", "traceparent": trace,
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
}

func TestTheWindowOfARelayIsCheckedAtTheStartAndWhileItRuns(t *testing.T) {
	w := newWorld(t)
	w.streamOf(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Duplicates: time.Minute})
	s := open(t, eventstore.Memory())
	place(t, s, 1, 1)
	_, err := natsignals.Relay(w.ctx, w.js, s, "relay", eventstore.All(), toOrders, natsignals.SyncAlways())
	var config *natsignals.ConfigError
	if !errors.As(err, &config) || config.Name != "duplicate_window" || config.Got != time.Minute || config.Want != 2*time.Minute {
		t.Errorf("%v; want a ConfigError of duplicate_window, 1m and 2m", err)
	}
	var l logs
	w.relay(s, toOrders, natsignals.Window(time.Minute), natsignals.Logger(l.logger()))
	if err := s.Wait(w.ctx, "relay", 1); err != nil {
		t.Fatal(err)
	}
	_, js := w.connect()
	change := func(d time.Duration) {
		t.Helper()
		if _, err := js.UpdateStream(w.ctx, jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Duplicates: d}); err != nil {
			t.Fatal(err)
		}
	}
	change(time.Second)
	before := w.nc.Stats().Reconnects
	w.server.Close()
	w.up()
	eventually(t, "the connection is back", func() bool { return w.nc.Stats().Reconnects > before && w.nc.IsConnected() })
	place(t, s, 2, 2)
	eventually(t, "it is said", func() bool { return l.has("duplicate_window") })
	if got := w.stored("ORDERS"); got != 1 {
		t.Errorf("%d messages; want the one from before", got)
	}
	change(time.Minute)
	if err := s.Wait(w.ctx, "relay", 2); err != nil {
		t.Fatal(err)
	}
	wantStored(t, w, "ORDERS", 2)
}

func TestWhatARelayCannotPublishIsADeadLetterAtOnceAndTheNextGoesOn(t *testing.T) {
	w := newWorld(t)
	w.streamOf(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, MaxMsgSize: 1000})
	s := open(t, eventstore.Memory())
	event := func(id string, size int) {
		t.Helper()
		if _, err := s.Append(w.ctx, []eventstore.Event{{ID: id, Type: "t", Data: make([]byte, size)}}); err != nil {
			t.Fatal(err)
		}
	}
	event("large", 2000)
	event("panic", 1)
	event("wildcard", 1)
	event("line\nbreak", 1)
	event("good", 1)
	w.relay(s, func(r eventstore.Recorded) string {
		switch r.ID {
		case "panic":
			panic("oh")
		case "wildcard":
			return "orders.*"
		}
		return "orders.placed"
	})
	if err := s.Wait(w.ctx, "relay", 5); err != nil {
		t.Fatal(err)
	}
	var dead []string
	for d, err := range s.DeadLetters(w.ctx, "relay") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(d.Err, "natsignals: ") || d.Attempts != 1 {
			t.Errorf("%q after %d attempts", d.Err, d.Attempts)
		}
		dead = append(dead, d.ID)
	}
	if fmt.Sprintf("%q", dead) != `["large" "panic" "wildcard" "line\nbreak"]` || w.stored("ORDERS") != 1 {
		t.Errorf("dead letters %q and %d messages", dead, w.stored("ORDERS"))
	}
}

// The server takes the second for a duplicate of the first.
func TestAnIdThatIsOnAnotherSubjectIsNotTakenForPublished(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := open(t, eventstore.Memory())
	place(t, s, 1, 1)
	w.relay(s, toOrders)
	if err := s.Wait(w.ctx, "relay", 1); err != nil {
		t.Fatal(err)
	}
	l, err := natsignals.Relay(w.ctx, w.js, s, "second", eventstore.All(), func(eventstore.Recorded) string { return "orders.copy" },
		natsignals.SyncAlways(), natsignals.Logger(quiet), natsignals.ListenWith(eventstore.StopOnFailure()))
	if err != nil {
		t.Fatal(err)
	}
	<-l.Done()
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), `has "order-1" on "orders.placed"`) {
		t.Errorf("%v; want an error that names the id and where it is", err)
	}
}

func TestARebuiltRelayPublishesNothingTwice(t *testing.T) {
	w := newWorld(t)
	w.streamOf(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	s := open(t, eventstore.Memory())
	place(t, s, 1, 3)
	old := w.relay(s, toOrders)
	if err := s.Wait(w.ctx, "relay", 3); err != nil {
		t.Fatal(err)
	}
	closeNow(old.Stop)
	place(t, s, 4, 5)
	var calls atomic.Int64
	if _, err := natsignals.Relay(w.ctx, w.js, s, "new", eventstore.All(), func(r eventstore.Recorded) string {
		calls.Add(1)
		return toOrders(r)
	}, natsignals.SyncAlways(), natsignals.Logger(quiet), natsignals.ListenWith(eventstore.RebuildOf("relay"))); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(w.ctx, "new", 5); err != nil {
		t.Fatal(err)
	}
	if got := calls.Load(); got != 3 { // one is the check at the start
		t.Errorf("the subject was asked for %d times; want 3: nothing that was published is published again", got)
	}
	wantStored(t, w, "ORDERS", 5)
}

func TestRelayRefusesWhatMakesNoSense(t *testing.T) {
	w := newWorld(t)
	s := open(t, eventstore.Memory())
	place(t, s, 1, 1)
	type options = []natsignals.Option
	sure := natsignals.SyncAlways()
	for name, c := range map[string]struct {
		store   *eventstore.Store
		key     string
		subject func(eventstore.Recorded) string
		opts    options
		want    string
	}{
		"no store":      {nil, "k", toOrders, options{sure}, "the store is nil"},
		"no subject":    {s, "k", nil, options{sure}, "names the subject is nil"},
		"no key":        {s, "", toOrders, options{sure}, "the key is empty"},
		"no durability": {s, "k", toOrders, nil, "say what holds"},
		"no stream":     {s, "k", func(eventstore.Recorded) string { return "nobody" }, options{sure}, "no such stream"},
		"an ID":         {s, "k", toOrders, options{sure, natsignals.ID(func(eventstore.Recorded) string { return "" })}, "ID is no option"},
		"a listener":    {s, "k", toOrders, options{sure, natsignals.Listener()}, "Listener is no option"},
		"a consumer's":  {s, "k", toOrders, options{sure, natsignals.Ordered(1)}, "Ordered is no option"},
		"another key":   {s, "k", toOrders, options{sure, natsignals.Partitioned(2, func(Order) string { return "" })}, "Partitioned got a"},
		"listen with":   {s, "k", toOrders, options{sure, natsignals.ListenWith(eventstore.Attempts(0))}, "Attempts(0)"},
	} {
		if name == "no key" || name == "listen with" {
			w.stream("ORDERS", "orders.>")
		}
		_, err := natsignals.Relay(w.ctx, w.js, c.store, c.key, eventstore.All(), c.subject, c.opts...)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "natsignals: ") {
			t.Errorf("%s: %v; want an error with %q", name, err, c.want)
		}
	}
}

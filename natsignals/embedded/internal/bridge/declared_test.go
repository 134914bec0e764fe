package bridge_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/eventstore"
	"example.com/signals/natsignals"
)

var often = natsignals.CheckEvery(20 * time.Millisecond)

// What acknowledges is another stream than the one that was checked. The connection
// tells nothing: it stays.
func TestAStreamThatIsNoLongerAsDeclaredIsSaidThoughItAcknowledges(t *testing.T) {
	memory := jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: jetstream.MemoryStorage}
	other := memory
	other.Name = "OTHER"
	for name, taken := range map[string]jetstream.StreamConfig{"made again in memory": memory, "another takes the subject": other} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stream("ORDERS", "orders.>")
			s := signals.NewSync[Order]()
			var l logs
			p := w.publish(s, "orders.placed", often, natsignals.Logger(l.logger()))
			if err := s.TryEmit(w.ctx, Order{ID: 1}); err != nil {
				t.Fatal(err)
			}
			if err := w.js.DeleteStream(w.ctx, "ORDERS"); err != nil {
				t.Fatal(err)
			}
			w.streamOf(taken)
			if err := s.TryEmit(w.ctx, Order{ID: 2}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is said", func() bool {
				st := p.Stats()
				return strings.Contains(st.Err, "storage Memory; want File") && !st.Since.IsZero() && l.has("not what was declared")
			})
			if err := w.js.DeleteStream(w.ctx, taken.Name); err != nil {
				t.Fatal(err)
			}
			w.stream("ORDERS", "orders.>")
			if err := s.TryEmit(w.ctx, Order{ID: 3}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is right again", func() bool { return p.Stats().Err == "" })
		})
	}
}

func TestARelayNoticesUnderWayThatTheWindowIsShorter(t *testing.T) {
	w := newWorld(t)
	window := func(d time.Duration) {
		t.Helper()
		w.streamOf(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Duplicates: d})
	}
	window(2 * time.Minute)
	s := open(t, eventstore.Memory())
	var l logs
	w.relay(s, toOrders, often, natsignals.Logger(l.logger()))
	place(t, s, 1, 1)
	if err := s.Wait(w.ctx, "relay", 1); err != nil {
		t.Fatal(err)
	}
	window(time.Second)
	n := 1
	eventually(t, "it is said", func() bool {
		n++
		place(t, s, n, n)
		return l.has("duplicate_window")
	})
	before := w.stored("ORDERS")
	place(t, s, n+1, n+1)
	if got := w.stored("ORDERS"); got != before || got > uint64(n) {
		t.Errorf("%d messages, and %d before; want nothing published", got, before)
	}
	window(2 * time.Minute)
	if err := s.Wait(w.ctx, "relay", eventstore.Position(n+1)); err != nil {
		t.Fatal(err)
	}
	wantStored(t, w, "ORDERS", n+1)
}

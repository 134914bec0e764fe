package bridge_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/inspector"
	"example.com/signals/natsignals"
)

func TestWhatWaitsWhileTheServerIsAwayIsSeenWithTheSubject(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	bus := signals.NewBus()
	t.Cleanup(func() { closeNow(bus.Close) })
	placed := signals.Topic[Order](bus, "order.placed", signals.Logger(quiet))
	p := w.publish(placed, "orders.placed", natsignals.Timeout(100*time.Millisecond), quick)
	insp := inspector.New(bus)
	defer insp.Close()
	insp.AddBridge(p)
	shown := func() inspector.BridgeInfo {
		r := httptest.NewRequest("GET", "http://localhost/bridges.json", nil)
		r.RemoteAddr = "127.0.0.1:1"
		answer := httptest.NewRecorder()
		insp.ServeHTTP(answer, r)
		var list inspector.BridgeList
		if err := json.Unmarshal(answer.Body.Bytes(), &list); err != nil || len(list.Bridges) != 1 {
			t.Fatalf("%v: %d %s", err, answer.Code, answer.Body)
		}
		return list.Bridges[0]
	}

	w.server.Close()
	for _, o := range orders(20) {
		placed.Emit(w.ctx, o)
	}
	eventually(t, "the inspector shows 20 that wait, and why", func() bool {
		b := shown()
		return b.Waiting == 20 && b.Err != "" && b.Status == inspector.StatusFailing
	})
	if b := p.BridgeStats(); b.Signal != "order.placed" || b.Subject != "orders.placed" || b.Stream != "ORDERS" || b.Listener != "nats orders.placed" ||
		b.Direction != signals.BridgePublishes || b.Since.IsZero() || b.Done != 0 {
		t.Errorf("the bridge says %+v", b)
	}
	w.up()
	if err := placed.Drain(w.ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the inspector shows that nothing waits", func() bool {
		b := shown()
		return b.Waiting == 0 && b.Err == "" && b.Done == 20
	})
}

func TestAConsumerTellsWhatIsPendingRedeliveredAndGivenUp(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.stream("DEAD", "dead.>")
	bus := signals.NewBus()
	t.Cleanup(func() { closeNow(bus.Close) })
	s := signals.Topic[Order](bus, "order.placed", signals.Logger(quiet))
	c := w.consume("ORDERS", "shipping", s, natsignals.Filter("orders.placed"), natsignals.CheckEvery(20*time.Millisecond),
		natsignals.Attempts(3), natsignals.DeadLetter("dead.orders"), natsignals.AckWait(time.Hour))
	w.put("orders.placed", orders(5)...)
	eventually(t, "5 wait for a listener", func() bool { return c.BridgeStats().Waiting == 5 })
	s.Subscribe(func(_ context.Context, o Order) error {
		if o.ID == 3 {
			return errDeclined
		}
		return nil
	})
	eventually(t, "one is given up and the others are handled", func() bool {
		b := c.BridgeStats()
		return b.Done == 4 && b.DeadLetters == 1 && b.Waiting == 0
	})
	b := c.BridgeStats()
	if b.Repeats != 2 || b.Failures != 3 {
		t.Errorf("%d redelivered, %d failures; want 2 and 3", b.Repeats, b.Failures)
	}
	if b.Signal != "order.placed" || b.Subject != "orders.placed" || b.Stream != "ORDERS" || b.Durable != "shipping" || b.Direction != signals.BridgeConsumes {
		t.Errorf("the bridge says %+v", b)
	}
}

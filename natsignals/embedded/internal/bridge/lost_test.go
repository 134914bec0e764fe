package bridge_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"example.com/signals"
	"example.com/signals/natsignals"
)

func TestADeletedConsumerIsNoticedAndNothingIsTakenForAcknowledged(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	gate, begun := make(chan struct{}), make(chan struct{}, 1)
	s.Subscribe(func(context.Context, Order) error { begun <- struct{}{}; <-gate; return nil })
	var l logs
	c := w.consume("ORDERS", "shipping", s, natsignals.CheckEvery(time.Hour), natsignals.Timeout(time.Second), natsignals.Logger(l.logger()))
	w.put("orders.placed", Order{ID: 1})
	<-begun
	if err := w.js.DeleteConsumer(w.ctx, "ORDERS", "shipping"); err != nil {
		t.Fatal(err)
	}
	close(gate) // the listener succeeds; to acknowledge is not possible any more
	<-c.Done()
	if err := c.Err(); !errors.Is(err, natsignals.ErrConsumerLost) {
		t.Errorf("Err is %v; want ErrConsumerLost", err)
	}
	if st := c.Stats(); st.Handled != 0 || st.Unconfirmed != 1 {
		t.Errorf("%+v; want 1 unconfirmed and none handled", st)
	}
	if !l.has("lost its position") {
		t.Error("the end of the consumer was not logged")
	}
}

func TestAConsumerThatIsIdleNoticesThatItsConsumerOrStreamIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		gone func(w *world) error
		want error
	}{
		"deleted":        {func(w *world) error { return w.js.DeleteConsumer(w.ctx, "ORDERS", "shipping") }, natsignals.ErrConsumerLost},
		"stream deleted": {func(w *world) error { return w.js.DeleteStream(w.ctx, "ORDERS") }, natsignals.ErrNoStream},
		"made again": {func(w *world) error {
			cons, err := w.js.Consumer(w.ctx, "ORDERS", "shipping")
			if err != nil {
				return err
			}
			cfg := cons.CachedInfo().Config
			if err := w.js.DeleteConsumer(w.ctx, "ORDERS", "shipping"); err != nil {
				return err
			}
			_, err = w.js.CreateConsumer(w.ctx, "ORDERS", cfg)
			return err
		}, natsignals.ErrConsumerLost},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.stream("ORDERS", "orders.>")
			s := async()
			closeSignal(t, s)
			var got record
			s.Subscribe(got.listen)
			consumer := w.consume("ORDERS", "shipping", s, natsignals.CheckEvery(50*time.Millisecond))
			w.put("orders.placed", Order{ID: 1})
			eventually(t, "handled", func() bool { return consumer.Stats().Handled >= 1 })
			if err := c.gone(w); err != nil {
				t.Fatal(err)
			}
			select {
			case <-consumer.Done():
			case <-time.After(20 * time.Second):
				t.Fatal("the consumer goes on, silently idle")
			}
			if err := consumer.Err(); !errors.Is(err, c.want) {
				t.Errorf("Err is %v; want %v", err, c.want)
			}
		})
	}
}

func TestAClosedSignalEndsTheConsumer(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	s.Subscribe((&record{}).listen)
	c := w.consume("ORDERS", "shipping", s)
	if err := s.Close(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.put("orders.placed", Order{ID: 1})
	<-c.Done()
	if err := c.Err(); !errors.Is(err, signals.ErrClosed) {
		t.Errorf("Err is %v; want the signal's ErrClosed", err)
	}
}

// A signal without listeners that is closed gets none, and so nothing would ever be
// fetched.
func TestASignalThatIsClosedWithoutListenersEndsTheConsumer(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	before, after := async(), async()
	c := w.consume("ORDERS", "shipping", before)
	for _, s := range []*signals.AsyncSignal[Order]{before, after} {
		if err := s.Close(w.ctx); err != nil {
			t.Fatal(err)
		}
	}
	for when, c := range map[string]*natsignals.Consumer{"before": c, "after": w.consume("ORDERS", "billing", after)} {
		eventually(t, when+": the consumer has ended", func() bool { return c.Err() != nil })
		if err := c.Err(); !errors.Is(err, signals.ErrClosed) {
			t.Errorf("%s: Err is %v; want the signal's ErrClosed", when, err)
		}
	}
}

func TestAConsumerGoesOnAfterTheServerWasAway(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	var got record
	s.Subscribe(got.listen)
	c := w.consume("ORDERS", "shipping", s, natsignals.Ordered(1))
	w.put("orders.placed", orders(2)...)
	eventually(t, "2 handled", func() bool { return c.Stats().Handled >= 2 })
	w.server.Close()
	w.up()
	eventually(t, "the connection is back", w.nc.IsConnected)
	w.put("orders.placed", Order{ID: 3})
	eventually(t, "the third", func() bool { return c.Stats().Handled >= 3 })
	wantIDs(t, got.ids(), 3)
}

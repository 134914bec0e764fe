package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/eventstore"
	"example.com/signals/natsignals"
)

// large is what the error of a message that is too large must say.
var large = map[string]struct {
	size int
	want *regexp.Regexp
}{
	"for the stream": {2000, regexp.MustCompile(`^natsignals: publish on "orders.placed": message too large: it has 2\d{3} bytes with its headers, ` +
		`and the stream "ORDERS" takes 1000 \(max_msg_size\): send less, .* or raise the limit`)},
	"for the server": {2 << 20, regexp.MustCompile(`^natsignals: publish on "orders.placed": message too large: it has 2097\d{3} bytes with its headers, ` +
		`and the server takes 1048576 \(max_payload\): send less, .* or raise the limit`)},
}

func TestAMessageThatIsTooLargeIsAnErrorThatSaysHowLargeAndWhatToDo(t *testing.T) {
	for way, publish := range map[string]func(t *testing.T, w *world, size int) string{
		"TryEmit": func(t *testing.T, w *world, size int) string {
			s := signals.NewSync[Order]()
			w.publish(s, "orders.placed")
			err := s.TryEmit(w.ctx, Order{Key: strings.Repeat("x", size)})
			var failure *signals.ListenerError
			if !errors.Is(err, natsignals.ErrTooLarge) || !errors.As(err, &failure) {
				t.Fatalf("%v; want the listener's ErrTooLarge", err)
			}
			if err := s.TryEmit(w.ctx, Order{ID: 1}); err != nil {
				t.Errorf("the next: %v", err)
			}
			return failure.Err.Error()
		},
		"Emit": func(t *testing.T, w *world, size int) string {
			failures := make(chan signals.Failure, 10)
			s := signals.New[Order](signals.OnFailure(func(_ context.Context, f signals.Failure) { failures <- f }))
			closeSignal(t, s)
			w.publish(s, "orders.placed")
			s.Emit(w.ctx, Order{Key: strings.Repeat("x", size)})
			s.Emit(w.ctx, Order{ID: 1})
			f := <-failures
			if err := s.Drain(w.ctx); err != nil {
				t.Fatal(err)
			}
			if failure, ok := errors.AsType[*signals.ListenerError](f.Err); ok {
				return failure.Err.Error()
			}
			return f.Err.Error()
		},
		"Relay": func(t *testing.T, w *world, size int) string {
			s := open(t, eventstore.Memory())
			for i, data := range [][]byte{make([]byte, size), []byte(`{"id":1}`)} {
				if _, err := s.Append(w.ctx, []eventstore.Event{{ID: fmt.Sprint("event-", i), Type: "t", Data: data}}); err != nil {
					t.Fatal(err)
				}
			}
			w.relay(s, toOrders)
			if err := s.Wait(w.ctx, "relay", 2); err != nil {
				t.Fatal(err)
			}
			for d, err := range s.DeadLetters(w.ctx, "relay") {
				if err != nil || d.ID != "event-0" {
					t.Fatalf("dead letter %q, %v; want event-0", d.ID, err)
				}
				return d.Err
			}
			return "no dead letter"
		},
		"Relay that stops": func(t *testing.T, w *world, size int) string {
			s := open(t, eventstore.Memory())
			if _, err := s.Append(w.ctx, []eventstore.Event{{ID: "event", Type: "t", Data: make([]byte, size)}}); err != nil {
				t.Fatal(err)
			}
			l := w.relay(s, toOrders, natsignals.ListenWith(eventstore.StopOnFailure()))
			<-l.Done()
			if err := l.Err(); !errors.Is(err, natsignals.ErrTooLarge) {
				t.Fatalf("%v; want ErrTooLarge", err)
			}
			w.put("orders.placed", Order{ID: 1})
			return l.Err().Error()[strings.Index(l.Err().Error(), "natsignals: publish"):]
		},
	} {
		for limit, c := range large {
			t.Run(way+" "+limit, func(t *testing.T) {
				w := newWorld(t)
				cfg := jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}}
				if c.size < 1<<20 {
					cfg.MaxMsgSize = 1000
				}
				w.streamOf(cfg)
				if text := publish(t, w, c.size); !c.want.MatchString(text) {
					t.Errorf("%s\nwant %s", text, c.want)
				}
				if n := w.stored("ORDERS"); n != 1 {
					t.Errorf("%d messages; want the one behind it", n)
				}
			})
		}
	}
}

// The client has the limit from when it connected. A server that is told of a lower
// one since then ends the connection of whoever exceeds it, and the client closes it.
func TestALimitThatWasLoweredIsSaidAndTheNextRelayGoesOn(t *testing.T) {
	opts := &server.Options{JetStream: true, StoreDir: t.TempDir()}
	srv, js := connectTo(t, opts, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}}); err != nil {
		t.Fatal(err)
	}
	s := open(t, eventstore.Memory())
	var l logs
	first, err := natsignals.Relay(t.Context(), js, s, "relay", eventstore.All(), toOrders, natsignals.AcceptLoss(), natsignals.Logger(l.logger()), quick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(first.Stop) })
	lower := *opts
	lower.MaxPayload = 10_000
	if err := srv.ReloadOptions(&lower); err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{100_000, 1} {
		if _, err := s.Append(t.Context(), []eventstore.Event{{ID: fmt.Sprint("event-", i), Type: "t", Data: make([]byte, size)}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it is said", func() bool { return l.has("the connection was closed") && l.has("Maximum Payload Violation") })
	closeNow(first.Stop)
	<-first.Done()
	nc, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	second, err := natsignals.Relay(t.Context(), js, s, "relay", eventstore.All(), toOrders, natsignals.AcceptLoss(), natsignals.Logger(quiet), quick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(second.Stop) })
	if err := s.Wait(t.Context(), "relay", 2); err != nil {
		t.Fatal(err)
	}
	for d, err := range s.DeadLetters(t.Context(), "relay") {
		if err != nil || d.ID != "event-0" || !strings.Contains(d.Err, "the server takes 10000 (max_payload)") {
			t.Errorf("dead letter %q: %q, %v", d.ID, d.Err, err)
		}
	}
	if st := second.Stats(); st.Dead != 1 {
		t.Errorf("%+v; want one dead letter", st)
	}
}

// A dead letter has more headers than the message: one that was as large as it may
// be has no room for them.
func TestADeadLetterThatIsTooLargeIsSaidAndKept(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	w.streamOf(jetstream.StreamConfig{Name: "DEAD", Subjects: []string{"dead.>"}, MaxMsgSize: 100})
	s := async()
	closeSignal(t, s)
	s.Subscribe(func(context.Context, Order) error { return errDeclined })
	c := w.consume("ORDERS", "shipping", s, natsignals.DeadLetter("dead.orders"), natsignals.Attempts(1))
	w.put("orders.placed", Order{ID: 1})
	eventually(t, "it is said", func() bool {
		return strings.Contains(c.Stats().Err, `the stream "DEAD" takes 100 (max_msg_size): send less`)
	})
	if n := w.ackPending("ORDERS", "shipping"); n != 1 {
		t.Errorf("%d messages pending; want the one that could not be buried", n)
	}
	w.streamOf(jetstream.StreamConfig{Name: "DEAD", Subjects: []string{"dead.>"}})
	eventually(t, "a dead letter", func() bool { return c.Stats().DeadLetters == 1 })
}

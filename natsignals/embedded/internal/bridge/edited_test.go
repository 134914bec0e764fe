package bridge_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/natsignals"
)

// edit changes the consumer on the server, as an operator does.
func (w *world) edit(change func(*jetstream.ConsumerConfig)) {
	w.t.Helper()
	cons, err := w.js.Consumer(w.ctx, "ORDERS", "shipping")
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := cons.CachedInfo().Config
	change(&cfg)
	if _, err := w.js.UpdateConsumer(w.ctx, "ORDERS", cfg); err != nil {
		w.t.Fatal(err)
	}
}

func TestAConsumerThatSomebodyEditsUnderWayIsNotSilentlyIdle(t *testing.T) {
	for want, change := range map[string]func(*jetstream.ConsumerConfig){
		`filter_subject "orders.other"; want ""`:       func(c *jetstream.ConsumerConfig) { c.FilterSubject = "orders.other" },
		`filter_subjects [orders.a orders.b]; want ""`: func(c *jetstream.ConsumerConfig) { c.FilterSubjects = []string{"orders.a", "orders.b"} },
		"max_deliver 1; want no limit":                 func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 1 },
		"headers_only true; want false":                func(c *jetstream.ConsumerConfig) { c.HeadersOnly = true },
		"ack_wait 1s; want 30s":                        func(c *jetstream.ConsumerConfig) { c.AckWait = time.Second },
		"max_ack_pending 5; want 1":                    func(c *jetstream.ConsumerConfig) { c.MaxAckPending = 5 },
	} {
		t.Run(want, func(t *testing.T) {
			w := newWorld(t)
			w.stream("ORDERS", "orders.>")
			s := async()
			closeSignal(t, s)
			s.Subscribe((&record{}).listen)
			c := w.consume("ORDERS", "shipping", s, natsignals.Ordered(1), natsignals.CheckEvery(20*time.Millisecond))
			w.put("orders.placed", Order{ID: 1})
			eventually(t, "handled", func() bool { return c.Stats().Handled == 1 })
			w.edit(change)
			eventually(t, "the consumer has ended", func() bool { return c.Err() != nil })
			var config *natsignals.ConfigError
			if err := c.Err(); !errors.As(err, &config) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want a ConfigError with %q", err, want)
			}
		})
	}
}

// looking is a JetStream that counts how often it is asked for a consumer.
type looking struct {
	jetstream.JetStream
	looks atomic.Int64
}

func (l *looking) Consumer(ctx context.Context, stream, name string) (jetstream.Consumer, error) {
	defer l.looks.Add(1)
	return l.JetStream.Consumer(ctx, stream, name)
}

// To raise Retrying in one process after the other, the consumer is updated first.
func TestAConsumerThatMayHaveMoreWaitingGoesOn(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	s.Subscribe((&record{}).listen)
	js := w.js
	asked := &looking{JetStream: js}
	w.js = asked
	first := w.consume("ORDERS", "shipping", s, natsignals.CheckEvery(20*time.Millisecond))
	w.js = js
	w.edit(func(c *jetstream.ConsumerConfig) { c.MaxAckPending = 64 + 2000 })
	second := w.consume("ORDERS", "shipping", s, natsignals.CheckEvery(20*time.Millisecond), natsignals.Retrying(2000))
	w.put("orders.placed", orders(20)...)
	before := asked.looks.Load()
	eventually(t, "it has looked, more often than it doubts", func() bool { return asked.looks.Load() > before+5 })
	eventually(t, "20 handled", func() bool { return first.Stats().Handled+second.Stats().Handled == 20 })
	if err := errors.Join(first.Err(), second.Err()); err != nil {
		t.Error(err)
	}
}

func TestAConsumerThatIsPausedSaysSoUntilItIsResumed(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	closeSignal(t, s)
	s.Subscribe((&record{}).listen)
	var l logs
	c := w.consume("ORDERS", "shipping", s, natsignals.CheckEvery(20*time.Millisecond), natsignals.Logger(l.logger()))
	if _, err := w.js.PauseConsumer(w.ctx, "ORDERS", "shipping", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.put("orders.placed", Order{ID: 1})
	eventually(t, "it is said", func() bool {
		return strings.Contains(c.Stats().Err, `consumer "shipping" of "ORDERS" is paused on the server`) && l.has("paused=true")
	})
	if _, err := w.js.ResumeConsumer(w.ctx, "ORDERS", "shipping"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it goes on", func() bool { return c.Stats().Handled == 1 && c.Stats().Err == "" && l.has("paused=false") })
}

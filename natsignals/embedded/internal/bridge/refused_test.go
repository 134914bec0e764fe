package bridge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/eventstore"
	"example.com/signals/natsignals"
)

func TestAConsumerThatGivesUpByItselfIsRefused(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	s := async()
	base := jetstream.ConsumerConfig{Durable: "shipping", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 30 * time.Second, MaxAckPending: 1064, MaxDeliver: -1}
	for field, change := range map[string]func(*jetstream.ConsumerConfig){
		"max_deliver 5; want no limit": func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 5 },
		"backoff [1s]; want none":      func(c *jetstream.ConsumerConfig) { c.BackOff = []time.Duration{time.Second}; c.AckWait = 0 },
		"ack_wait 1s; want 30s":        func(c *jetstream.ConsumerConfig) { c.AckWait = time.Second },
		"ack_policy AckNone; want AckExplicit": func(c *jetstream.ConsumerConfig) {
			c.AckPolicy = jetstream.AckNonePolicy
			c.AckWait = 0
			c.MaxAckPending = 0
		},
		`filter_subject "orders.x"; want ""`: func(c *jetstream.ConsumerConfig) { c.FilterSubject = "orders.x" },
		"max_ack_pending 1; want 1064":       func(c *jetstream.ConsumerConfig) { c.MaxAckPending = 1 },
		"headers_only true; want false":      func(c *jetstream.ConsumerConfig) { c.HeadersOnly = true },
	} {
		cfg := base
		change(&cfg)
		if _, err := w.js.CreateConsumer(w.ctx, "ORDERS", cfg); err != nil {
			t.Fatal(err)
		}
		_, err := natsignals.Consume(w.ctx, w.js, "ORDERS", "shipping", s)
		var config *natsignals.ConfigError
		if !errors.As(err, &config) || !strings.Contains(err.Error(), field) {
			t.Errorf("%v; want a ConfigError with %q", err, field)
		}
		if err := w.js.DeleteConsumer(w.ctx, "ORDERS", "shipping"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConsumeRefusesWhatMakesNoSense(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	type options = []natsignals.Option
	for name, c := range map[string]struct {
		stream, durable string
		opts            options
		want            string
	}{
		"no stream":             {"NONE", "shipping", nil, "no such stream in this account"},
		"no durable":            {"ORDERS", "", nil, "no durable name"},
		"a stream's name":       {"ORD ERS", "shipping", nil, "invalid stream name"},
		"a filter":              {"ORDERS", "shipping", options{natsignals.Filter("orders..placed")}, `Filter("orders..placed") is no subject`},
		"a filter with a space": {"ORDERS", "shipping", options{natsignals.Filter("orders. placed")}, "is no subject"},
		"a wildcard in it":      {"ORDERS", "shipping", options{natsignals.Filter("orders.>.placed")}, "natsignals: "},
		"a dot":                 {"ORDERS", "a.b", nil, `"a.b" is no durable name`},
		"attempts, no grave":    {"ORDERS", "shipping", options{natsignals.Attempts(3)}, "without DeadLetter"},
		"a grave in the stream": {"ORDERS", "shipping", options{natsignals.DeadLetter("orders.dead")}, "would be delivered to the one"},
		"no grave":              {"ORDERS", "shipping", options{natsignals.DeadLetter("dead.x")}, "no such stream"},
		"partitions, no filter": {"ORDERS", "shipping", options{natsignals.Ordered(4)}, "needs Filter"},
		"a publisher's option":  {"ORDERS", "shipping", options{natsignals.Source("x")}, "Source is no option"},
		"replicas":              {"ORDERS", "shipping", options{natsignals.Replicas(3)}, "num_replicas"},
	} {
		_, err := natsignals.Consume(w.ctx, w.js, c.stream, c.durable, async(), c.opts...)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "natsignals: ") {
			t.Errorf("%s: %v; want an error with %q", name, err, c.want)
		}
	}
}

// As for signals, no context is context.Background; without a connection nothing can be
// done, and that is an error, not a panic.
func TestNilIsAnErrorOrNoContext(t *testing.T) {
	w := newWorld(t)
	w.stream("ORDERS", "orders.>")
	store := open(t, eventstore.Memory())
	answer := func(context.Context, int) (int, error) { return 0, nil }
	var none context.Context
	for name, bridge := range map[string]func(ctx context.Context, js jetstream.JetStream, nc *nats.Conn) error{
		"Publish": func(ctx context.Context, js jetstream.JetStream, _ *nats.Conn) error {
			p, err := natsignals.Publish(ctx, js, signals.NewSync[Order](), "orders.placed", natsignals.AcceptLoss())
			if err == nil {
				return p.Close(ctx)
			}
			return err
		},
		"Consume": func(ctx context.Context, js jetstream.JetStream, _ *nats.Conn) error {
			c, err := natsignals.Consume(ctx, js, "ORDERS", "shipping", async())
			if err == nil {
				return c.Close(ctx)
			}
			return err
		},
		"Relay": func(ctx context.Context, js jetstream.JetStream, _ *nats.Conn) error {
			l, err := natsignals.Relay(ctx, js, store, "relay", eventstore.All(), toOrders, natsignals.AcceptLoss())
			if err == nil {
				return l.Stop(w.ctx)
			}
			return err
		},
		"Answer and Ask": func(ctx context.Context, _ jetstream.JetStream, nc *nats.Conn) error {
			r, err := natsignals.Answer(nc, "double", answer)
			if err != nil {
				return err
			}
			_, err = natsignals.Ask[int, int](ctx, nc, "double", 1)
			return errors.Join(err, r.Close(ctx))
		},
	} {
		if err := bridge(none, w.js, w.nc); err != nil {
			t.Errorf("%s without a context: %v", name, err)
		}
		if err := bridge(w.ctx, nil, nil); err == nil || !strings.HasPrefix(err.Error(), "natsignals: ") || !strings.Contains(err.Error(), "is nil") {
			t.Errorf("%s without a connection: %v; want an error", name, err)
		}
	}
	if _, err := natsignals.Ask[int, int](w.ctx, nil, "double", 1); err == nil || !strings.Contains(err.Error(), "the connection is nil") {
		t.Errorf("Ask without a connection: %v", err)
	}
}

package natsignals

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// open finds or makes the consumers on the server.
func (n *Consumer) open(ctx context.Context) error {
	info, err := n.c.stream(ctx, n.js, n.stream)
	if err != nil {
		return err
	}
	if n.c.deadLetters != "" {
		if n.dead, err = newGraveyard(ctx, n, info); err != nil {
			return err
		}
	}
	if err := n.checkPartitions(ctx); err != nil {
		return err
	}
	name := n.name
	if n.c.broadcast {
		name += "-" + unique()
	}
	for i := range max(n.c.ordered, 1) {
		cfg := n.c.consumer(name)
		if n.c.ordered > 1 {
			cfg = n.c.consumer(name + "-" + strconv.Itoa(i))
			cfg.FilterSubject = partition(n.c.filter, i)
		}
		cons, err := n.obtain(ctx, cfg)
		if err != nil {
			return err
		}
		n.parts = append(n.parts, newPart(n, cons, cfg))
	}
	return nil
}

// consumer is what a consumer of that name must look like.
func (c *config) consumer(name string) jetstream.ConsumerConfig {
	cfg := jetstream.ConsumerConfig{
		Name: name, Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: c.ackWait, MaxDeliver: -1,
		MaxAckPending: c.inFlight + c.retrying, FilterSubject: c.filter, DeliverPolicy: c.start.policy, OptStartSeq: c.start.seq,
	}
	if c.start.policy == jetstream.DeliverByStartTimePolicy {
		cfg.OptStartTime = &c.start.time
	}
	if c.ordered > 0 {
		cfg.MaxAckPending = 1
	}
	if c.broadcast {
		cfg.Durable, cfg.InactiveThreshold = "", 5*time.Minute
		if !c.start.set {
			cfg.DeliverPolicy = jetstream.DeliverNewPolicy
		}
	}
	return cfg
}

// obtain returns the consumer on the server, made if there is none.
func (n *Consumer) obtain(ctx context.Context, want jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	doing := fmt.Sprintf("find the consumer %q of %q", want.Name, n.stream)
	cons, err := n.js.Consumer(ctx, n.stream, want.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		cons, err = n.js.CreateConsumer(ctx, n.stream, want)
		if errors.Is(err, jetstream.ErrConsumerExists) { // another process was faster
			cons, err = n.js.Consumer(ctx, n.stream, want.Name)
		}
	}
	if err != nil {
		return nil, explain(n.js.Conn(), doing, err)
	}
	if err := n.checkConsumer(cons.CachedInfo().Config, want); err != nil {
		return nil, err
	}
	return cons, sure(ctx, func() error { return n.beyond(ctx, cons.CachedInfo()) })
}

// checkConsumer compares what is on the server with what it must be. Where a
// consumer began is not compared: one that exists goes on where it was.
func (n *Consumer) checkConsumer(got, want jetstream.ConsumerConfig) error {
	what := fmt.Sprintf("consumer %q of stream %q", want.Name, n.stream)
	differs := func(name string, got, want any, help string) error {
		return &ConfigError{what, name, got, want, help}
	}
	const update = "update or delete the consumer, or give the option that makes them equal"
	switch {
	case got.AckPolicy != want.AckPolicy:
		return differs("ack_policy", got.AckPolicy, want.AckPolicy, update)
	case got.MaxDeliver > 0:
		return differs("max_deliver", got.MaxDeliver, "no limit", "at the limit the server stops delivering and tells nobody; use Attempts and DeadLetter")
	case len(got.BackOff) > 0:
		return differs("backoff", got.BackOff, "none", "it replaces ack_wait and does not apply to refused messages; use Backoff")
	case got.AckWait != want.AckWait:
		return differs("ack_wait", got.AckWait, want.AckWait, update)
	case got.MaxAckPending != want.MaxAckPending:
		return differs("max_ack_pending", got.MaxAckPending, want.MaxAckPending, update)
	case got.FilterSubject != want.FilterSubject:
		return differs("filter_subject", strconv.Quote(got.FilterSubject), strconv.Quote(want.FilterSubject), update)
	case len(got.FilterSubjects) > 0:
		return differs("filter_subjects", got.FilterSubjects, strconv.Quote(want.FilterSubject), update)
	case got.HeadersOnly:
		return differs("headers_only", true, false, update)
	case got.DeliverSubject != "":
		return differs("deliver_subject", got.DeliverSubject, "none: a pull consumer", update)
	case len(got.PriorityGroups) > 0:
		return differs("priority_groups", got.PriorityGroups, "none", update)
	}
	return nil
}

// checkPartitions looks for messages in partitions that nobody would read.
func (n *Consumer) checkPartitions(ctx context.Context) error {
	if n.c.ordered < 2 {
		return nil
	}
	s, err := n.js.Stream(ctx, n.stream)
	if err != nil {
		return explain(n.js.Conn(), fmt.Sprintf("find the stream %q", n.stream), err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(n.c.filter+".*"))
	if err != nil {
		return explain(n.js.Conn(), fmt.Sprintf("list the partitions of %q", n.c.filter), err)
	}
	for subject := range info.State.Subjects {
		i, err := strconv.Atoi(strings.TrimPrefix(subject, n.c.filter+"."))
		if err == nil && i >= n.c.ordered {
			return &ConfigError{fmt.Sprintf("stream %q", n.stream), "a message on", subject,
				fmt.Sprintf("partitions 0 to %d of %q only", n.c.ordered-1, n.c.filter), "give Ordered the n of Partitioned"}
		}
	}
	return nil
}

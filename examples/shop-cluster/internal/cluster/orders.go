package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/examples/internal/english"
	"example.com/signals/natsignals"
)

// relayKey is the durable listener that publishes.
const relayKey = "relay"

// ahead is how many orders may wait to be published before no more are taken.
const ahead = 256

// orders is the process that takes orders. An order is accepted when it is an
// event in the store; the relay tells the others.
type orders struct {
	store *eventstore.Store
	relay *eventstore.Listener
	end   context.CancelFunc
	ended chan error // gets why taking orders, or the relay, has ended
	taken chan struct{}
}

func beginOrders(ctx context.Context, j *job, db *sqlite.DB, js jetstream.JetStream) (process, error) {
	store := eventstore.New(db)
	relay, err := openRelay(ctx, js, store, &j.Shop)
	if err != nil {
		return nil, err
	}
	taking, end := context.WithCancel(context.WithoutCancel(ctx))
	o := &orders{store: store, relay: relay, end: end, ended: make(chan error, 2), taken: make(chan struct{})}
	go func() {
		defer close(o.taken)
		if err := o.take(taking, j.Shop.Load); err != nil && taking.Err() == nil {
			o.ended <- err
		}
	}()
	go func() {
		<-relay.Done()
		if err := relay.Err(); err != nil {
			o.ended <- fmt.Errorf("the relay has stopped: %w", err)
		}
	}()
	return o, nil
}

// region relay

// openRelay publishes each event of the store, in order, on the partition of its
// customer. It would rather stop than leave one out.
func openRelay(ctx context.Context, js jetstream.JetStream, store *eventstore.Store, s *settings) (*eventstore.Listener, error) {
	return natsignals.Relay(ctx, js, store, relayKey, eventstore.All(),
		func(eventstore.Recorded) string { return s.subject() },
		durability(s.Cluster, s.Replicas),
		natsignals.Partitioned(lanes, func(e eventstore.Recorded) string { return e.Stream }),
		natsignals.ListenWith(eventstore.StopOnFailure()))
}

// endregion

// region take

// take goes through the load, from the first order on that is not in the store:
// every order is one event, so the head says how many there are.
func (o *orders) take(ctx context.Context, load Load) error {
	head, err := o.store.Head(ctx)
	if err != nil {
		return err
	}
	n := eventstore.Position(0)
	for order, err := range load.All() {
		if err != nil {
			return err
		}
		if n++; n <= head {
			continue
		}
		if n > ahead {
			if err := o.store.Wait(ctx, relayKey, n-ahead); err != nil {
				return err
			}
		}
		data, err := json.Marshal(order)
		if err != nil {
			return err
		}
		// The id makes the same append again harmless.
		_, err = o.store.Append(ctx, []eventstore.Event{{
			ID: "order-" + strconv.FormatUint(uint64(n), 10), Type: order.Kind(), Stream: order.Stream(), Data: data, Time: order.Time,
		}})
		if err != nil {
			return fmt.Errorf("order %d, %s: %w", n, order.No, err)
		}
	}
	return nil
}

// endregion

func (o *orders) failed() <-chan error { return o.ended }

func (o *orders) report(ctx context.Context) (report, error) {
	head, err := o.store.Head(ctx)
	if err != nil {
		return report{}, err
	}
	at := o.relay.Stats().Position
	return report{
		Orders: int(head), Behind: uint64(head - min(at, head)),
		Total: fmt.Sprintf("%s published", english.Group(at)),
	}, nil
}

// close takes no more orders and finishes the message under way; what is not
// published waits in the store.
func (o *orders) close(ctx context.Context) error {
	o.end()
	<-o.taken
	return errors.Join(o.relay.Stop(ctx), o.store.Close(ctx))
}

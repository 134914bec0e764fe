package natsignals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// watch asks from time to time whether the consumers are still those that they
// were: a request for messages that nobody answers looks like one that nobody
// has a message for. When the connection is back, the requests that the server
// has forgotten are made again.
func (n *Consumer) watch() {
	status := n.js.Conn().StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer n.js.Conn().RemoveStatusListener(status)
	tick := time.NewTicker(n.c.checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		case <-status:
			n.mu.Lock()
			for _, p := range n.parts {
				if p.again != nil {
					p.again()
				}
			}
			n.mu.Unlock()
		}
		for _, p := range n.parts {
			n.look(p)
		}
	}
}

// A cluster that has just come back may not know yet what it has: what looks
// lost must look so again, that much later.
const doubt = 500 * time.Millisecond

// look asks, and ends the Consumer if its consumer is lost.
func (n *Consumer) look(p *part) {
	if n.lost(p) == nil || pause(n.ctx, doubt, nil) != nil {
		return
	}
	if err := n.lost(p); err != nil {
		n.end(err)
	}
}

// lost asks once, and says what makes it impossible to go on.
func (n *Consumer) lost(p *part) error {
	name := p.cons.CachedInfo().Name
	what := fmt.Sprintf("natsignals: consumer %q of %q", name, n.stream)
	if n.js.Conn().IsClosed() {
		return fmt.Errorf("%s: %w: the connection was closed", what, ErrUnreachable)
	}
	ctx, cancel := context.WithTimeout(n.ctx, n.c.timeout)
	defer cancel()
	// Not p.cons.Info, which writes what Fetch reads.
	cons, err := n.js.Consumer(ctx, n.stream, name)
	switch {
	case n.ctx.Err() != nil:
	case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrConsumerDoesNotExist):
		return fmt.Errorf("%s: %w: decide where to begin, and call Consume again", what, ErrConsumerLost)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return fmt.Errorf("%s: the stream was deleted: %w", what, ErrNoStream)
	case err != nil:
		// Away, or without a leader: that passes, and Stats tells.
		n.count(func(s *ConsumerStats) { s.Err = explain(n.js.Conn(), "look after the consumer "+name, err).Error() })
	case !cons.CachedInfo().Created.Equal(p.born):
		return fmt.Errorf("%s: %w: it was made again at %v", what, ErrConsumerLost, cons.CachedInfo().Created.Format(time.RFC3339Nano))
	default:
		n.noted(p, cons.CachedInfo())
	}
	return nil
}

// noted remembers the position, and says if it went back: what was handled
// comes again.
func (n *Consumer) noted(p *part, info *jetstream.ConsumerInfo) {
	n.mu.Lock()
	p.pending = info.NumPending
	before := p.floor
	p.floor = info.AckFloor.Stream
	n.mu.Unlock()
	if info.AckFloor.Stream < before {
		n.c.log.Warn("natsignals: the position of a consumer went back; what came after it comes again",
			"stream", n.stream, "consumer", info.Name, "from", before, "to", info.AckFloor.Stream)
	}
}

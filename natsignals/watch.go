package natsignals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// watch asks from time to time whether the consumers are still those that they were: a
// request for messages that nobody answers looks like one that nobody has a
// message for. When the connection is back, the requests that the server has
// forgotten are made again.
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

// look asks once, and ends the Consumer if its consumer is lost.
func (n *Consumer) look(p *part) {
	if n.js.Conn().IsClosed() {
		n.end(fmt.Errorf("natsignals: consumer %q of %q: %w: the connection was closed", n.name, n.stream, ErrUnreachable))
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, n.c.timeout)
	defer cancel()
	// Not p.cons.Info, which writes what Fetch reads.
	cons, err := n.js.Consumer(ctx, n.stream, p.cons.CachedInfo().Name)
	name := p.cons.CachedInfo().Name
	switch {
	case n.ctx.Err() != nil:
	case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrConsumerDoesNotExist):
		n.end(fmt.Errorf("natsignals: consumer %q of %q: %w: decide where to begin, and call Consume again", name, n.stream, ErrConsumerLost))
	case errors.Is(err, jetstream.ErrStreamNotFound):
		n.end(fmt.Errorf("natsignals: consumer %q: the stream %q was deleted: %w", name, n.stream, ErrNoStream))
	case err != nil:
		// Away, or without a leader: that passes, and Stats tells.
		n.count(func(s *ConsumerStats) { s.Err = explain(n.js.Conn(), "look after the consumer "+name, err).Error() })
	case !cons.CachedInfo().Created.Equal(p.born):
		n.end(fmt.Errorf("natsignals: consumer %q of %q: %w: it was made again at %v", name, n.stream, ErrConsumerLost, cons.CachedInfo().Created.Format(time.RFC3339Nano)))
	default:
		n.noted(p, cons.CachedInfo())
	}
}

// noted remembers the position, and says if it went back: what was handled comes again.
func (n *Consumer) noted(p *part, info *jetstream.ConsumerInfo) {
	n.mu.Lock()
	n.stats.Pending = info.NumPending
	before := p.floor
	p.floor = info.AckFloor.Stream
	n.mu.Unlock()
	if info.AckFloor.Stream < before {
		n.c.log.Warn("natsignals: the position of a consumer went back; what came after it comes again",
			"stream", n.stream, "consumer", info.Name, "from", before, "to", info.AckFloor.Stream)
	}
}

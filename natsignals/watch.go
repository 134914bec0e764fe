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
			n.look(p, true)
		}
	}
}

// A cluster that has just come back may not know yet what it has: what looks
// lost must look so again, so many times, that much later.
const (
	doubts = 2
	doubt  = 500 * time.Millisecond
)

// look asks, and ends the Consumer if its consumer is lost. Whether the stream still is
// as long as it was is one question more, which only watch has the time for.
func (n *Consumer) look(p *part, stream bool) {
	if err := sure(n.ctx, func() error { return n.lost(p, stream) }); err != nil {
		n.end(err)
	}
}

// sure returns what lost says, and says again.
func sure(ctx context.Context, lost func() error) error {
	err := lost()
	for range doubts {
		if err == nil || pause(ctx, doubt, nil) != nil {
			return err
		}
		err = lost()
	}
	return err
}

// lost asks once, and says what makes it impossible to go on.
func (n *Consumer) lost(p *part, stream bool) error {
	name := p.cons.CachedInfo().Name
	what := fmt.Sprintf("natsignals: consumer %q of %q", name, n.stream)
	if n.js.Conn().IsClosed() {
		return fmt.Errorf("%s: %w: the connection was closed", what, ErrUnreachable)
	}
	ctx, cancel := context.WithTimeout(n.ctx, n.c.timeout)
	defer cancel()
	n.mu.Lock()
	acked := p.acked // before the server is asked: it goes on meanwhile
	n.mu.Unlock()
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
		if err := n.edited(p, cons.CachedInfo().Config); err != nil {
			return err
		}
		if stream {
			if err := n.beyond(ctx, cons.CachedInfo()); err != nil {
				return err
			}
		}
		n.noted(p, cons.CachedInfo(), acked)
	}
	return nil
}

// edited says that somebody has changed the consumer into what Consume would refuse:
// the server may leave messages out from now on, or give them up, and tells nobody.
// How many may wait is another matter, unless they must be one: to change
// Retrying in one process after the other, this is updated first.
func (n *Consumer) edited(p *part, got jetstream.ConsumerConfig) error {
	want := p.want
	if n.c.ordered == 0 {
		want.MaxAckPending = got.MaxAckPending
	}
	return n.checkConsumer(got, want)
}

// beyond says that a consumer is behind the end of its stream, which then has lost
// its end, in a power cut for example, or is an older copy. The server leaves
// out what is stored until the stream is as long again as it was, and tells nobody.
func (n *Consumer) beyond(ctx context.Context, info *jetstream.ConsumerInfo) error {
	if info.Delivered.Consumer == 0 && info.Delivered.Stream+1 == info.Config.OptStartSeq {
		return nil // it has not begun, since it was told to begin there
	}
	s, err := n.js.Stream(ctx, n.stream) // after the consumer: it only grows
	if err != nil || info.Delivered.Stream <= s.CachedInfo().State.LastSeq {
		return nil // an error is found again by the next look
	}
	return fmt.Errorf("natsignals: consumer %q of %q: %w: it is at %d, and the stream ends at %d: what is stored next would be left out; "+
		"delete the consumer, decide where to begin, and call Consume again",
		info.Name, n.stream, ErrConsumerLost, info.Delivered.Stream, s.CachedInfo().State.LastSeq)
}

// noted remembers the position, and says if it went back: what was handled
// comes again.
func (n *Consumer) noted(p *part, info *jetstream.ConsumerInfo, acked uint64) {
	n.mu.Lock()
	p.pending = info.NumPending
	changed := info.Paused != p.paused
	p.paused = info.Paused
	switch {
	case info.Paused:
		n.stats.Err = fmt.Sprintf("natsignals: consumer %q of %q is paused on the server, for another %v; resume it", info.Name, n.stream, info.PauseRemaining.Round(time.Second))
	case changed:
		n.stats.Err = ""
	}
	before := p.floor
	if info.Delivered.Stream < acked {
		before = max(before, acked)
		p.acked = info.Delivered.Stream
	}
	p.floor = info.AckFloor.Stream
	back := p.floor < before
	if back {
		clear(n.retries.of) // what fails now may be another message with that sequence
	}
	n.mu.Unlock()
	if changed {
		n.c.log.Warn("natsignals: a consumer was paused or resumed on the server", "stream", n.stream, "consumer", info.Name,
			"paused", info.Paused, "for", info.PauseRemaining)
	}
	if back {
		n.c.log.Warn("natsignals: the position of a consumer went back; what came after it comes again",
			"stream", n.stream, "consumer", info.Name, "from", before, "to", info.AckFloor.Stream)
	}
}

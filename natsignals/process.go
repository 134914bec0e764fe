package natsignals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
)

// process handles one message, from here to its acknowledgement, its grave, or
// back to the server. Each way out of it is one of the three.
func (p *part) process(m jetstream.Msg) {
	n := p.n
	meta, err := m.Metadata()
	if err != nil { // no message of a stream
		n.end(explain(n.js.Conn(), "read what came from the consumer", err))
		p.giveBack(m, n.c.last)
		return
	}
	seq := meta.Sequence.Stream
	n.mu.Lock()
	n.retries.returned(seq)
	if meta.NumDelivered > 1 {
		n.stats.Redelivered++
	}
	n.mu.Unlock()
	ctx := p.context(m, meta)
	for unheard := 0; ; {
		err := n.feed.handle(ctx, m.Data())
		if err == nil {
			p.acknowledge(m, seq)
			return
		}
		var wait time.Duration
		switch {
		case oneOf(err, isClosed):
			n.end(err)
			p.giveBack(m, 0)
			return
		case oneOf(err, unheardOf):
			unheard++
			wait = n.c.wait(unheard)
			n.count(func(s *ConsumerStats) { s.Returned++ })
		default:
			failed := n.failed(seq, err)
			if n.dead != nil && (failed >= n.c.attempts || oneOf(err, isUndecodable)) {
				if p.bury(m, meta, failed, err) {
					return
				}
			}
			wait = n.c.wait(failed)
			if oneOf(err, isUndecodable) {
				wait = n.c.last
			}
		}
		if !p.retryHere(seq, wait) {
			p.giveBack(m, wait)
			return
		}
		if pause(n.ctx, wait, nil) != nil {
			p.giveBack(m, 0)
			return
		}
	}
}

// context is that of the listeners, for one message.
func (p *part) context(m jetstream.Msg, meta *jetstream.MsgMetadata) (ctx context.Context) {
	base := context.WithValue(p.n.base, messageKey{}, messageFrom(m, meta, p.n.c.ordered > 0))
	defer func() {
		if v := recover(); v != nil { // the user's extract
			p.n.c.log.Error("natsignals: the function given to Propagate panicked", "panic", v)
			ctx = base
		}
	}()
	return p.n.c.extract(base, m.Headers())
}

// unheardOf reports whether a message did not reach all of the listeners, and
// those that it reached succeeded.
func unheardOf(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !unheardOf(e) {
				return false
			}
		}
		return true
	}
	if errors.Is(err, errUnheard) || errors.Is(err, signals.ErrOverflow) {
		var failure *signals.ListenerError
		return !errors.As(err, &failure)
	}
	return errors.Is(err, signals.ErrDropped)
}

// isClosed reports whether the signal is closed; a listener that returns the
// ErrClosed of another signal has failed.
func isClosed(err error) bool {
	var failure *signals.ListenerError
	return errors.Is(err, signals.ErrClosed) && !errors.As(err, &failure)
}

func isUndecodable(err error) bool {
	var u *undecodable
	return errors.As(err, &u)
}

// failed counts a failed attempt: which one it was for that message.
func (n *Consumer) failed(seq uint64, err error) int {
	n.mu.Lock()
	n.stats.Failures++
	n.stats.Err = textOf(err)
	failed := n.retries.failed(seq, time.Now())
	n.mu.Unlock()
	n.c.log.Warn("natsignals: a message was not handled", "stream", n.stream, "durable", n.name, "sequence", seq, "attempt", failed, "err", textOf(err))
	return failed
}

// retryHere reports whether the next attempt is made here, in the message's place;
// if not, it is noted as one that waits at the server.
func (p *part) retryHere(seq uint64, wait time.Duration) bool {
	n := p.n
	if n.c.ordered > 0 {
		return true // given back it would keep its place, which is the only one, and cost a round trip more
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.retries.leave(seq, time.Now().Add(wait), n.c.retrying)
}

// acknowledge tells the server that a message is handled, until the server
// confirms. Without that it is not handled: it comes again.
func (p *part) acknowledge(m jetstream.Msg, seq uint64) {
	defer p.release(m)
	n := p.n
	var err error
	for attempt := 1; attempt <= 3; attempt++ {
		// The end of the Consumer does not end this: the work is done.
		ctx, cancel := context.WithTimeout(context.Background(), n.c.timeout)
		err = m.DoubleAck(ctx)
		cancel()
		if err == nil {
			n.mu.Lock()
			n.stats.Handled++
			n.stats.Err = ""
			p.acked = max(p.acked, seq)
			n.retries.forget(seq)
			n.mu.Unlock()
			return
		}
		n.look(p, false) // perhaps the consumer is gone
		if pause(n.ctx, n.c.wait(attempt), nil) != nil {
			break
		}
	}
	err = explain(n.js.Conn(), fmt.Sprintf("acknowledge a message of %q", n.stream), err)
	n.count(func(s *ConsumerStats) { s.Unconfirmed++; s.Err = err.Error() })
	n.c.log.Warn("natsignals: the acknowledgement of a handled message was not confirmed; it comes again",
		"stream", n.stream, "durable", n.name, "sequence", seq, "err", err)
}

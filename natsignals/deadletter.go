package natsignals

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// graveyard is where a Consumer publishes what could not be handled.
type graveyard struct{ subject string }

// newGraveyard checks that a stream takes the dead letters, and that the
// Consumer would not get them again.
func newGraveyard(ctx context.Context, n *Consumer, from *jetstream.StreamInfo) (*graveyard, error) {
	subject := n.c.deadLetters
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	info, err := n.c.streamOf(ctx, n.js, subject)
	if err != nil {
		return nil, err
	}
	if info.Config.Name == from.Config.Name {
		return nil, &ConfigError{fmt.Sprintf("stream %q", n.stream), "subjects", from.Config.Subjects,
			fmt.Sprintf("a stream other than that for dead letters on %q", subject), "a dead letter would be delivered to the one who could not handle it"}
	}
	if info.Config.NoAck {
		return nil, &ConfigError{fmt.Sprintf("stream %q", info.Config.Name), "no_ack", true, false, "nobody would know whether a dead letter is kept"}
	}
	return &graveyard{subject}, nil
}

// What a header with this prefix says is an order to the stream that the message was
// for: to take it only behind a certain other one, to remove those before it, to
// forget it soon, to wait for the rest of its batch. Another stream must not obey.
const serversOwn = "Nats-"

// bury publishes a message as a dead letter and, when that is acknowledged,
// takes it off the consumer. If it cannot be published it is false: the message is
// still on its way, and nothing is lost.
func (p *part) bury(m jetstream.Msg, meta *jetstream.MsgMetadata, attempts int, cause error) bool {
	n := p.n
	letter := &nats.Msg{Subject: n.dead.subject, Data: m.Data(), Header: make(nats.Header, len(m.Headers())+len(DeadLetterHeaders))}
	maps.Copy(letter.Header, m.Headers())
	maps.DeleteFunc(letter.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, serversOwn) })
	seq := strconv.FormatUint(meta.Sequence.Stream, 10)
	letter.Header.Set(jetstream.MsgIDHeader, "dead:"+placeOf(meta)+":"+n.name)
	letter.Header.Set(HeaderError, headerText(textOf(cause)))
	letter.Header.Set(HeaderAttempts, strconv.Itoa(attempts))
	letter.Header.Set(HeaderStream, meta.Stream)
	letter.Header.Set(HeaderSequence, seq)
	letter.Header.Set(HeaderSubject, m.Subject())
	letter.Header.Set(HeaderConsumer, n.name)
	ctx, cancel := context.WithTimeout(context.Background(), n.c.timeout)
	defer cancel()
	duplicate, err := store(ctx, n.js, letter, false)
	if errors.Is(err, errNotStored) { // at once: another time it has its old id
		duplicate, err = store(ctx, n.js, letter, false)
	}
	if err != nil {
		if !duplicate {
			err = explain(n.js.Conn(), fmt.Sprintf("publish a dead letter on %q", n.dead.subject), err)
		}
		n.count(func(s *ConsumerStats) { s.Err = err.Error() })
		n.c.log.Error("natsignals: a dead letter could not be published; the message is tried again",
			"stream", n.stream, "durable", n.name, "sequence", meta.Sequence.Stream, "err", err)
		return false
	}
	defer p.release(m)
	// If this does not reach the server, the message comes again and is buried
	// again, under the same id.
	if _, err := n.js.Conn().RequestWithContext(ctx, m.Reply(), []byte("+TERM a dead letter was published on "+n.dead.subject)); err != nil {
		n.c.log.Warn("natsignals: a dead letter was published, and the server does not confirm that the message is off the consumer",
			"stream", n.stream, "durable", n.name, "sequence", meta.Sequence.Stream, "err", err)
	}
	n.mu.Lock()
	n.stats.DeadLetters++
	n.retries.forget(meta.Sequence.Stream)
	n.mu.Unlock()
	n.c.log.Error("natsignals: a message became a dead letter", "stream", n.stream, "durable", n.name,
		"sequence", meta.Sequence.Stream, "attempts", attempts, "subject", n.dead.subject, "err", textOf(cause))
	return true
}

// headerText makes a text fit for one line of a header.
func headerText(s string) string {
	const most = 1000
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	if len(b) > most {
		b = append(b[:most:most], "..."...)
	}
	return string(b)
}

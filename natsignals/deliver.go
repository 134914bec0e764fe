package natsignals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Error codes of the server that nats.go has no name for.
const (
	codeDuplicateInProcess jetstream.ErrorCode = 10158
	codeBatchIncomplete    jetstream.ErrorCode = 10176
	codeBatchesInFlight    jetstream.ErrorCode = 10210
)

// The limits of one atomic batch: the server's is 1,000 messages.
const (
	maxBatch      = 500
	maxBatchBytes = 4 << 20
)

// To drop the second of two messages with one id would be to lose it.
var errOtherSubject = errors.New("a message with this id is on another subject of the stream, which therefore refuses it; " +
	"make the ids differ, or give each subject a stream of its own")

var errNotStored = errors.New("the stream calls it a duplicate and does not have it")

// once publishes a message in one attempt.
func (p *Publisher) once(ctx context.Context, m *nats.Msg) error {
	p.enter()
	defer p.leave()
	if p.ctx.Err() != nil {
		return fmt.Errorf("natsignals: publish on %q: %w", m.Subject, ErrClosed)
	}
	ctx, cancel := context.WithTimeout(ctx, p.c.timeout)
	defer cancel()
	acknowledged := 1
	err := p.publish(ctx, m)
	if err != nil {
		acknowledged = 0
	}
	p.settled(acknowledged, err)
	return err
}

// deliver publishes messages in order, each until it is acknowledged, nothing
// can help, or Close gives up. It returns the errors of those that are not.
func (p *Publisher) deliver(ctx context.Context, msgs []*nats.Msg) error {
	p.enter()
	defer p.leave()
	ctx, cancel := p.lasting(ctx)
	defer cancel()
	return p.insist(ctx, msgs)
}

// insist is deliver that ends with ctx as well.
func (p *Publisher) insist(ctx context.Context, msgs []*nats.Msg) error {
	var lost []error
	var refused time.Time // since when the server has called an id one in process
	for failed := 0; len(msgs) > 0; {
		if p.ctx.Err() != nil || ctx.Err() != nil {
			return errors.Join(append(lost, fmt.Errorf("natsignals: %s for %q not acknowledged: %w", plural(len(msgs), "message"), p.subject, ErrClosed))...)
		}
		wake := p.waker() // before the attempt: a reconnect during it counts
		stuck := !refused.IsZero() && time.Since(refused) > 2*p.c.timeout
		n, err := p.attempt(ctx, msgs, stuck)
		p.settled(n, err)
		msgs = msgs[n:]
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != codeDuplicateInProcess || n > 0 {
			refused = time.Time{}
		} else if refused.IsZero() {
			refused = time.Now()
		} else if stuck {
			burn(msgs[0]) // accepted by a leader that is gone, and stored by none
		}
		switch {
		case err == nil:
			failed = 0
		case hopeless(err):
			lost, msgs, failed = append(lost, err), msgs[1:], 0
		default:
			failed++
			_ = pause(ctx, p.c.wait(failed), wake)
		}
	}
	return errors.Join(lost...)
}

// lasting returns ctx without its end, ended when Close gives up.
func (p *Publisher) lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(p.ctx, func() { cancel(context.Cause(p.ctx)) })
	return ctx, func() { stop(); cancel(nil) }
}

func (p *Publisher) waker() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wake
}

// settled counts the outcome of an attempt.
func (p *Publisher) settled(n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Acknowledged += uint64(n)
	if err == nil {
		p.stats.Err, p.stats.Since = "", time.Time{}
		return
	}
	p.stats.Repeats++
	if p.stats.Err == "" {
		p.stats.Since = time.Now()
		p.c.log.Warn("natsignals: a message is not acknowledged", "subject", p.subject, "stream", p.stream, "err", err)
	}
	p.stats.Err = err.Error()
}

// attempt publishes the first messages, one by one if it is to: how many, from
// the front, are acknowledged, and why the next one is not.
func (p *Publisher) attempt(ctx context.Context, msgs []*nats.Msg, oneByOne bool) (int, error) {
	if !p.js.Conn().IsConnected() {
		// What is sent now would wait in the client, where the next attempt
		// cannot take it back.
		return 0, explain(p.js.Conn(), fmt.Sprintf("publish on %q", p.subject), nats.ErrDisconnected)
	}
	if p.before != nil {
		if err := p.before(ctx, msgs[0].Subject); err != nil {
			return 0, err
		}
	}
	part := msgs[:batchOf(msgs)]
	if int64(len(part)) >= p.batch.Load() && !oneByOne {
		ctx, cancel := context.WithTimeout(ctx, p.c.timeout)
		defer cancel()
		err := p.publishBatch(ctx, part)
		var api *jetstream.APIError
		if err == nil {
			return len(part), nil
		}
		if !errors.As(err, &api) && !errors.Is(err, ErrTooLarge) || api != nil && passing(api.ErrorCode) {
			return 0, err
		}
		// One of them is a duplicate, or not to be stored, or the stream takes
		// no batches: one by one.
	}
	for i, m := range part {
		ctx, cancel := context.WithTimeout(ctx, p.c.timeout)
		err := p.publish(ctx, m)
		cancel()
		if err != nil {
			return i, err
		}
	}
	return len(part), nil
}

// passing reports whether what the server refused may be taken as it is later.
func passing(code jetstream.ErrorCode) bool {
	return code == codeDuplicateInProcess || code == codeBatchIncomplete || code == codeBatchesInFlight
}

// worthABatch returns how many messages are worth an atomic batch. A stream
// with one copy on file stages each batch in a file store of its own, which
// costs as much as tens of messages (docs/scale.md has the figures); one with
// more copies stages in memory.
func worthABatch(cfg jetstream.StreamConfig) int64 {
	switch {
	case !cfg.AllowAtomicPublish:
		return math.MaxInt64
	case cfg.Replicas == 1 && cfg.Storage == jetstream.FileStorage:
		return 50
	}
	return 2
}

// batchOf returns how many messages make one batch.
func batchOf(msgs []*nats.Msg) int {
	size := 0
	for i, m := range msgs {
		if size += m.Size(); i > 0 && (i == maxBatch || size > maxBatchBytes) {
			return i
		}
	}
	return len(msgs)
}

// publish publishes one message.
func (p *Publisher) publish(ctx context.Context, m *nats.Msg) error {
	duplicate, err := store(ctx, p.js, m, p.oneSubject)
	switch {
	case duplicate && err == nil:
		p.mu.Lock()
		p.stats.Duplicates++
		p.mu.Unlock()
	case duplicate, errors.Is(err, ErrTooLarge):
		return err
	}
	return p.explain(m.Subject, err)
}

// store publishes one message, and believes that it is a duplicate, as the stream
// says, only if the stream has it; else the message has a new id when it returns
// errNotStored. The error about a duplicate is explained already.
func store(ctx context.Context, js jetstream.JetStream, m *nats.Msg, oneSubject bool) (duplicate bool, err error) {
	ack, err := js.PublishMsg(ctx, m)
	switch {
	case err != nil:
		return false, tooLarge(ctx, js, m, err)
	case !ack.Duplicate:
		return false, nil
	}
	if err = verify(ctx, js, m, ack, oneSubject); errors.Is(err, errNotStored) {
		burn(m)
	}
	doing := fmt.Sprintf("look for the message on %q that the stream %q calls a duplicate", m.Subject, ack.Stream)
	return true, explain(js.Conn(), doing, err)
}

// burn gives a message a new id for the stream, which refuses the one that it had
// and has nothing. Its ce-id stays. The new id is made of the old one, not made
// up, so that it is the same when the message is published again after a crash.
func burn(m *nats.Msg) {
	m.Header.Set(jetstream.MsgIDHeader, m.Header.Get(jetstream.MsgIDHeader)+"#again")
}

func (p *Publisher) explain(subject string, err error) error {
	err = explain(p.js.Conn(), fmt.Sprintf("publish on %q", subject), err)
	if errors.Is(err, ErrNoAnswer) {
		err = fmt.Errorf("natsignals: publish on %q: %w (%w)", subject, ErrNotAcknowledged, err)
	}
	return err
}

// verify looks for the message of which the stream says that it has it; with
// oneSubject, one on another subject is another message.
func verify(ctx context.Context, js jetstream.JetStream, m *nats.Msg, ack *jetstream.PubAck, oneSubject bool) error {
	s, err := js.Stream(ctx, ack.Stream)
	if err != nil {
		return err
	}
	got, err := s.GetMsg(ctx, ack.Sequence)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		if ack.Sequence == 0 || ack.Sequence > s.CachedInfo().State.LastSeq {
			return errNotStored
		}
		return nil // stored, and removed since: handled, or by the stream's limits
	case err != nil:
		return err
	case got.Header.Get(jetstream.MsgIDHeader) != m.Header.Get(jetstream.MsgIDHeader):
		return errNotStored
	case oneSubject && got.Subject != m.Subject && s.CachedInfo().Config.SubjectTransform == nil:
		return fmt.Errorf("%w: the stream %q has %q on %q", errOtherSubject, ack.Stream, m.Header.Get(jetstream.MsgIDHeader), got.Subject)
	}
	return nil
}

// publishBatch publishes messages as one: all are stored, or none.
func (p *Publisher) publishBatch(ctx context.Context, msgs []*nats.Msg) error {
	nc, id := p.js.Conn(), unique()
	var reply *nats.Msg
	for i, m := range msgs {
		b := &nats.Msg{Subject: m.Subject, Data: m.Data, Header: make(nats.Header, len(m.Header)+3)}
		maps.Copy(b.Header, m.Header)
		b.Header.Set("Nats-Batch-Id", id)
		b.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		var err error
		if i < len(msgs)-1 {
			err = nc.PublishMsg(b)
		} else {
			b.Header.Set("Nats-Batch-Commit", "1")
			reply, err = nc.RequestMsgWithContext(ctx, b)
		}
		if errors.Is(err, nats.ErrNoResponders) {
			err = jetstream.ErrNoStreamResponse
		}
		if err != nil {
			return p.explain(m.Subject, err)
		}
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		Batch string              `json:"batch"`
		Count int                 `json:"count"`
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return fmt.Errorf("natsignals: the acknowledgement of a batch on %q: %w", p.subject, err)
	}
	if ack.Error != nil {
		return p.explain(p.subject, ack.Error)
	}
	if ack.Batch != id || ack.Count != len(msgs) {
		return fmt.Errorf("natsignals: the acknowledgement on %q is of batch %q with %s; want %q with %d", p.subject, ack.Batch, plural(ack.Count, "message"), id, len(msgs))
	}
	return nil
}

package natsignals

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
)

// part fetches from one consumer on the server: all of a Consumer, or one
// partition.
type part struct {
	n     *Consumer
	cons  jetstream.Consumer
	want  jetstream.ConsumerConfig // what it must be
	born  time.Time                // when the consumer on the server was made
	slots chan struct{}            // one for each message that may be here
	floor uint64                   // of the stream, up to which all is acknowledged, at the last look; under n.mu
	acked uint64                   // the highest sequence whose acknowledgement was confirmed here; under n.mu

	pending uint64 // at the last look: in the stream, not yet delivered; under n.mu
	paused  bool   // at the last look: by somebody, on the server; under n.mu

	idle    chan jetstream.Msg // to a goroutine that waits for a message
	waiting atomic.Int32       // such goroutines

	// again makes the request under way end, so that a new one is made; under
	// n.mu.
	again context.CancelFunc
}

func newPart(n *Consumer, cons jetstream.Consumer, want jetstream.ConsumerConfig) *part {
	slots := n.c.inFlight
	if n.c.ordered > 0 {
		slots = 1
	}
	return &part{
		n: n, cons: cons, want: want, born: cons.CachedInfo().Created,
		slots: make(chan struct{}, slots), idle: make(chan jetstream.Msg),
	}
}

// How long a request for messages stays at the server, and how often the server
// says that it is still there: twice that without a word, and we look.
const (
	fetchFor  = 20 * time.Second
	heartbeat = 2 * time.Second
)

// fetch asks for as many messages as there are free slots, again and again. It
// is not jetstream's Consume, which fetches ahead into a buffer where nobody
// tells the server that the messages are alive.
func (p *part) fetch() {
	n := p.n
	for failed := 0; ; {
		if !p.waitForListeners() {
			return
		}
		free := p.reserve()
		if free == 0 {
			return
		}
		got, err := p.fetchOnce(free)
		for range free - got {
			<-p.slots
		}
		if n.ctx.Err() != nil {
			return
		}
		n.fetched(p, err, failed)
		if err == nil {
			failed = 0
			continue
		}
		if !errors.Is(err, jetstream.ErrNoHeartbeat) || n.js.Conn().IsConnected() {
			n.look(p, false)
		}
		failed++
		if pause(n.ctx, min(n.c.wait(failed), time.Second), nil) != nil {
			return
		}
	}
}

// fetched says what a request for messages ran into, after so many that failed: a
// permission that is missing, for one, looks like a stream without messages.
func (n *Consumer) fetched(p *part, err error, failed int) {
	switch {
	case err != nil:
		err = explain(n.js.Conn(), fmt.Sprintf("fetch from the consumer %q of %q", p.cons.CachedInfo().Name, n.stream), err)
		n.count(func(s *ConsumerStats) { s.Err = err.Error() })
		if failed == 0 {
			n.c.log.Warn("natsignals: messages cannot be fetched", "stream", n.stream, "durable", n.name, "err", err)
		}
	case failed > 0:
		n.count(func(s *ConsumerStats) { s.Err = "" })
	}
}

// waitForListeners returns when the signal has a listener, false when nothing
// more is to be fetched. The signal tells nobody when it gets one, so this
// looks, ten times a second at the most. One that is closed never gets one.
func (p *part) waitForListeners() bool {
	for wait := time.Millisecond; p.n.feed.listeners() == 0; wait = min(2*wait, 100*time.Millisecond) {
		if p.n.feed.closed() {
			p.n.end(fmt.Errorf("natsignals: consumer %q of %q: the signal: %w", p.n.name, p.n.stream, signals.ErrClosed))
			return false
		}
		if pause(p.n.ctx, wait, nil) != nil {
			return false
		}
	}
	return p.n.ctx.Err() == nil
}

// A request costs as much for one message as for many, and slots become free
// one by one: with less than half of them free, more are waited for, this long.
const gather = time.Millisecond

// reserve takes all free slots, at least one; 0 when nothing more is to be
// fetched.
func (p *part) reserve() (free int) {
	select {
	case p.slots <- struct{}{}:
	case <-p.n.ctx.Done():
		return 0
	}
	var patience <-chan time.Time
	for free = 1; ; free++ {
		select {
		case p.slots <- struct{}{}:
			continue
		default:
		}
		if 2*free >= cap(p.slots) {
			return free
		}
		if patience == nil {
			t := time.NewTimer(gather)
			defer t.Stop()
			patience = t.C
		}
		select {
		case p.slots <- struct{}{}:
		case <-patience:
			return free
		case <-p.n.ctx.Done():
			for range free {
				<-p.slots
			}
			return 0
		}
	}
}

// How long a request goes on after Close, when the server has answered: while there is
// a lot to deliver it fills the request within that time.
const linger = 100 * time.Millisecond

// fetchOnce asks for that many messages and hands each on with its slot.
func (p *part) fetchOnce(free int) (got int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.n.ctx), fetchFor)
	defer cancel()
	defer context.AfterFunc(p.n.ctx, func() { p.endFetch(ctx, cancel) })()
	p.n.mu.Lock()
	p.again = cancel
	p.n.mu.Unlock()
	batch, err := p.cons.Fetch(free, jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(heartbeat))
	if err != nil {
		return 0, err
	}
	var late []jetstream.Msg // given back at once they would come to this request again
	for m := range batch.Messages() {
		got++
		n, msg := p.n, m
		n.held.add(msg)
		if n.ctx.Err() != nil {
			late = append(late, msg)
			continue
		}
		select {
		case p.idle <- msg:
		default:
			if !n.goes(func() { p.work(msg) }) {
				p.giveBack(msg, 0)
			}
		}
	}
	for _, m := range late {
		p.giveBack(m, 0)
	}
	err = batch.Error()
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.Canceled) {
		return got, nil
	}
	return got, err
}

// endFetch ends a request after Close, but not before what was on its way is here, and
// is given back: dropped, it would come again only after AckWait, and nothing else of
// its partition until then. What the server has sent comes before its answer.
func (p *part) endFetch(ctx context.Context, end context.CancelFunc) {
	if nc := p.n.js.Conn(); nc.IsConnected() {
		answer, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_ = nc.FlushWithContext(answer)
	}
	time.AfterFunc(linger, end)
}

// mostIdle bounds the goroutines of a part that wait for a message.
const mostIdle = 64

// work processes a message, and then those that come while it waits for one: a
// goroutine that has grown its stack once need not do it for each message.
func (p *part) work(m jetstream.Msg) {
	for {
		p.process(m)
		if p.waiting.Add(1) > mostIdle {
			p.waiting.Add(-1)
			return
		}
		select {
		case m = <-p.idle:
			p.waiting.Add(-1)
			if p.n.ctx.Err() != nil { // nothing is begun any more
				p.giveBack(m, 0)
				return
			}
		case <-p.n.ctx.Done():
			return
		}
	}
}

// release is the end of a message in this process.
func (p *part) release(m jetstream.Msg) {
	p.n.held.remove(m)
	<-p.slots
}

// giveBack asks the server to deliver a message again, to whomever, after that
// long.
func (p *part) giveBack(m jetstream.Msg, after time.Duration) {
	defer p.release(m)
	if p.n.ctx.Err() != nil { // not to a request of this Consumer that is about to end
		after = max(after, 2*linger)
	}
	if err := m.NakWithDelay(after); err != nil {
		// It comes again when AckWait has passed.
		p.n.c.log.Warn("natsignals: a message could not be given back", "stream", p.n.stream, "durable", p.n.name, "err", err)
	}
}

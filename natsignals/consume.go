package natsignals

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
)

// Consumer feeds a signal from a stream, until it is closed or cannot go on.
// Its methods may be called from any goroutine.
type Consumer struct {
	c      *config
	js     jetstream.JetStream
	stream string
	name   string
	feed   feed
	parts  []*part
	dead   *graveyard         // or nil
	ctx    context.Context    // ended when nothing more is to be fetched or begun
	stop   context.CancelFunc // ends it
	base   context.Context    // of the listeners
	held   held
	done   chan struct{} // closed when nothing runs any more

	mu      sync.Mutex
	running sync.WaitGroup // fetchers, messages, watchers; Add under mu while not stopped
	err     error
	retries retries
	stats   ConsumerStats
}

// ConsumerStats says what a Consumer has done.
type ConsumerStats struct {
	Stream      string
	Durable     string
	Handled     uint64 // acknowledged, and confirmed
	Failures    uint64 // failed attempts
	Redelivered uint64 // messages that had been delivered before, here or elsewhere
	Returned    uint64 // deliveries without a listener, or dropped: no attempts
	DeadLetters uint64
	Unconfirmed uint64 // handled, but the acknowledgement was not confirmed: they come again
	InFlight    int    // in this process now
	Retrying    int    // given back to the server until their next attempt
	Pending     uint64 // in the stream and not yet delivered, at the last look
	Err         string // what is in the way now, or why it ended
}

// feed is what a Consumer knows of the signal.
type feed struct {
	signal    func() string // its name
	listeners func() int
	closed    func() bool
	inside    func() bool // whether a listener is what runs on this goroutine
	handle    func(ctx context.Context, data []byte) error
}

// undecodable says that the payload of a message cannot be decoded.
type undecodable struct{ err error }

func (e *undecodable) Error() string {
	return "natsignals: the payload cannot be decoded: " + e.err.Error()
}
func (e *undecodable) Unwrap() error { return e.err }

// errUnheard says that a message reached no listener.
var errUnheard = errors.New("natsignals: the signal has no listener")

// Consume feeds s with the messages of a stream, as the consumer with that
// durable name, which is made if there is none. When a message counts as
// handled, what happens to one that cannot be, and in which order they come, is
// in the package comment; ctx bounds the checks, and its values are those of
// the listeners' contexts.
func Consume[T any](ctx context.Context, js jetstream.JetStream, stream, durable string, s *signals.AsyncSignal[T], opts ...Option) (*Consumer, error) {
	switch {
	case s == nil:
		return nil, fmt.Errorf("natsignals: Consume of %q: the signal is nil", stream)
	case js == nil:
		return nil, fmt.Errorf("natsignals: Consume of %q: the JetStream is nil", stream)
	}
	ctx = orBackground(ctx)
	c, err := configure(consuming, opts)
	if err != nil {
		return nil, err
	}
	return consume(ctx, c, js, stream, durable, feed{
		signal:    func() string { return s.Stats().Name },
		listeners: s.Len,
		closed:    func() bool { return s.Stats().Closed },
		inside:    func() bool { return inside(s) },
		handle: func(ctx context.Context, data []byte) error {
			payload, err := decode[T](c.codec, data)
			if err != nil {
				return err
			}
			if s.Len() == 0 {
				return errUnheard
			}
			err = s.EmitWait(ctx, payload)
			// The one who heard it may have been the last, and is gone: an
			// emission that found nobody is no error of EmitWait.
			if err == nil && s.Len() == 0 {
				return errUnheard
			}
			return err
		},
	})
}

// drainer is an async signal.
type drainer interface {
	Drain(ctx context.Context) error
}

// inside reports whether a listener of an async signal is what runs on this goroutine.
// The signal knows, and says so before it looks at the context.
func inside(s drainer) bool {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return errors.Is(s.Drain(ended), signals.ErrWouldDeadlock)
}

func decode[T any](codec Codec, data []byte) (payload T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &undecodable{fmt.Errorf("panic: %v", v)}
		}
	}()
	if err := codec.Decode(data, &payload); err != nil {
		return payload, &undecodable{err}
	}
	return payload, nil
}

func consume(ctx context.Context, c *config, js jetstream.JetStream, stream, durable string, f feed) (*Consumer, error) {
	if durable == "" || strings.ContainsAny(durable, " .*>/\\\t\r\n") {
		return nil, fmt.Errorf("natsignals: Consume of %q: %q is no durable name; want a word such as %q, also with Broadcast", stream, durable, "shipping")
	}
	if c.filter != "" && !words(c.filter) {
		return nil, fmt.Errorf("natsignals: Consume of %q: Filter(%q) is no subject; want words, or wildcards, joined by dots, such as %q", stream, c.filter, "orders.>")
	}
	if c.attempts > 0 && c.deadLetters == "" {
		return nil, fmt.Errorf("natsignals: Consume of %q: Attempts(%d) without DeadLetter would lose the message; add one", stream, c.attempts)
	}
	if c.ordered > 1 && (c.filter == "" || strings.ContainsAny(c.filter, "*>")) {
		return nil, fmt.Errorf("natsignals: Consume of %q: Ordered(%d) needs Filter with the subject that Partitioned was given, got %q", stream, c.ordered, c.filter)
	}
	if c.attempts == 0 {
		c.attempts = 5
	}
	n := &Consumer{
		c: c, js: js, stream: stream, name: durable, feed: f, base: context.WithoutCancel(ctx), done: make(chan struct{}),
		retries: retries{of: make(map[uint64]retry)}, stats: ConsumerStats{Stream: stream, Durable: durable},
	}
	n.ctx, n.stop = context.WithCancel(context.Background())
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := n.open(ctx); err != nil {
		n.stop()
		return nil, err
	}
	for _, p := range n.parts {
		n.goes(p.fetch)
	}
	n.goes(n.watch)
	go n.keepAlive()
	go func() {
		<-n.ctx.Done()
		n.mu.Lock() // from here on goes adds nothing
		running := &n.running
		n.mu.Unlock()
		running.Wait()
		close(n.done)
	}()
	return n, nil
}

// goes runs fn unless nothing is to begin any more.
func (n *Consumer) goes(fn func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return false
	}
	n.running.Go(fn)
	return true
}

// end says that the Consumer cannot go on, and why.
func (n *Consumer) end(err error) {
	n.mu.Lock()
	first := n.err == nil && n.ctx.Err() == nil
	if first {
		n.err, n.stats.Err = err, err.Error()
		n.stop()
	}
	n.mu.Unlock()
	if first {
		n.c.log.Error("natsignals: a consumer has ended", "stream", n.stream, "durable", n.name, "err", err)
	}
}

// Done is closed when the Consumer has ended: after Close, or because it could
// not go on. No message is in its hands then.
func (n *Consumer) Done() <-chan struct{} { return n.done }

// Err says why the Consumer ended: nil after Close, and while it runs.
func (n *Consumer) Err() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// Stats returns what the Consumer has done.
func (n *Consumer) Stats() ConsumerStats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stats
	s.Retrying = n.retries.waiting(time.Now())
	s.InFlight = n.held.len()
	for _, p := range n.parts {
		s.Pending += p.pending
	}
	return s
}

// Close fetches no more, and returns when what is being handled is finished:
// nil, or an error that wraps ctx.Err and says how many are left; they go on,
// and Close can be called again to wait on. Inside a listener of the signal, which
// it would wait for, it returns signals.ErrWouldDeadlock at once and closes nothing.
func (n *Consumer) Close(ctx context.Context) error {
	ctx = orBackground(ctx)
	if n.feed.inside() {
		return fmt.Errorf("natsignals: close the consumer %q of %q: %w", n.name, n.stream, signals.ErrWouldDeadlock)
	}
	n.mu.Lock()
	n.stop()
	n.mu.Unlock()
	select {
	case <-n.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("natsignals: close the consumer %q of %q: still handling %s: %w", n.name, n.stream, plural(n.held.len(), "message"), ctx.Err())
	}
}

func (n *Consumer) count(fn func(s *ConsumerStats)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fn(&n.stats)
}

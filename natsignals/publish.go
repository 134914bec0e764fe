package natsignals

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
)

// Publisher joins a signal to a subject, until it is closed. Its methods may
// be called from any goroutine.
type Publisher struct {
	c          *config
	js         jetstream.JetStream
	signal     string  // its name; "" of a Relay
	async      drainer // the signal, or nil if that is sync
	subject    string
	stream     string
	probe      string                // a subject that it publishes on; "" of a Relay
	batch      atomic.Int64          // the least number of messages that are worth an atomic batch
	sub        *signals.Subscription // read only, once Publish has returned
	status     chan nats.Status      // of the connection
	ctx        context.Context       // ended when Close has given up, or is done
	giveUp     context.CancelCauseFunc
	watched    chan struct{}                                   // closed when watch has returned
	again      func()                                          // or nil; called after each reconnect, and from time to time; set before watch begins
	oneSubject bool                                            // a duplicate on another subject is not the message
	before     func(ctx context.Context, subject string) error // or nil; called before each attempt, which it may refuse

	mu       sync.Mutex
	wake     chan struct{} // closed and replaced when the connection is back
	inFlight int           // calls of the listener
	idle     chan struct{} // not nil while Close waits for inFlight to be 0
	stats    PublisherStats
	unsound  string // what of its stream is not as declared, at the last look
	since    time.Time
}

// PublisherStats says what a Publisher has done, and what is in its way.
type PublisherStats struct {
	Subject      string
	Stream       string
	Acknowledged uint64 // messages
	Duplicates   uint64 // of these, those that the stream had already
	Repeats      uint64 // attempts that failed and were made again
	// Err is the failure of the last attempt, "" if it succeeded; Since is when
	// the first of the attempts failed that have failed since the last success. While
	// attempts succeed it is what of the stream is not as declared, if that is so.
	Err      string
	Since    time.Time
	Listener signals.ListenerStats // its Lag is what waits
}

// batcher is an async signal that can hand over what waits in one call. The
// signals of the core are not used as one, although they have batches: a call has one
// context and one outcome for all that is in it, and here each message has a trace of
// its own, counts as a failure of its own when it is lost, and answers its own
// EmitWait. A listener with Concurrency that gathers was rejected, too: calls start in
// order, and nothing says that they reach the gathering in it.
type batcher[T any] interface {
	SubscribeBatch(fn func(context.Context, []T) error, opts ...signals.ListenerOption) *signals.Subscription
}

// Publish joins s to a subject: every emission on s is published there. What
// that means for each kind of signal, and what is checked first, is in the
// package comment; ctx bounds the checks. The signal must be one of package
// signals or something that has its Stats, and there must be a stream that
// takes the subject.
func Publish[T any](ctx context.Context, js jetstream.JetStream, s signals.Source[T], subject string, opts ...Option) (*Publisher, error) {
	c, err := configure(publishing, opts)
	if err != nil {
		return nil, err
	}
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	if js == nil {
		return nil, fmt.Errorf("natsignals: Publish on %q: the JetStream is nil", subject)
	}
	kinds, ok := s.(interface{ Stats() signals.SignalStats })
	if !ok {
		return nil, fmt.Errorf("natsignals: Publish on %q: a %T does not tell whether it is sync or async; pass the signal itself", subject, s)
	}
	enc, err := newEncoder[T](c, subject)
	if err != nil {
		return nil, err
	}
	p, err := newPublisher(ctx, c, js, subject)
	if err != nil {
		return nil, err
	}
	p.signal = kinds.Stats().Name
	p.async, _ = s.(drainer)
	lopts := append([]signals.ListenerOption{signals.Key("nats " + subject)}, c.listener...)
	if err := p.join(func() (*signals.Subscription, error) {
		if kinds.Stats().Kind == signals.KindSync {
			return s.TrySubscribe(func(ctx context.Context, payload T) error {
				m, err := enc.message(ctx, payload)
				if err != nil {
					return err
				}
				return p.once(ctx, m)
			}, lopts...)
		}
		if b, ok := s.(batcher[T]); ok && !ofCore(s) {
			return subscribeBatch(b, func(ctx context.Context, payloads []T) error {
				msgs, err := enc.messages(ctx, payloads)
				return errors.Join(err, p.deliver(ctx, msgs))
			}, lopts)
		}
		return s.TrySubscribe(func(ctx context.Context, payload T) error {
			m, err := enc.message(ctx, payload)
			if err != nil {
				return err
			}
			return p.deliver(ctx, []*nats.Msg{m})
		}, lopts...)
	}); err != nil {
		return nil, err
	}
	return p, nil
}

func ofCore[T any](s signals.Source[T]) bool {
	switch s.(type) {
	case *signals.AsyncSignal[T], *signals.ShardedSignal[T]:
		return true
	}
	return false
}

// subscribeBatch is SubscribeBatch that returns what it panics with.
func subscribeBatch[T any](b batcher[T], fn func(context.Context, []T) error, opts []signals.ListenerOption) (sub *signals.Subscription, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%v", v)
		}
	}()
	return b.SubscribeBatch(fn, opts...), nil
}

// newPublisher checks that what will be published has a place to go to.
func newPublisher(ctx context.Context, c *config, js jetstream.JetStream, subject string) (*Publisher, error) {
	if c.durability == "" {
		return nil, errDurability
	}
	ctx, cancel := context.WithTimeout(orBackground(ctx), c.timeout)
	defer cancel()
	probe := subject
	if c.partitions > 0 {
		probe = partition(subject, c.partitions-1)
	}
	info, err := c.streamOf(ctx, js, probe)
	if err != nil {
		return nil, err
	}
	p := newBridge(c, js, subject, info.Config.Name)
	p.probe, p.again = probe, p.check
	p.batch.Store(worthABatch(info.Config))
	return p, nil
}

// newBridge makes what publishes.
func newBridge(c *config, js jetstream.JetStream, subject, stream string) *Publisher {
	p := &Publisher{
		c: c, js: js, subject: subject, stream: stream, wake: make(chan struct{}), watched: make(chan struct{}),
		stats: PublisherStats{Subject: subject, Stream: stream},
	}
	p.ctx, p.giveUp = context.WithCancelCause(context.Background())
	return p
}

// follow begins to watch the connection, until end.
func (p *Publisher) follow() {
	p.status = p.js.Conn().StatusChanged(nats.CONNECTED, nats.CLOSED)
	go p.watch()
}

// join registers the listener and begins to watch the connection.
func (p *Publisher) join(subscribe func() (*signals.Subscription, error)) error {
	// The first emission may come before subscribe has returned: nothing that
	// the listener uses may be set after it.
	p.follow()
	sub, err := subscribe()
	if err != nil {
		p.end(ErrClosed)
		return fmt.Errorf("natsignals: Publish on %q: %w", p.subject, err)
	}
	p.mu.Lock()
	p.sub = sub
	p.mu.Unlock()
	return nil
}

// watch wakes what waits when the connection is back, and looks then, and from time to
// time, whether the stream still is what was declared.
func (p *Publisher) watch() {
	defer close(p.watched)
	tick := time.NewTicker(p.c.checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if p.again != nil && p.js.Conn().IsConnected() {
				p.again()
			}
		case status, ok := <-p.status:
			if !ok || status == nats.CLOSED {
				if p.ctx.Err() == nil {
					p.c.log.Error("natsignals: the connection was closed, and nothing is published any more; make this bridge again on another",
						"subject", p.subject, "stream", p.stream, "last_error", p.js.Conn().LastError())
				}
				return
			}
			p.mu.Lock()
			close(p.wake)
			p.wake = make(chan struct{})
			p.mu.Unlock()
			if p.again != nil {
				p.again()
			}
		case <-p.ctx.Done():
			return
		}
	}
}

// Stats returns what the Publisher has done.
func (p *Publisher) Stats() PublisherStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	if s.Err == "" && p.unsound != "" {
		s.Err, s.Since = p.unsound, p.since
	}
	s.Listener = p.sub.Stats()
	return s
}

// Close takes the bridge off the signal when everything is acknowledged that
// the signal had accepted when Close was called: nil, or, when ctx ends
// before, an error that wraps ctx.Err and says how many messages are
// dropped. It may be called again. Inside a listener of the signal, if that is async,
// it returns signals.ErrWouldDeadlock at once and closes nothing.
func (p *Publisher) Close(ctx context.Context) error {
	ctx = orBackground(ctx)
	if p.async != nil && inside(p.async) {
		return fmt.Errorf("natsignals: close the publisher on %q: %w", p.subject, signals.ErrWouldDeadlock)
	}
	before := p.sub.Stats()
	upTo := before.Deliveries + before.Drops + uint64(before.Lag)
	var err error
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		now := p.sub.Stats()
		if now.Lag == 0 || now.Deliveries+now.Drops >= upTo {
			break
		}
		if err = pause(ctx, wait, nil); err != nil {
			err = fmt.Errorf("natsignals: close the publisher on %q: dropped %s, not acknowledged: %w", p.subject, plural(now.Lag, "message"), err)
			break
		}
	}
	p.sub.Unsubscribe()
	if err != nil {
		p.giveUp(ErrClosed)
	}
	if idle := p.whenIdle(); idle != nil {
		select {
		case <-idle:
		case <-ctx.Done():
			p.giveUp(ErrClosed)
			<-idle
		}
	}
	p.end(ErrClosed)
	return err
}

func (p *Publisher) end(cause error) {
	p.giveUp(cause)
	p.js.Conn().RemoveStatusListener(p.status)
	<-p.watched
}

func (p *Publisher) whenIdle() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight == 0 {
		return nil
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	return p.idle
}

// enter and leave are around each call of the listener.
func (p *Publisher) enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight++
}

func (p *Publisher) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight--; p.inFlight == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

// orBackground is ctx, or, as for signals, context.Background if it is nil.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// pause waits for that long, or until woken, or until ctx ends.
func pause(ctx context.Context, d time.Duration, woken <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-woken:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// unique returns a name that nobody else makes.
func unique() string {
	var b [9]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

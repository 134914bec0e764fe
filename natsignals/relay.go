package natsignals

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/eventstore"
)

// What a Relay demands of streams without Window: what they have unless
// configured.
const relayWindow = 2 * time.Minute

// Relay publishes the events of a store that match q, each on the subject that
// the function names, in the order of their positions, one at a time. It is a
// durable listener of the store: what is published survives a crash in its
// checkpoint, and the message's id is the event's. So wherever the process ends,
// every event is published at least once, and once only if it goes on within the
// duplicate window of the stream. What the message is made of is in the package
// comment; [RecordedOf] tells the other side the event's position.
//
// An event is tried again until the stream has acknowledged it, and the ones
// behind it wait: they are the Lag of the listener. One that no repetition can
// help, since it is too large, its subject is none, or the stream has its id on
// another subject, becomes a dead letter of the store at once, or stops the
// Relay with eventstore.StopOnFailure in [ListenWith].
//
// The window is checked on each stream: of the last event at the start, which is
// an error of Relay, and before the first message on each subject and again after
// a reconnect; then nothing is published until it is right, and it is logged.
// Without [Window] it is the 2 minutes that streams have unless configured.
//
// The options are those of Publish, but for ID and Listener; Partitioned takes a
// func(eventstore.Recorded) string. ctx bounds the checks at the start. Stop
// ends the Relay: it waits for the message under way until its context ends,
// also while the server is away.
func Relay(ctx context.Context, js jetstream.JetStream, store *eventstore.Store, key string, q eventstore.Query, subject func(eventstore.Recorded) string, opts ...Option) (*eventstore.Listener, error) {
	c, err := configure(relaying, opts)
	if err != nil {
		return nil, err
	}
	ctx = orBackground(ctx)
	r := &relay{subject: subject, source: c.source, good: make(map[string]bool)}
	var ok bool
	switch r.partition, ok = c.key.(func(eventstore.Recorded) string); {
	case js == nil:
		return nil, fmt.Errorf("natsignals: Relay %q: the JetStream is nil", key)
	case store == nil:
		return nil, fmt.Errorf("natsignals: Relay %q: the store is nil", key)
	case subject == nil:
		return nil, fmt.Errorf("natsignals: Relay %q: the function that names the subject is nil", key)
	case !ok && c.key != nil:
		return nil, fmt.Errorf("natsignals: Relay %q: Partitioned got a %T; want a func(eventstore.Recorded) string", key, c.key)
	case c.durability == "":
		return nil, errDurability
	}
	if c.window == 0 {
		c.window = relayWindow
	}
	if r.source == "" {
		r.source = program()
	}
	r.p = newBridge(c, js, "relay "+key, "")
	r.p.batch.Store(math.MaxInt64) // there is one message at a time
	r.p.before, r.p.oneSubject = r.check, true
	if err := r.probe(ctx, store, q); err != nil {
		r.p.giveUp(ErrClosed)
		return nil, fmt.Errorf("natsignals: Relay %q: %w", key, err)
	}
	r.p.follow()
	l, err := store.Listen(key, q, r.publish, append([]eventstore.ListenOption{eventstore.Attempts(1)}, c.listen...)...)
	if err != nil {
		r.p.end(ErrClosed)
		return nil, fmt.Errorf("natsignals: Relay %q: %w", key, err)
	}
	go func() {
		<-l.Done()
		r.p.end(ErrClosed)
	}()
	return l, nil
}

// relay is the durable listener of a Relay.
type relay struct {
	p         *Publisher // without a signal
	subject   func(eventstore.Recorded) string
	partition func(eventstore.Recorded) string // or nil
	source    string

	mu         sync.Mutex
	good       map[string]bool // subjects whose stream has been checked; at most maxGood, cleared at each reconnect and
	cleared    time.Time       // every CheckEvery
	reconnects uint64          // so many there were
}

// maxGood bounds what is remembered of subjects; a name in a subject may be that
// of an order.
const maxGood = 10_000

// probe checks the stream of the last event, or, if there is none, that there
// is a JetStream.
func (r *relay) probe(ctx context.Context, store *eventstore.Store, q eventstore.Query) error {
	ctx, cancel := context.WithTimeout(ctx, r.p.c.timeout)
	defer cancel()
	for last, err := range store.Read(ctx, q, eventstore.Backward(), eventstore.Limit(1)) {
		if err != nil {
			return err
		}
		m, err := r.message(ctx, last)
		if err != nil {
			break // which is for the listener to fail with
		}
		return r.check(ctx, m.Subject)
	}
	_, err := r.p.js.AccountInfo(ctx)
	return explain(r.p.js.Conn(), "look for JetStream", err)
}

// publish publishes an event. It returns nil only if a stream has it, or had,
// and an error if no repetition can help, or ctx has ended.
func (r *relay) publish(ctx context.Context, e eventstore.Recorded) error {
	if eventstore.Rebuilding(ctx) {
		return nil // the old key has published it
	}
	m, err := r.message(ctx, e)
	if err != nil {
		return err
	}
	return r.p.insist(ctx, []*nats.Msg{m})
}

// check looks for the stream of a subject, and whether it is as declared.
func (r *relay) check(ctx context.Context, subject string) error {
	if r.checked(subject) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.p.c.timeout)
	defer cancel()
	if _, err := r.p.c.streamOf(ctx, r.p.js, subject); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.good) >= maxGood {
		clear(r.good)
	}
	r.good[subject] = true
	return nil
}

// checked reports whether a subject has been checked on this connection, and not too
// long ago: another stream may have taken it, or somebody changed the window.
func (r *relay) checked(subject string) bool {
	n := r.p.js.Conn().Stats().Reconnects
	r.mu.Lock()
	defer r.mu.Unlock()
	if n != r.reconnects || time.Since(r.cleared) > r.p.c.checkEvery {
		clear(r.good)
		r.reconnects, r.cleared = n, time.Now()
	}
	return r.good[subject]
}

// message makes one of an event. The functions of the user that it calls may
// panic.
func (r *relay) message(ctx context.Context, e eventstore.Recorded) (m *nats.Msg, err error) {
	subject := ""
	defer func() {
		if v := recover(); v != nil {
			m, err = nil, &encodeError{subject, fmt.Errorf("event %q: panic: %v", e.ID, v)}
		}
	}()
	subject = r.subject(e.Clone()) // its own copy: what is published is what is stored
	if err := checkSubject(subject); err != nil {
		return nil, &encodeError{subject, fmt.Errorf("event %q: %w", e.ID, err)}
	}
	if strings.ContainsFunc(e.ID, unicode.IsControl) || e.ID != strings.TrimSpace(e.ID) {
		return nil, &encodeError{subject, fmt.Errorf("the id of event %q has control characters, or spaces around it, which no header keeps", e.ID)}
	}
	about, err := aboutOf(e)
	if err != nil {
		return nil, &encodeError{subject, fmt.Errorf("event %q: %w", e.ID, err)}
	}
	h := event{id: e.ID, source: r.source, kind: headerText(e.Type), contentType: r.p.c.contentType(e.Data), time: e.Time}.header()
	h.Set(HeaderEvent, about)
	if e.Stream != "" {
		h.Set(headerSubject, headerText(e.Stream))
	}
	if parent := e.Meta[headerTraceParent]; parent != "" {
		ctx = WithTrace(ctx, headerText(parent), headerText(e.Meta[headerTraceState]))
	}
	r.p.c.inject(ctx, h)
	if r.partition != nil {
		subject = PartitionOf(subject, r.partition(e.Clone()), r.p.c.partitions)
	}
	return &nats.Msg{Subject: subject, Data: e.Data, Header: h}, nil
}

package natsignals

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"example.com/signals"
	"example.com/signals/eventstore"
)

// Option changes how a bridge works. An option that the bridge has no use for,
// and one that makes no sense, is an error of Publish, Consume or Relay.
type Option func(*config)

// config is what the options of one bridge say. It is written while they are
// applied, and read only after that.
type config struct {
	given map[string]uses // the options by name, with what they are for
	fault string          // the first option that makes no sense

	codec   Codec
	source  string
	inject  func(context.Context, nats.Header)
	extract func(context.Context, nats.Header) context.Context
	log     *slog.Logger
	timeout time.Duration

	durability string // "replicas", "sync always", "loss", or ""
	replicas   int
	window     time.Duration
	id         any // func(T) string
	partitions int
	key        any // func(T) string
	listener   []signals.ListenerOption
	listen     []eventstore.ListenOption

	ordered     int
	filter      string
	broadcast   bool
	start       start
	inFlight    int
	retrying    int
	ackWait     time.Duration
	first, last time.Duration
	attempts    int
	deadLetters string
	checkEvery  time.Duration
}

// uses says which bridges an option is for.
type uses int

const (
	publishing uses = 1 << iota
	consuming
	relaying
	sending = publishing | relaying
	all     = sending | consuming
)

func configure(use uses, opts []Option) (*config, error) {
	c := &config{
		given: make(map[string]uses), codec: JSON, inject: injectTrace, extract: extractTrace, log: slog.Default(),
		timeout: 5 * time.Second, inFlight: 64, retrying: 1000, ackWait: 30 * time.Second,
		first: 100 * time.Millisecond, last: 30 * time.Second, checkEvery: 5 * time.Second,
	}
	for _, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("natsignals: an Option is nil; leave it out")
		}
		o(c)
	}
	for name, of := range c.given {
		if of&use == 0 {
			return nil, fmt.Errorf("natsignals: %s is no option of a bridge in this direction; leave it out", name)
		}
	}
	if c.fault != "" {
		return nil, fmt.Errorf("natsignals: %s", c.fault)
	}
	return c, nil
}

func (c *config) is(name string, of uses) { c.given[name] = of }

func (c *config) wrong(format string, args ...any) {
	if c.fault == "" {
		c.fault = fmt.Sprintf(format, args...)
	}
}

// WithCodec makes the bridge encode or decode with codec instead of [JSON]. A
// Relay publishes the data of events as it is, and asks codec for its
// ContentType only.
func WithCodec(codec Codec) Option {
	return func(c *config) {
		c.is("WithCodec", all)
		if codec == nil {
			c.wrong("WithCodec(nil); leave it out for JSON")
			return
		}
		c.codec = codec
	}
}

// Source is the ce-source of what is published, a URI reference; without it
// it is "/" and the name of the program.
func Source(uri string) Option {
	return func(c *config) { c.is("Source", sending); c.source = uri }
}

// Propagate carries more than the trace context of [WithTrace] from the context of
// an emission to that of the listeners on the other side. With OpenTelemetry, and
// the propagator p:
//
//	natsignals.Propagate(
//		func(ctx context.Context, h nats.Header) { p.Inject(ctx, propagation.HeaderCarrier(h)) },
//		func(ctx context.Context, h nats.Header) context.Context {
//			return p.Extract(ctx, propagation.HeaderCarrier(h))
//		})
//
// Either function may be nil.
func Propagate(inject func(context.Context, nats.Header), extract func(context.Context, nats.Header) context.Context) Option {
	return func(c *config) {
		c.is("Propagate", all)
		c.inject = func(ctx context.Context, h nats.Header) {
			injectTrace(ctx, h)
			if inject != nil {
				inject(ctx, h)
			}
		}
		c.extract = func(ctx context.Context, h nats.Header) context.Context {
			ctx = extractTrace(ctx, h)
			if extract != nil {
				ctx = extract(ctx, h)
			}
			return ctx
		}
	}
}

// Logger gets what nobody else is told, such as attempts that are repeated.
// The default is slog.Default().
func Logger(l *slog.Logger) Option {
	return func(c *config) {
		c.is("Logger", all)
		if l == nil {
			c.wrong("Logger(nil); leave it out for slog.Default")
			return
		}
		c.log = l
	}
}

// Timeout bounds one attempt of anything that waits for the server: to publish,
// to acknowledge, to check a configuration. The default is 5 seconds.
func Timeout(d time.Duration) Option {
	return func(c *config) {
		c.is("Timeout", all)
		if d <= 0 {
			c.wrong("Timeout(%v); want more than 0", d)
		}
		c.timeout = d
	}
}

// Replicas demands that the stream has at least n copies, and is on file: at
// least 3, since fewer have no majority that survives the loss of one.
func Replicas(n int) Option {
	return func(c *config) {
		c.is("Replicas", all)
		if n < 3 {
			c.wrong("Replicas(%d): fewer than 3 copies do not survive the loss of one; want 3 or 5, or SyncAlways or AcceptLoss", n)
		}
		c.durability, c.replicas = "replicas", n
	}
}

// SyncAlways states that the servers are configured with sync_interval: always,
// which a client cannot read; that the stream is on file is checked.
func SyncAlways() Option {
	return func(c *config) { c.is("SyncAlways", all); c.durability = "sync always" }
}

// AcceptLoss accepts that messages which were acknowledged can be lost: in a
// power cut, or at any restart if the stream is in memory.
func AcceptLoss() Option {
	return func(c *config) { c.is("AcceptLoss", all); c.durability = "loss" }
}

// Window demands that the stream remembers message ids for at least d
// (duplicate_window): as long as a retry after a crash may take.
func Window(d time.Duration) Option {
	return func(c *config) {
		c.is("Window", sending)
		if d <= 0 {
			c.wrong("Window(%v); want more than 0", d)
		}
		c.window = d
	}
}

// ID makes fn name the messages: the same fact must have the same id, two facts
// never. A payload with an empty id is a failure.
func ID[T any](fn func(T) string) Option {
	return func(c *config) {
		c.is("ID", publishing)
		if fn == nil {
			c.wrong("ID(nil); leave it out for ids that are made up")
			return
		}
		c.id = fn
	}
}

// Partitioned publishes each message on one of n subjects, SUBJECT.0 to
// SUBJECT.n-1, chosen by the key of its payload (FNV-1a, 64 bits, modulo n),
// so that consumers with [Ordered](n) keep the order per key. n can be changed
// only when all that was stored with the old one is handled.
func Partitioned[T any](n int, key func(T) string) Option {
	return func(c *config) {
		c.is("Partitioned", sending)
		if n < 1 || key == nil {
			c.wrong("Partitioned(%d, ...); want a number of at least 1 and a function", n)
			return
		}
		c.partitions, c.key = n, key
	}
}

// PartitionOf returns the subject on which Partitioned publishes what has that
// key.
func PartitionOf(subject, key string, n int) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return partition(subject, int(h.Sum64()%uint64(n)))
}

func partition(subject string, i int) string { return subject + "." + strconv.Itoa(i) }

// Listener gives options to the listener with which Publish joins the signal,
// such as a Priority, a Filter or a Scope. Its key is "nats " and the subject,
// unless these options give one.
func Listener(opts ...signals.ListenerOption) Option {
	return func(c *config) { c.is("Listener", publishing); c.listener = append(c.listener, opts...) }
}

// ListenWith gives options to the durable listener of a Relay, such as where a
// new key begins (eventstore.FromHead), or eventstore.StopOnFailure. Without
// them, an event that cannot be published is a dead letter after one attempt.
func ListenWith(opts ...eventstore.ListenOption) Option {
	return func(c *config) { c.is("ListenWith", relaying); c.listen = append(c.listen, opts...) }
}

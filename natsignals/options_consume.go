package natsignals

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// start is where a new consumer begins.
type start struct {
	policy jetstream.DeliverPolicy
	set    bool
	seq    uint64
	time   time.Time
}

// Ordered keeps the order per key: one message at a time per partition, for
// subjects made with [Partitioned] and the same n. [Filter] must name the
// subject that was published on. With n = 1 there are no partitions, and the
// messages of the filter, or of the stream, are handled one at a time. The
// server holds a consumer for each partition: the durable name and "-0" to "-n-1".
func Ordered(n int) Option {
	return func(c *config) {
		c.is("Ordered", consuming)
		if n < 1 {
			c.wrong("Ordered(%d); want at least 1 partition", n)
		}
		c.ordered = n
	}
}

// Filter makes a consumer get the messages of that subject only; it may have
// wildcards.
func Filter(subject string) Option {
	return func(c *config) { c.is("Filter", consuming); c.filter = subject }
}

// Broadcast makes this Consume get every message, instead of sharing them with
// others of the same name. It begins now unless [From] or [FromSequence] say
// otherwise; its position ends with it: five minutes after the process is gone.
func Broadcast() Option {
	return func(c *config) { c.is("Broadcast", consuming); c.broadcast = true }
}

// From makes a new consumer begin with the first message that was stored at t
// or later.
func From(t time.Time) Option {
	return func(c *config) {
		c.is("From", consuming)
		c.start = start{jetstream.DeliverByStartTimePolicy, true, 0, t}
	}
}

// FromSequence makes a new consumer begin with that sequence of the stream.
func FromSequence(n uint64) Option {
	return func(c *config) {
		c.is("FromSequence", consuming)
		if n < 1 {
			c.wrong("FromSequence(0); sequences begin at 1")
		}
		c.start = start{policy: jetstream.DeliverByStartSequencePolicy, set: true, seq: n}
	}
}

// FromNow makes a new consumer begin with what is stored from now on.
func FromNow() Option {
	return func(c *config) {
		c.is("FromNow", consuming)
		c.start = start{policy: jetstream.DeliverNewPolicy, set: true}
	}
}

// InFlight bounds the messages that are in this process at once, waiting or
// being handled. The default is 64. How many a listener works on at once is
// for its Concurrency to say. With [Ordered] it is one per partition.
func InFlight(n int) Option {
	return func(c *config) {
		c.is("InFlight", consuming)
		if n < 1 {
			c.wrong("InFlight(%d); want at least 1", n)
		}
		c.inFlight = n
	}
}

// Retrying is how many messages may wait at the server for their next attempt.
// The default is 1,000. When so many wait, further ones wait in this process,
// each in the place of one in flight. The consumer's max_ack_pending is this
// and [InFlight] together; with several processes that share a consumer, give
// all of them a multiple.
func Retrying(n int) Option {
	return func(c *config) {
		c.is("Retrying", consuming)
		if n < 0 {
			c.wrong("Retrying(%d); want 0 or more", n)
		}
		c.retrying = n
	}
}

// AckWait is how long after the last sign of life of a process the server
// gives its messages to another. The default is 30 seconds. A listener may
// take longer: the server is told that it runs.
func AckWait(d time.Duration) Option {
	return func(c *config) {
		c.is("AckWait", consuming)
		if d < 100*time.Millisecond {
			c.wrong("AckWait(%v); want at least 100ms", d)
		}
		c.ackWait = d
	}
}

// Backoff sets the wait before the second attempt and the longest wait; between
// the two it doubles. The default is 100 ms to 30 s. For a Publisher and a Relay
// it is the wait between attempts to publish.
func Backoff(first, longest time.Duration) Option {
	return func(c *config) {
		c.is("Backoff", all)
		if first <= 0 || longest < first {
			c.wrong("Backoff(%v, %v); want 0 < first <= longest", first, longest)
		}
		c.first, c.last = first, longest
	}
}

// Attempts is after how many failed attempts a message becomes a dead letter.
// The default is 5 with [DeadLetter]; it makes no sense without.
func Attempts(n int) Option {
	return func(c *config) {
		c.is("Attempts", consuming)
		if n < 1 {
			c.wrong("Attempts(%d); want at least 1", n)
		}
		c.attempts = n
	}
}

// DeadLetter publishes what could not be handled on that subject, which a
// stream must take: one that this consumer does not read. See
// [DeadLetterHeaders] for what is added.
func DeadLetter(subject string) Option {
	return func(c *config) {
		c.is("DeadLetter", consuming)
		if subject == "" {
			c.wrong(`DeadLetter(""); want a subject`)
		}
		c.deadLetters = subject
	}
}

// CheckEvery is how often a Consumer asks whether its consumer is still the one
// that it was, beside noticing when it is told, and a Publisher and a Relay whether
// the stream that takes the subject still is as declared. The default is 5 seconds.
func CheckEvery(d time.Duration) Option {
	return func(c *config) {
		c.is("CheckEvery", all)
		if d < 10*time.Millisecond {
			c.wrong("CheckEvery(%v); want at least 10ms", d)
		}
		c.checkEvery = d
	}
}

// wait is how long to wait after that many failed attempts.
func (c *config) wait(failed int) time.Duration {
	d := c.first
	for i := 1; i < failed && d < c.last; i++ {
		d *= 2
	}
	return min(d, c.last)
}

package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ListenOption says how a durable listener begins, and what it does at a
// failure. One that makes no sense is an error of Listen.
type ListenOption func(*listenConfig)

// listenConfig is what the options of a Listen say. It does not change.
type listenConfig struct {
	from          func(ctx context.Context, b Backend) (Position, error) // where a new key begins; nil: at the start
	first         time.Duration
	longest       time.Duration
	attempts      int
	stopAtFailure bool
	rebuildOf     string
	apply         func(ctx context.Context, tx any, r Recorded) error // of InTransaction
	err           error                                               // the first option that makes no sense
}

func (c *listenConfig) wrong(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// FromStart lets a new key begin at the first event. It is the default. A key
// that has a checkpoint goes on there, whatever the options say.
func FromStart() ListenOption { return func(c *listenConfig) { c.from = nil } }

// FromPosition lets a new key begin after that position, which must not be
// beyond the head.
func FromPosition(p Position) ListenOption {
	return func(c *listenConfig) {
		c.from = func(ctx context.Context, b Backend) (Position, error) {
			head, err := b.Head(ctx)
			if err == nil && p > head {
				err = fmt.Errorf("FromPosition(%d): the store's last event is at %d", p, head)
			}
			return p, err
		}
	}
}

// FromHead lets a new key begin after the last event that there is when Listen
// is called.
func FromHead() ListenOption {
	return func(c *listenConfig) {
		c.from = func(ctx context.Context, b Backend) (Position, error) { return b.Head(ctx) }
	}
}

// Backoff sets how long a listener waits before it is called again with an
// event that it failed: first, then twice as long each time, up to longest.
// Without it, 100 milliseconds to 30 seconds.
func Backoff(first, longest time.Duration) ListenOption {
	return func(c *listenConfig) {
		if c.first, c.longest = first, longest; first <= 0 || longest < first {
			c.wrong("Backoff(%v, %v): want a positive duration, and one that is not shorter", first, longest)
		}
	}
}

// Attempts sets how often the listener is called with an event before the event
// is given up: 10 times without it. n < 1 makes no sense.
func Attempts(n int) ListenOption {
	return func(c *listenConfig) {
		if c.attempts = n; n < 1 {
			c.wrong("Attempts(%d): want 1 or more", n)
		}
	}
}

// StopOnFailure stops the listener when an event is given up, instead of making
// a dead letter of it. Its key stays before that event, and Listen with it tries
// again there. For what must not go on without it, such as a balance.
func StopOnFailure() ListenOption { return func(c *listenConfig) { c.stopAtFailure = true } }

// RebuildOf says that the new key takes the place of the old one: it goes through
// what that one has been through, without its side effects. Up to the
// checkpoint of the old key the listener's context says Rebuilding. The old key
// must exist, and is not touched.
//
// To change over: let the new key catch up beside the old one, stop the old
// listener, and go over to what the new one has made; DeleteCheckpoint removes
// the old key, once the new one has passed it. While both run, an event that
// the new key reaches first has its side effects twice.
func RebuildOf(key string) ListenOption {
	return func(c *listenConfig) {
		if c.rebuildOf = key; key == "" {
			c.wrong(`RebuildOf(""): give the key whose place it takes`)
		}
	}
}

// InTransaction makes a projection of a listener: apply is called in the
// transaction that moves its checkpoint, so that what it writes there is
// written exactly once. Several events share a transaction while it catches up.
// Listen's own function must be nil. tx is what the backend hands out; its
// package has a function Project that gives apply the right type, which is what
// to use. Over a backend without such transactions, Listen answers
// ErrUnsupported.
//
// After a failure the transaction is rolled back, the events before the one
// that failed are applied again, and that one is tried alone.
func InTransaction(apply func(ctx context.Context, tx any, r Recorded) error) ListenOption {
	return func(c *listenConfig) {
		if c.apply = apply; apply == nil {
			c.wrong("InTransaction(nil): give a function or leave the option out")
		}
	}
}

func listenOptions(opts []ListenOption) (listenConfig, error) {
	c := listenConfig{first: 100 * time.Millisecond, longest: 30 * time.Second, attempts: 10}
	for _, o := range opts {
		if o == nil {
			return c, errors.New("a ListenOption is nil; leave it out")
		}
		o(&c)
	}
	return c, c.err
}

// pause returns how long to wait after so many failures.
func (c *listenConfig) pause(failures int) time.Duration {
	d := c.first
	for i := 1; i < failures && d < c.longest; i++ {
		d *= 2
		if d <= 0 {
			return c.longest
		}
	}
	return min(d, c.longest)
}

type rebuildingKey struct{}

// Rebuilding reports whether the listener that got this context, one with
// RebuildOf, goes through an event that the old key has handled already: it
// must leave out what reaches the outside.
func Rebuilding(ctx context.Context) bool {
	if ctx == nil {
		return false
	}
	on, _ := ctx.Value(rebuildingKey{}).(bool)
	return on
}

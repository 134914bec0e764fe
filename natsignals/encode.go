package natsignals

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// encodeError says that a payload could not be made a message. To try again
// would not help.
type encodeError struct {
	subject string
	err     error
}

func (e *encodeError) Error() string {
	return fmt.Sprintf("natsignals: a payload cannot be published on %q: %v", e.subject, e.err)
}

func (e *encodeError) Unwrap() error { return e.err }

// encoder makes messages of payloads.
type encoder[T any] struct {
	c       *config
	subject string
	source  string
	id      func(T) string // or nil
	key     func(T) string // or nil
	prefix  string         // of ids that are made up
	last    atomic.Uint64  // number of the last of them
}

func newEncoder[T any](c *config, subject string) (*encoder[T], error) {
	e := &encoder[T]{c: c, subject: subject, source: c.source, prefix: unique()}
	if e.source == "" {
		e.source = program()
	}
	var ok bool
	if e.id, ok = c.id.(func(T) string); !ok && c.id != nil {
		return nil, fmt.Errorf("natsignals: Publish on %q: ID got a %T; want a func(%s) string", subject, c.id, typeName[T]())
	}
	if e.key, ok = c.key.(func(T) string); !ok && c.key != nil {
		return nil, fmt.Errorf("natsignals: Publish on %q: Partitioned got a %T; want a func(%s) string", subject, c.key, typeName[T]())
	}
	return e, nil
}

// message makes one. The functions of the user that it calls may panic.
func (e *encoder[T]) message(ctx context.Context, payload T) (m *nats.Msg, err error) {
	defer func() {
		if v := recover(); v != nil {
			m, err = nil, &encodeError{e.subject, fmt.Errorf("panic: %v", v)}
		}
	}()
	data, err := e.c.codec.Encode(payload)
	if err != nil {
		return nil, &encodeError{e.subject, err}
	}
	ev := event{source: e.source, kind: typeName[T](), contentType: e.c.codec.ContentType(), time: time.Now()}
	if e.id == nil {
		ev.id = e.prefix + "-" + strconv.FormatUint(e.last.Add(1), 10)
	} else if ev.id = e.id(payload); ev.id == "" {
		return nil, &encodeError{e.subject, errors.New("its ID is empty")}
	}
	m = &nats.Msg{Subject: e.subject, Data: data, Header: ev.header()}
	if e.key != nil {
		m.Subject = PartitionOf(e.subject, e.key(payload), e.c.partitions)
	}
	e.c.inject(ctx, m.Header)
	return m, nil
}

// messages makes one of each payload; those that cannot be made are left out.
func (e *encoder[T]) messages(ctx context.Context, payloads []T) ([]*nats.Msg, error) {
	msgs := make([]*nats.Msg, 0, len(payloads))
	var errs []error
	for _, payload := range payloads {
		m, err := e.message(ctx, payload)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		msgs = append(msgs, m)
	}
	return msgs, errors.Join(errs...)
}

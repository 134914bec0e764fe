package natsignals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	headerTimeout = "Signals-Timeout" // how long the one who asks waits
	headerRefusal = "Signals-Refusal" // the answer is this error

	askDefault = 5 * time.Second
	// How many requests a Responder works on at once; more wait in the client.
	answering = 256
	group     = "signals" // responders on one subject share its requests
)

var errNoConn = errors.New("the connection is nil")

// RemoteError is the error with which the other side answered.
type RemoteError struct {
	Subject string
	Text    string
}

// Error gives the subject and the text of the error there.
func (e *RemoteError) Error() string {
	return fmt.Sprintf("natsignals: the answer on %q is an error: %s", e.Subject, e.Text)
}

// Ask sends q to one of those who answer on subject and returns its answer. It
// waits until ctx ends, 5 seconds if that has no deadline. The errors:
// [ErrNoResponder] at once if nobody answers there; a [*RemoteError] if the
// other side failed; [ErrNoAnswer] and ctx.Err if the time is up, and then the
// other side may have done its work. Both sides are JSON; the trace context of
// [WithTrace] goes along. Nothing is stored and nothing asked twice.
func Ask[Q, A any](ctx context.Context, nc *nats.Conn, subject string, q Q) (A, error) {
	var a A
	fail := func(err error) (A, error) { return a, fmt.Errorf("natsignals: ask on %q: %w", subject, err) }
	if err := checkSubject(subject); err != nil {
		return a, err
	}
	if nc == nil {
		return fail(errNoConn)
	}
	data, err := json.Marshal(q)
	if err != nil {
		return fail(err)
	}
	ctx = orBackground(ctx)
	deadline, ok := ctx.Deadline()
	if !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askDefault)
		defer cancel()
		deadline, _ = ctx.Deadline()
	}
	m := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{headerTimeout: {time.Until(deadline).String()}}}
	injectTrace(ctx, m.Header)
	if !nc.IsConnected() {
		return a, explain(nc, fmt.Sprintf("ask on %q", subject), nats.ErrDisconnected)
	}
	reply, err := nc.RequestMsgWithContext(ctx, m)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fail(ErrNoResponder)
	case err != nil:
		return a, explain(nc, fmt.Sprintf("ask on %q", subject), err)
	}
	if values := reply.Header[headerRefusal]; len(values) > 0 {
		return a, &RemoteError{subject, values[0]}
	}
	if err := json.Unmarshal(reply.Data, &a); err != nil {
		return fail(fmt.Errorf("the answer is no %s: %w", typeName[A](), err))
	}
	return a, nil
}

// Responder answers on a subject until it is closed.
type Responder struct {
	nc      *nats.Conn
	subject string
	sub     *nats.Subscription
	slots   chan struct{}
	done    chan struct{} // closed when it takes no more and nothing runs

	mu      sync.Mutex
	closing bool
	running sync.WaitGroup // Add under mu while not closing
}

// Answer calls fn for each request on subject and sends back what it returns,
// on up to 256 goroutines. Several that answer on one subject, in whatever
// processes, share the requests. The context that fn gets ends when the one who
// asks waits no longer. An error of fn, and a panic in it, is the answer.
func Answer[Q, A any](nc *nats.Conn, subject string, fn func(context.Context, Q) (A, error)) (*Responder, error) {
	switch {
	case fn == nil:
		return nil, fmt.Errorf("natsignals: answer on %q: the function is nil", subject)
	case nc == nil:
		return nil, fmt.Errorf("natsignals: answer on %q: %w", subject, errNoConn)
	}
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	r := &Responder{nc: nc, subject: subject, slots: make(chan struct{}, answering), done: make(chan struct{})}
	sub, err := nc.QueueSubscribe(subject, group, func(m *nats.Msg) {
		r.slots <- struct{}{}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.closing {
			<-r.slots
			return // it is answered by no one: the one who asks runs into its time
		}
		r.running.Go(func() {
			defer func() { <-r.slots }()
			r.answer(m, func(ctx context.Context, data []byte) ([]byte, error) {
				var q Q
				if err := json.Unmarshal(data, &q); err != nil {
					return nil, fmt.Errorf("the question is no %s: %w", typeName[Q](), err)
				}
				a, err := fn(ctx, q)
				if err != nil {
					return nil, err
				}
				return json.Marshal(a)
			})
		})
	})
	if err != nil {
		return nil, explain(nc, fmt.Sprintf("answer on %q", subject), err)
	}
	r.sub = sub
	// The server must know of it before Answer returns: else the first to ask is
	// told that nobody is there.
	if err := nc.FlushTimeout(askDefault); err != nil {
		_ = sub.Unsubscribe()
		return nil, explain(nc, fmt.Sprintf("answer on %q", subject), err)
	}
	return r, nil
}

func (r *Responder) answer(m *nats.Msg, call func(context.Context, []byte) ([]byte, error)) {
	ctx, cancel := context.WithTimeout(extractTrace(context.Background(), m.Header), patience(m.Header))
	defer cancel()
	data, err := guarded(func() ([]byte, error) { return call(ctx, m.Data) })
	reply := &nats.Msg{Data: data}
	if err != nil {
		reply.Header = nats.Header{headerRefusal: {headerText(textOf(err))}}
	}
	if err := m.RespondMsg(reply); errors.Is(err, nats.ErrMaxPayload) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{headerRefusal: {fmt.Sprintf("the answer has %d bytes; the server takes %d", len(data), r.nc.MaxPayload())}}})
	}
}

// patience is how long the one who asks waits.
func patience(h nats.Header) time.Duration {
	if d, err := time.ParseDuration(h.Get(headerTimeout)); err == nil && d > 0 {
		return d
	}
	return askDefault
}

// guarded runs a function of the user, and makes its panic an error.
func guarded(fn func() ([]byte, error)) (data []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return fn()
}

// Close takes no more requests, and returns when those under way are answered,
// or ctx ends: inside the function that answers it waits for that. It may be called
// again.
func (r *Responder) Close(ctx context.Context) error {
	ctx = orBackground(ctx)
	r.mu.Lock()
	first := !r.closing
	r.closing = true
	r.mu.Unlock()
	if first {
		_ = r.sub.Unsubscribe()
		go func() {
			r.running.Wait()
			_ = r.nc.FlushTimeout(askDefault) // the answers have left
			close(r.done)
		}()
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("natsignals: close the responder on %q: still answering %s: %w", r.subject, plural(len(r.slots), "request"), ctx.Err())
	}
}

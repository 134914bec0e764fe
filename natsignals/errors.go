package natsignals

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrUnreachable says that there is no connection to a server.
	ErrUnreachable = errors.New("no connection to a NATS server")
	// ErrNoJetStream says that the server, or this account, has no JetStream.
	ErrNoJetStream = errors.New("JetStream is not enabled")
	// ErrNoStream says that no stream of this account has that name or subject.
	ErrNoStream = errors.New("no such stream in this account")
	// ErrDenied says that the server refused for lack of permission.
	ErrDenied = errors.New("permission denied")
	// ErrTooLarge says that a message is larger than server or stream allow.
	ErrTooLarge = errors.New("message too large")
	// ErrNotAcknowledged says that no acknowledgement came in time: the message
	// may be stored or not.
	ErrNotAcknowledged = errors.New("not acknowledged in time; the message may be stored all the same")
	// ErrNoAnswer says that the server did not answer a request in time.
	ErrNoAnswer = errors.New("no answer in time")
	// ErrConsumerLost says that a consumer was deleted, or deleted and made
	// again, while it was in use, or that its stream has become shorter than where
	// it was: its position is lost.
	ErrConsumerLost = errors.New("the consumer has lost its position")
	// ErrNoResponder says that nobody answers on that subject.
	ErrNoResponder = errors.New("nobody answers on that subject")
	// ErrClosed says that the bridge was closed.
	ErrClosed = errors.New("closed")
)

// ConfigError says that a stream or consumer exists and is configured
// otherwise than the bridge needs it.
type ConfigError struct {
	What string // such as `stream "ORDERS"`
	Name string // the field, as the NATS configuration calls it
	Got  any
	Want any
	Help string // what to do, or ""
}

// Error names the field and both values.
func (e *ConfigError) Error() string {
	s := fmt.Sprintf("natsignals: %s has %s %v; want %v", e.What, e.Name, e.Got, e.Want)
	if e.Help != "" {
		s += ": " + e.Help
	}
	return s
}

// What to do about a message that is too large, and about a permission.
const (
	smaller = "send less, such as where the rest is stored, or raise the limit"
	granted = "grant it to this user, or connect as another"
)

// explain says in words of this package what a call on nc ran into. doing is what
// was tried, such as `publish on "orders.placed"`.
func explain(nc *nats.Conn, doing string, err error) error {
	if err == nil {
		return nil
	}
	help, kind := kindOf(nc, doing, err)
	switch {
	case kind == nil:
		return fmt.Errorf("natsignals: %s: %w", doing, err)
	case help != "":
		return fmt.Errorf("natsignals: %s: %w: %s (%w)", doing, kind, help, err)
	}
	return fmt.Errorf("natsignals: %s: %w (%w)", doing, kind, err)
}

// kindOf tells what kind of error it is, and what to do; nil if it is none of
// those.
func kindOf(nc *nats.Conn, doing string, err error) (help string, kind error) {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		switch api.ErrorCode {
		case jetstream.JSErrCodeStreamNotFound:
			return "make it, or connect to the account that has it", ErrNoStream
		case jetstream.JSErrCodeConsumerNotFound, jetstream.JSErrCodeConsumerDoesNotExist:
			return "", ErrConsumerLost
		case jetstream.JSErrCodeStreamMessageExceedsMaximum:
			return "the stream's max_msg_size is smaller; " + smaller, ErrTooLarge
		case jetstream.JSErrCodeJetStreamNotEnabled:
			return "start the server with -js", ErrNoJetStream
		case jetstream.JSErrCodeJetStreamNotEnabledForAccount:
			return "for this account; enable it there, or connect to another", ErrNoJetStream
		}
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Sprintf("the server takes %d bytes (max_payload); %s", nc.MaxPayload(), smaller), ErrTooLarge
	case errors.Is(err, nats.ErrPermissionViolation):
		return granted, ErrDenied
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrConnectionDraining):
		return "the connection was closed", ErrUnreachable
	case !nc.IsConnected():
		return "it is tried again by the connection, to " + servers(nc), ErrUnreachable
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return "none takes that subject; make it, or connect to the account that has it", ErrNoStream
	case errors.Is(err, nats.ErrNoResponders):
		return "nobody answers its API; start the server with -js, or wait for a leader", ErrNoJetStream
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrNoHeartbeat):
		// The server refuses without answering the request: the connection
		// gets the refusal by the side, and the request runs into its time.
		if last := nc.LastError(); last != nil && errors.Is(last, nats.ErrPermissionViolation) && concerns(last, doing) {
			help := granted
			if strings.Contains(last.Error(), "Subscription to") {
				help += ", and reconnect (ForceReconnect): the server has ended the subscription for its answers"
			}
			return last.Error() + "; " + help, ErrDenied
		}
		return "", ErrNoAnswer
	}
	return "", nil
}

// concerns reports whether a refusal, which may be an old one of something else, is
// of what was tried: of its subject, of the answer's, or, where something else than a
// message was tried, of the API.
func concerns(refusal error, doing string) bool {
	_, rest, _ := strings.Cut(refusal.Error(), `"`)
	subject, _, _ := strings.Cut(rest, `"`)
	return strings.Contains(doing, strconv.Quote(subject)) || strings.HasPrefix(subject, "_INBOX.") ||
		strings.HasPrefix(subject, "$JS.") && !strings.HasPrefix(doing, "publish ")
}

// tooLarge says of a message that server or stream do not take how large it is and
// what they take; any other error it leaves alone.
func tooLarge(ctx context.Context, js jetstream.JetStream, m *nats.Msg, err error) error {
	var api *jetstream.APIError
	size := m.Size() - len(m.Subject) - len(m.Reply)
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("natsignals: publish on %q: %w: it has %d bytes with its headers, and the server takes %d (max_payload): %s (%w)",
			m.Subject, ErrTooLarge, size, js.Conn().MaxPayload(), smaller, err)
	case errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamMessageExceedsMaximum:
		what, limit := "the stream", "less"
		if name, err := js.StreamNameBySubject(ctx, m.Subject); err == nil {
			what = fmt.Sprintf("the stream %q", name)
			if s, err := js.Stream(ctx, name); err == nil {
				limit = fmt.Sprint(s.CachedInfo().Config.MaxMsgSize)
			}
		}
		return fmt.Errorf("natsignals: publish on %q: %w: it has %d bytes with its headers, and %s takes %s (max_msg_size): %s (%w)",
			m.Subject, ErrTooLarge, size, what, limit, smaller, err)
	}
	return err
}

// servers lists the servers of a connection, without the passwords that their
// addresses may hold.
func servers(nc *nats.Conn) string {
	all := nc.Servers()
	for i, s := range all {
		u, err := url.Parse(s)
		if err != nil {
			all[i] = "a server whose address is no URL"
			continue
		}
		if u.User != nil {
			u.User = url.User("xxxxx") // a name alone is a token
		}
		all[i] = u.String()
	}
	return strings.Join(all, ", ")
}

// hopeless reports whether to publish again cannot help.
func hopeless(err error) bool {
	var encoding *encodeError
	return errors.As(err, &encoding) || errors.Is(err, ErrTooLarge) || errors.Is(err, errOtherSubject)
}

// plural counts things: "1 message", "2 messages".
func plural[N ~int | ~int64 | ~uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals/examples/internal/english"
	"example.com/signals/natsignals"
	"example.com/signals/natsignals/embedded"
)

// lanes is the number of partitions: so many customers of each department are
// served at once, and each of them in order.
const lanes = 4

// broker is the server between the three: one in this process, or a cluster.
type broker struct {
	url    string
	server *embedded.Server // or nil
	nc     *nats.Conn
	js     jetstream.JetStream
}

// openBroker starts the server in the home, or connects to the one at url.
func openBroker(ctx context.Context, h *home, url string, log *slog.Logger) (b *broker, err error) {
	b = &broker{url: url}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if url == "" {
		if b.server, err = embedded.Start(h.path("nats"), embedded.Name("shop-cluster"), embedded.Logger(log)); err != nil {
			return b, err
		}
		b.url = b.server.URL()
		b.nc, err = b.server.Connect()
	} else {
		b.nc, err = connect(url)
	}
	if err != nil {
		return b, err
	}
	if b.js, err = jetstream.New(b.nc); err != nil {
		return b, err
	}
	return b, b.prepare(ctx, h)
}

// prepare makes the stream of a new shop, and looks for that of one that goes on.
func (b *broker) prepare(ctx context.Context, h *home) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s := &h.settings
	if h.known {
		switch _, err := b.js.Stream(ctx, s.stream()); {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			return fmt.Errorf("the stream %s of the shop in %s is not there any more, and what was published with it: begin anew with another -data", s.stream(), h.dir)
		case err != nil:
			return b.explain(fmt.Sprintf("find the stream %s", s.stream()), err)
		}
		return nil
	}
	_, err := b.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: s.stream(), Subjects: []string{s.subject() + ".*"}, Storage: jetstream.FileStorage, Replicas: s.Replicas,
	})
	if err != nil {
		return b.explain(fmt.Sprintf("make the stream %s with %s", s.stream(), english.Plural(s.Replicas, "replica")), err)
	}
	if err := h.save(); err != nil {
		return errors.Join(err, b.js.DeleteStream(ctx, s.stream()))
	}
	return nil
}

// explain says what to do about the ordinary reasons.
func (b *broker) explain(doing string, err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%s: the server at %s has no JetStream", doing, redacted(b.nc.ConnectedUrl()))
	case errors.As(err, &api) && api.ErrorCode == 10074: // replicas > 1 not supported in non-clustered mode
		return fmt.Errorf("%s: the server at %s is in no cluster; -replicas 1 accepts that a power cut loses what it acknowledged", doing, redacted(b.nc.ConnectedUrl()))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// connect connects to a server that may go away and come back.
func connect(urls string) (*nats.Conn, error) {
	nc, err := nats.Connect(urls, nats.Name("shop-cluster"), nats.MaxReconnects(-1), nats.ReconnectWait(200*time.Millisecond), nats.Timeout(5*time.Second))
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err // without the URL
		}
		return nil, fmt.Errorf("cannot connect to %s: %w", redacted(urls), err)
	}
	return nc, nil
}

// redacted is a URL, or several with commas between them, without passwords and
// tokens: a name alone is one.
func redacted(urls string) string {
	parts := strings.Split(urls, ",")
	for i, part := range parts {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			parts[i] = "a URL that makes no sense"
			continue
		}
		if _, ok := u.User.Password(); u.User != nil && !ok {
			u.User = url.User("xxxxx")
		}
		parts[i] = u.Redacted()
	}
	return strings.Join(parts, ",")
}

// durability is what an acknowledgement is worth, as Relay wants it said.
func durability(cluster bool, replicas int) natsignals.Option {
	switch {
	case !cluster:
		return natsignals.SyncAlways()
	case replicas == 1:
		return natsignals.AcceptLoss()
	}
	return natsignals.Replicas(replicas)
}

// remove deletes the stream of a shop that is not kept, and its consumers.
func (b *broker) remove(s *settings) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := b.js.DeleteStream(ctx, s.stream()); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("the stream %s is left behind: %w", s.stream(), err)
	}
	return nil
}

func (b *broker) close() {
	if b.nc != nil {
		b.nc.Close()
	}
	if b.server != nil {
		b.server.Close()
	}
}

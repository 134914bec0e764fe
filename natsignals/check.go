package natsignals

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// streamOf finds the stream that takes a subject, and checks that what it
// acknowledges is worth what was asked for.
func (c *config) streamOf(ctx context.Context, js jetstream.JetStream, subject string) (*jetstream.StreamInfo, error) {
	doing := fmt.Sprintf("find the stream of %q", subject)
	name, err := js.StreamNameBySubject(ctx, subject)
	if err != nil {
		return nil, explain(js.Conn(), doing, err)
	}
	return c.stream(ctx, js, name)
}

func (c *config) stream(ctx context.Context, js jetstream.JetStream, name string) (*jetstream.StreamInfo, error) {
	s, err := js.Stream(ctx, name)
	if err != nil {
		return nil, explain(js.Conn(), fmt.Sprintf("find the stream %q", name), err)
	}
	info := s.CachedInfo()
	return info, c.checkStream(info)
}

// checkStream compares a stream with what the options demand.
func (c *config) checkStream(info *jetstream.StreamInfo) error {
	what, cfg := fmt.Sprintf("stream %q", info.Config.Name), info.Config
	if c.durability == "replicas" && cfg.Replicas < c.replicas {
		return &ConfigError{what, "num_replicas", cfg.Replicas, c.replicas, "update the stream, or say SyncAlways or AcceptLoss"}
	}
	if (c.durability == "replicas" || c.durability == "sync always") && cfg.Storage != jetstream.FileStorage {
		return &ConfigError{what, "storage", cfg.Storage, jetstream.FileStorage, "what is in memory is gone after a restart; AcceptLoss accepts that"}
	}
	if c.durability == "sync always" && cfg.PersistMode == jetstream.AsyncPersistMode {
		return &ConfigError{what, "persist_mode", "async", "default", "it acknowledges before the message is on disk; AcceptLoss accepts that"}
	}
	if c.window > 0 && cfg.Duplicates < c.window {
		return &ConfigError{what, "duplicate_window", cfg.Duplicates, c.window, "update the stream, or declare the shorter one with Window"}
	}
	if c.given["Replicas"]|c.given["SyncAlways"]|c.given["AcceptLoss"]|c.given["Window"] != 0 && cfg.NoAck {
		return &ConfigError{what, "no_ack", true, false, "it acknowledges nothing"}
	}
	return nil
}

var errDurability = errors.New("natsignals: a server acknowledges before the message is on disk, unless it is configured with sync_interval: always; " +
	"say what holds: Replicas(3), which is checked, SyncAlways(), which you state, or AcceptLoss()")

// check looks for the stream by its subject: it may have been made again, or another
// one may have taken its place, which then acknowledges what it is not known to keep.
func (p *Publisher) check() {
	ctx, cancel := context.WithTimeout(p.ctx, p.c.timeout)
	defer cancel()
	info, err := p.c.streamOf(ctx, p.js, p.probe)
	if info != nil {
		p.batch.Store(worthABatch(info.Config))
	}
	if _, ok := errors.AsType[*ConfigError](err); err != nil && !ok {
		return // nothing is known: the attempts to publish tell, or the next look
	}
	p.mu.Lock()
	first := err != nil && p.unsound == ""
	if p.unsound = ""; err != nil {
		p.unsound = err.Error()
	}
	if first {
		p.since = time.Now()
	}
	p.mu.Unlock()
	if first {
		p.c.log.Error("natsignals: the stream is not what was declared", "subject", p.subject, "stream", p.stream, "err", err)
	}
}

func checkSubject(subject string) error {
	if !words(subject) || strings.ContainsAny(subject, "*>") {
		return fmt.Errorf("natsignals: %q is no subject to publish on; want words joined by dots, without wildcards, such as %q", subject, "orders.placed")
	}
	return nil
}

// words reports whether a subject is made of words, or wildcards, joined by dots.
func words(subject string) bool {
	return subject != "" && !strings.ContainsAny(subject, " \t\r\n") && !strings.HasPrefix(subject, ".") &&
		!strings.HasSuffix(subject, ".") && !strings.Contains(subject, "..")
}

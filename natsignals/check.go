package natsignals

import (
	"context"
	"errors"
	"fmt"

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

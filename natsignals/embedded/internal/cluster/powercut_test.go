//go:build linux

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"example.com/signals"
	"example.com/signals/faultfs"
	"example.com/signals/natsignals"
)

// lostInAPowerCut publishes on three servers that store on a file system which
// forgets what was not synced, cuts the power of all three, and counts what was
// acknowledged and is gone.
func lostInAPowerCut(t *testing.T, syncInterval string) (lost, acknowledged int) {
	t.Helper()
	if skipReason != "" {
		t.Skip(skipReason)
	}
	var disks [nodes]*faultfs.FS
	var stores []string
	for i := range disks {
		// The server syncs its files and not the directories that they are in.
		disks[i] = faultfs.Start(t, faultfs.Journal())
		stores = append(stores, disks[i].Dir())
	}
	w := newWorld(t, syncInterval, stores...)
	_, js := w.connect("publisher")
	cfg := jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Replicas: 3}
	w.retried("make the stream", func(ctx context.Context) error {
		_, err := js.CreateOrUpdateStream(ctx, cfg)
		return err
	})
	s := signals.NewSync[Order]()
	w.retried("publish", func(ctx context.Context) error {
		_, err := natsignals.Publish(ctx, js, s, "orders.placed", natsignals.Replicas(3), natsignals.ID(Order.id))
		return err
	})
	told := make(map[string]bool)
	for n := range 200 {
		o := Order{"a", n + 1}
		if err := s.TryEmit(w.ctx, o); err == nil {
			told[o.id()] = true
		}
	}
	for _, n := range w.nodes {
		n.kill()
	}
	for _, d := range disks {
		w.must(d.PowerCut(faultfs.Tear{}))
	}
	for _, n := range w.nodes {
		n.start()
	}
	kept := make(map[string]bool)
	end := time.Now().Add(15 * time.Second)
	w.retried("read what is left", func(ctx context.Context) error {
		stream, err := js.Stream(ctx, "ORDERS")
		if errors.Is(err, jetstream.ErrStreamNotFound) && time.Now().After(end) {
			return nil // the stream itself is gone
		}
		if err != nil {
			return err
		}
		state := stream.CachedInfo().State
		for seq := state.FirstSeq; seq > 0 && seq <= state.LastSeq; seq++ {
			m, err := stream.GetMsg(ctx, seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("message %d: %w", seq, err)
			}
			kept[m.Header.Get("ce-id")] = true
		}
		return nil
	})
	for id := range told {
		if !kept[id] {
			lost++
		}
	}
	return lost, len(told)
}

func TestAPowerCutOfAllServersLosesNothingThatWasSynced(t *testing.T) {
	lost, acknowledged := lostInAPowerCut(t, "always")
	t.Logf("%d of %d acknowledged messages are gone", lost, acknowledged)
	if lost > 0 || acknowledged == 0 {
		t.Errorf("with sync_interval: always %d of %d acknowledged messages are gone; want none", lost, acknowledged)
	}
}

// The control: it is the syncs that keep what is acknowledged, and the test
// sees when they are not there.
func TestAPowerCutOfAllServersLosesWhatTheDefaultDoesNotSync(t *testing.T) {
	lost, acknowledged := lostInAPowerCut(t, "2m")
	t.Logf("%d of %d acknowledged messages are gone", lost, acknowledged)
	if lost == 0 {
		t.Error("with the default sync_interval nothing is gone: the test would not see a loss")
	}
}

package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/signals/eventstore"
	"example.com/signals/faultfs"
)

// The power goes while eight append: nothing that was acknowledged is lost, and a
// batch is there as a whole or not at all. With fsync=off, which Open refuses
// outside of this test, acknowledged events are lost: the control, without which
// the first would say nothing.
func TestNothingAcknowledgedIsLostWhenThePowerGoes(t *testing.T) {
	if testing.Short() {
		t.Skip("initdb takes seconds: not with -short")
	}
	fs := faultfs.Start(t)
	s, err := newServerOn(fs.Dir())
	if err != nil {
		skip(t, err)
	}
	t.Cleanup(s.remove)
	ok(t, fs.Save())
	for _, c := range []struct {
		fsync string
		opts  []Option
		loses bool
	}{
		{fsync: "on"},
		{fsync: "off", opts: []Option{WithoutFsync()}, loses: true},
	} {
		t.Run("fsync="+c.fsync, func(t *testing.T) {
			ok(t, fs.Reset())
			s.options = []string{"-c", "fsync=" + c.fsync, "-c", "shared_buffers=4MB"}
			ok(t, s.start())
			acknowledged := appendUntilCut(t, s, fs, c.opts...)
			s.kill(syscall.SIGQUIT) // it is on a machine that is off
			s.options = nil
			ok(t, s.start())
			defer s.kill(syscall.SIGQUIT)
			pool := newPool(t, s)
			defer pool.Close()
			db := open(t, pool)
			found := map[string]bool{}
			for _, id := range ids(t, db) { // dense
				found[id] = true
			}
			lost := 0
			for _, id := range acknowledged {
				if !found[id+"-a"] || !found[id+"-b"] {
					lost++
				}
			}
			t.Logf("%d of %d acknowledged batches are lost", lost, len(acknowledged))
			if (lost > 0) != c.loses || len(acknowledged) < batchesBeforeCut {
				t.Errorf("%d of %d acknowledged batches are lost with fsync=%s", lost, len(acknowledged), c.fsync)
			}
			if len(found)%2 != 0 {
				t.Errorf("%d events: a part of a batch", len(found))
			}
			ok(t, db.Check(within(t)))
		})
	}
}

const batchesBeforeCut = 40

// appendUntilCut appends batches of two, cuts the power in the middle of it, and
// returns those that were acknowledged.
func appendUntilCut(t *testing.T, s *server, fs *faultfs.FS, opts ...Option) []string {
	t.Helper()
	var acknowledged []string
	pool := newPool(t, s)
	defer pool.Close()
	db, err := Open(t.Context(), pool, append(opts, func(c *config) { c.resolvable = time.Millisecond })...)
	ok(t, err)
	store := eventstore.New(db)
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	enough := make(chan struct{})
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d", g, n)
				if _, err := store.Append(ctx, []eventstore.Event{{ID: id + "-a", Type: "a", Stream: "s", Tags: []string{"t"}}, {ID: id + "-b", Type: "b"}}); err != nil {
					return
				}
				mu.Lock()
				if acknowledged = append(acknowledged, id); len(acknowledged) == batchesBeforeCut {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	await(t, "acknowledged batches", enough)
	mu.Lock()
	told := slices.Clone(acknowledged) // before the cut
	ok(t, fs.PowerCut(faultfs.Tear{}))
	mu.Unlock()
	cancel()
	s.kill(syscall.SIGKILL)
	group.Wait()
	_ = db.Close()
	return told
}

package sqlite_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/faultfs"
)

var sweep = flag.Int("sweep", 3, "try every n-th operation of the sweeps over failing disks; 1: all")

// acknowledged is what a script was told to be durable.
type acknowledged struct {
	batches [][]eventstore.Recorded
	tried   map[string]int // ids of all batches that were tried: their number of events
	key     eventstore.Position
}

func newAcknowledged() *acknowledged { return &acknowledged{tried: map[string]int{}} }

// append appends batches of one and of three events, and moves a checkpoint,
// until something fails.
func (a *acknowledged) append(db *sqlite.DB, from, to int) error {
	store, ctx := eventstore.New(db), context.Background()
	at, err := db.OpenKey(ctx, "k", 0)
	if err != nil {
		return err
	}
	a.key = at.Position // what was seen is durable as well
	for n := from; n <= to; n++ {
		batch := make([]eventstore.Event, 1+n%2*2)
		for i := range batch {
			batch[i] = eventstore.Event{ID: fmt.Sprintf("%d/%d", n, i), Type: "t", Stream: fmt.Sprint("s", n%3), Tags: []string{"all", fmt.Sprint("n", n)}, Data: make([]byte, 1500)}
			a.tried[batch[i].ID] = len(batch)
		}
		stored, err := store.Append(ctx, batch)
		if err != nil {
			return err
		}
		a.batches = append(a.batches, stored)
		to := stored[len(stored)-1].Position
		if err := db.Advance(ctx, eventstore.Move{Key: "k", From: a.key, To: to}, nil); err != nil {
			return err
		}
		a.key = to
	}
	return nil
}

// verify compares a store with what was acknowledged.
func (a *acknowledged) verify(db *sqlite.DB) error {
	store, ctx := eventstore.New(db), context.Background()
	if err := db.Check(ctx); err != nil {
		return err
	}
	byID := map[string]eventstore.Recorded{}
	var at eventstore.Position
	for r, err := range store.Read(ctx, eventstore.All()) {
		if err != nil {
			return err
		}
		if at++; r.Position != at {
			return fmt.Errorf("position %d after %d", r.Position, at-1)
		}
		byID[r.ID] = r
	}
	batches := map[string]int{}
	for id := range byID {
		batch, _, _ := strings.Cut(id, "/")
		batches[batch]++
		if a.tried[id] == 0 {
			return fmt.Errorf("event %s was never appended", id)
		}
	}
	for id, n := range a.tried {
		batch, _, _ := strings.Cut(id, "/")
		if got := batches[batch]; got != 0 && got != n {
			return fmt.Errorf("%d of the %d events of batch %s", got, n, batch)
		}
	}
	for _, batch := range a.batches {
		for _, r := range batch {
			if got := byID[r.ID]; got.Position != r.Position || got.Version != r.Version {
				return fmt.Errorf("event %s was acknowledged at position %d, version %d, and is at %d, %d", r.ID, r.Position, r.Version, got.Position, got.Version)
			}
		}
	}
	keys, err := db.Keys(ctx, "k")
	if err != nil {
		return err
	}
	if a.key > 0 && (len(keys) == 0 || keys[0].Position < a.key) {
		return fmt.Errorf("a checkpoint was acknowledged at %d and is at %v", a.key, keys)
	}
	return nil
}

const scriptBatches = 8

// errWrong: not the disk is at fault.
var errWrong = errors.New("wrong")

// script opens a store and appends until something fails. It tells whether the
// store was opened, and what ended it.
func script(path string, a *acknowledged, from int, opts ...sqlite.Option) error {
	db, err := sqlite.Open(path, append(opts, quiet(), sqlite.KeepBack(2))...)
	if err != nil {
		return err
	}
	err = a.append(db, from, from+scriptBatches-1)
	if err != nil {
		if _, again := db.Head(context.Background()); !errors.Is(err, eventstore.ErrBroken) || !errors.Is(again, eventstore.ErrBroken) {
			return errors.Join(fmt.Errorf("a failed write did not break the store: %w, then %w", err, again), errWrong, db.Close())
		}
	}
	return errors.Join(err, db.Close())
}

// Whatever fails first, and at whatever operation: nothing that was acknowledged
// is missing after a power cut, also not what was acknowledged after the store
// was opened again.
func TestNothingAcknowledgedIsLostByAFailingDisk(t *testing.T) {
	for name, fault := range map[string]faultfs.Fault{
		"power off":     {PowerOff: true},
		"EIO":           {},
		"EIO of a sync": {Ops: faultfs.Sync | faultfs.SyncDir},
		"ENOSPC":        {Err: syscall.ENOSPC, Repeat: true, Ops: faultfs.Changes &^ (faultfs.Sync | faultfs.SyncDir)},
		"a full minute": {Err: syscall.ENOSPC, Ops: faultfs.Write | faultfs.Allocate},
	} {
		t.Run(name, func(t *testing.T) {
			fs := faultfs.Start(t)
			path := filepath.Join(fs.Dir(), "db")
			step := *sweep
			if fault.Ops == faultfs.Sync|faultfs.SyncDir {
				step = 1
			}
			tried := 0
			for fault.N = 1; ; fault.N += step {
				tried++
				if err := fs.Reset(); err != nil {
					t.Fatal(err)
				}
				if err := fs.Inject(fault); err != nil {
					t.Fatal(err)
				}
				a := newAcknowledged()
				if err := script(path, a, 1); errors.Is(err, errWrong) {
					t.Errorf("%d: %v", fault.N, err)
				}
				hits, err := fs.Fired()
				if err != nil {
					t.Fatal(err)
				}
				if !fault.PowerOff && !fault.Repeat { // the same machine goes on
					if err := script(path, a, 101); err != nil && len(hits) > 0 { // else it is this one that fails
						t.Errorf("%d, %v: opened again: %v", fault.N, hits, err)
					}
				}
				if err := fs.PowerCut(faultfs.Tear{Unit: faultfs.Sector * (fault.N % 2), Seed: uint64(fault.N)}); err != nil {
					t.Fatal(err)
				}
				db, err := sqlite.Open(path, quiet())
				if err != nil {
					t.Fatalf("%d, %v: after the power cut: %v", fault.N, hits, err)
				}
				if err := a.verify(db); err != nil {
					t.Errorf("%d, %v: %v", fault.N, hits, err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
				if len(hits) == 0 {
					break
				}
			}
			t.Logf("%d runs, up to operation %d", tried, fault.N)
		})
	}
}

// The control: it must be possible to see that something is lost.
func TestSynchronousNormalLosesAcknowledgedEvents(t *testing.T) {
	for _, normal := range []bool{false, true} {
		fs := faultfs.Start(t)
		path := filepath.Join(fs.Dir(), "db")
		opts := []sqlite.Option{quiet()}
		if normal {
			opts = append(opts, sqlite.SynchronousNormal())
		}
		db, err := sqlite.Open(path, opts...)
		if err != nil {
			t.Fatal(err)
		}
		a := newAcknowledged()
		if err := a.append(db, 1, scriptBatches); err != nil {
			t.Fatal(err)
		}
		if err := fs.PowerCut(faultfs.Tear{}); err != nil {
			t.Fatal(err)
		}
		_ = db.Close() // of the machine that is off
		again, err := sqlite.Open(path, quiet())
		if err == nil {
			err = a.verify(again)
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		}
		if (err != nil) != normal {
			t.Errorf("synchronous=normal %v: %v", normal, err)
		}
	}
}

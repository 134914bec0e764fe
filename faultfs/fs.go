package faultfs

import (
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"sync"
	"testing"
)

// ErrUnavailable is wrapped by the error of [Mount] where no file system can be
// mounted: not on Linux, no /dev/fuse, or neither root nor a fusermount.
var ErrUnavailable = errors.New("faultfs: no file system can be mounted here")

// Sector and Page are the usual units of a [Tear], in bytes.
const (
	Sector = 512
	Page   = 4096
)

// Tear says how much of what was not synced survives a power cut.
type Tear struct {
	// Unit is what survives or does not as a whole, in bytes: [Sector], [Page], or
	// anything between. 0: nothing survives.
	Unit int
	// Seed decides what; the same writes and the same seed leave the same.
	Seed uint64
}

// FS is a mounted file system. Its methods may be called from any goroutine. Their
// errors say that the server has ended, or that an argument makes no sense.
type FS struct {
	dir    string
	client *rpc.Client
	closed func() error // ends and awaits the server; called once
	once   sync.Once
	err    error // of Close
}

// Option is an option of [Mount] and [Start].
type Option func(*config)

// config goes to the server.
type config struct {
	Dir     string
	OwnDir  bool // Dir was made for it
	Cached  bool
	Journal bool
}

// At mounts on a directory that exists, instead of a new temporary one.
func At(dir string) Option { return func(c *config) { c.Dir = dir } }

// PageCache lets the kernel answer reads from its page cache, as it does
// anyway before Linux 6.6. What is written still gets here at once.
func PageCache() Option { return func(c *config) { c.Cached = true } }

// Journal lets each sync that succeeds, of whatever file, keep all changes of entries so far, as
// the journals of ext4 and XFS do. For programs that rely on it: nats-server
// syncs no directories.
func Journal() Option { return func(c *config) { c.Journal = true } }

// Mount mounts an empty file system. It first removes mounts that test runs left
// which were killed together with their servers.
func Mount(opts ...Option) (*FS, error) {
	if err := available(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := removeStale(); err != nil {
		return nil, err
	}
	var c config
	for _, opt := range opts {
		opt(&c)
	}
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", tempPattern)
		if err != nil {
			return nil, fmt.Errorf("faultfs: %w", err)
		}
		c.Dir, c.OwnDir = dir, true
	}
	fs, err := startServer(c)
	if err != nil && c.OwnDir {
		_ = os.Remove(c.Dir)
	}
	return fs, err
}

// Start mounts a file system for a test and unmounts it when the test has
// ended. It skips the test where none can be mounted.
func Start(tb testing.TB, opts ...Option) *FS {
	tb.Helper()
	fs, err := Mount(opts...)
	if errors.Is(err, ErrUnavailable) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := fs.Close(); err != nil {
			tb.Error(err)
		}
	})
	return fs
}

// Dir returns the absolute path at which it is mounted. It stays the same over
// power cuts.
func (fs *FS) Dir() string { return fs.dir }

// PowerCut cuts the power, if a [Fault] has not done so already, and mounts
// what the disk has: what was synced, and of the rest what t says. Descriptors that
// are still open belong to the machine that is off: they can be read, and
// everything else fails with EIO. Faults that were injected are cleared.
func (fs *FS) PowerCut(t Tear) error { return fs.call("PowerCut", t, nil) }

// DropCaches forgets what failed syncs have left in the cache, so that programs see
// what is on the disk, as when the kernel needs memory. What was not
// synced yet stays.
func (fs *FS) DropCaches() error { return fs.call("DropCaches", none(0), nil) }

// Inject adds faults to those that are there.
func (fs *FS) Inject(faults ...Fault) error {
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
	}
	return fs.call("Inject", faults, nil)
}

// Clear removes all faults, those that repeat too. Power that is off stays off.
func (fs *FS) Clear() error { return fs.call("Clear", none(0), nil) }

// Fired returns the operations that faults met since Mount or Reset, in order.
// A sweep has seen every index when nothing was hit.
func (fs *FS) Fired() ([]Hit, error) {
	var hits []Hit
	err := fs.call("Fired", none(0), &hits)
	return hits, err
}

// Count returns how many operations of these kinds there were since Mount or Reset.
func (fs *FS) Count(ops Op) (int, error) {
	var n int
	err := fs.call("Count", ops, &n)
	return n, err
}

// Unsynced returns what a power cut would lose: the paths of files with changes
// that were not synced, and, with a slash at the end, those of directories with
// entries that were not; "./" is the root. What a failed sync has lost is not among them.
func (fs *FS) Unsynced() ([]string, error) {
	var paths []string
	err := fs.call("Unsynced", none(0), &paths)
	return paths, err
}

// Save syncs everything, and lets Reset return to how it is now.
func (fs *FS) Save() error { return fs.call("Save", none(0), nil) }

// Reset mounts what was there at the last Save, else an empty file system, in
// place of what is there, and forgets faults, hits and counts. It is much cheaper than
// mounting a new one.
func (fs *FS) Reset() error { return fs.call("Reset", none(0), nil) }

// Close unmounts, whoever still has a file open, and ends the server. A second
// call returns what the first one did.
func (fs *FS) Close() error {
	fs.once.Do(func() { fs.err = fs.closed() })
	return fs.err
}

// none is what commands without an argument, or a reply, are sent.
type none = int

func (fs *FS) call(method string, args, reply any) error {
	if reply == nil {
		reply = new(none)
	}
	if err := fs.client.Call("FS."+method, args, reply); err != nil {
		return fmt.Errorf("faultfs: %s of %s: %w", method, fs.dir, err)
	}
	return nil
}

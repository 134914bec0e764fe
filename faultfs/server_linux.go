package faultfs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"example.com/signals/faultfs/internal/disk"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// serve is the server's main function: it obeys the connection that is its
// standard input until that ends, with Close or with the process of the tests.
func serve(arg string) int {
	// Whoever is to be interrupted is the tests.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	var c config
	if err := json.Unmarshal([]byte(arg), &c); err != nil {
		fmt.Fprintf(os.Stderr, "faultfs: %s: %v\n", serverEnv, err)
		return 2
	}
	conn, err := net.FileConn(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faultfs:", err)
		return 2
	}
	s := &server{config: c, disk: emptyDisk()}
	commands := rpc.NewServer()
	if err := commands.RegisterName("FS", &control{s}); err != nil {
		panic(err)
	}
	commands.ServeConn(conn)
	if err := s.unmount(); err != nil {
		fmt.Fprintln(os.Stderr, "faultfs:", err)
		return 1
	}
	if c.OwnDir {
		_ = os.Remove(c.Dir)
	}
	return 0
}

func emptyDisk() *disk.Disk {
	now := time.Now()
	return disk.New(disk.Meta{
		Mode: 0o755, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
		Atime: now, Mtime: now, Ctime: now,
	})
}

// server is the file system over all its mounts, of which one is current.
type server struct {
	config

	// mu is held by every operation of the kernel and every command, while
	// it looks at or changes disks, but never during a call of the kernel.
	mu       sync.Mutex
	disk     *disk.Disk // of the current mount
	saved    *disk.Disk // what Reset returns to; nil: nothing
	injector injector
	current  *mount // nil: not mounted
}

// remount replaces the current mount by one of d.
func (s *server) remount(d *disk.Disk) error {
	s.mu.Lock()
	s.disk = d
	s.mu.Unlock()
	if err := s.unmount(); err != nil {
		return err
	}
	m := newMount(s, d)
	options := &fuse.MountOptions{
		FsName:             source(),
		Name:               fsType,
		AllowOther:         os.Geteuid() == 0, // PostgreSQL does not run as root
		Options:            []string{"default_permissions"},
		DirectMount:        os.Geteuid() == 0,
		DirectMountStrict:  os.Geteuid() == 0,
		DisableXAttrs:      true,
		DisableReadDirPlus: true,
		Logger:             log.New(quiet{os.Stderr}, "faultfs: ", 0),
	}
	if !s.Cached {
		options.ExtraCapabilities = fuse.CAP_DIRECT_IO_ALLOW_MMAP
	}
	fs, err := fuse.NewServer(m, s.Dir, options)
	if err != nil {
		return fmt.Errorf("mounting on %s: %w", s.Dir, err)
	}
	m.kernel = fs
	m.direct = !s.Cached && fs.KernelSettings().Flags64()&fuse.CAP_DIRECT_IO_ALLOW_MMAP != 0
	s.mu.Lock()
	s.current = m
	s.mu.Unlock()
	go fs.Serve() // until nobody has a file of it open any more
	return fs.WaitMount()
}

// quiet leaves out that a connection was aborted, which is how mounts end here.
type quiet struct{ io.Writer }

func (q quiet) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(syscall.ECONNABORTED.Error())) {
		return len(line), nil
	}
	return q.Writer.Write(line)
}

// unmount takes the current mount away. Those who have files of it open are on
// a machine without power.
func (s *server) unmount() error {
	s.mu.Lock()
	m := s.current
	s.current = nil
	if m != nil {
		m.off = true
	}
	s.mu.Unlock()
	if m == nil {
		return nil
	}
	if err := detach(s.Dir); err != nil {
		return fmt.Errorf("unmounting %s: %w", s.Dir, err)
	}
	return nil
}

// control is what net/rpc calls; each method is the one of FS with its name.
type control struct{ s *server }

// Mount mounts for the first time.
func (c *control) Mount(none, *none) error { return c.s.remount(c.s.disk) }

// PowerCut serves FS.PowerCut.
func (c *control) PowerCut(t Tear, _ *none) error {
	if t.Unit < 0 || t.Unit > Page {
		return fmt.Errorf("Tear.Unit is %d, want 0 to %d bytes", t.Unit, Page)
	}
	c.s.mu.Lock()
	if c.s.current != nil {
		c.s.current.off = true
	}
	after := c.s.disk.Cut(t.Unit, t.Seed)
	c.s.injector.armed = nil
	c.s.mu.Unlock()
	return c.s.remount(after)
}

// DropCaches serves FS.DropCaches.
func (c *control) DropCaches(none, *none) error {
	c.s.mu.Lock()
	c.s.disk.DropCaches()
	m := c.s.current
	var known []uint64
	if m != nil && !m.direct {
		for id := range m.nodes {
			known = append(known, id)
		}
	}
	c.s.mu.Unlock()
	for _, id := range known {
		m.kernel.InodeNotify(id, 0, 0) // the kernel may have forgotten it; then it has nothing cached
	}
	return nil
}

// Inject serves FS.Inject.
func (c *control) Inject(faults []Fault, _ *none) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.injector.armed = append(c.s.injector.armed, faults...)
	return nil
}

// Clear serves FS.Clear.
func (c *control) Clear(none, *none) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.injector.armed = nil
	return nil
}

// Fired serves FS.Fired.
func (c *control) Fired(_ none, hits *[]Hit) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	*hits = append([]Hit(nil), c.s.injector.hits...)
	return nil
}

// Count serves FS.Count.
func (c *control) Count(ops Op, n *int) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	*n = c.s.injector.count(ops)
	return nil
}

// Unsynced serves FS.Unsynced.
func (c *control) Unsynced(_ none, paths *[]string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	*paths = c.s.disk.Unsynced()
	return nil
}

// Save serves FS.Save.
func (c *control) Save(none, *none) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.disk.SyncAll()
	c.s.saved = c.s.disk.Cut(0, 0)
	return nil
}

// Reset serves FS.Reset.
func (c *control) Reset(none, *none) error {
	c.s.mu.Lock()
	if c.s.current != nil {
		c.s.current.off = true
	}
	c.s.injector = injector{}
	fresh := emptyDisk()
	if c.s.saved != nil {
		fresh = c.s.saved.Cut(0, 0)
	}
	c.s.mu.Unlock()
	return c.s.remount(fresh)
}

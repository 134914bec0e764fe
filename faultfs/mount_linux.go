package faultfs

import (
	"errors"
	"syscall"
	"time"

	"example.com/signals/faultfs/internal/disk"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// mount is what one mount shows: one machine, from power on to power off. The
// kernel calls its methods, several at once.
type mount struct {
	fuse.RawFileSystem // answers ENOSYS to what is not here
	s                  *server
	kernel             *fuse.Server
	direct             bool // reads and writes pass by the page cache

	// Guarded by s.mu.
	disk  *disk.Disk
	off   bool             // the power
	nodes map[uint64]*node // what the kernel knows, by ID
	lists map[uint64][]fuse.DirEntry
	last  uint64 // key in lists
}

// node counts how often the kernel was told of an inode.
type node struct {
	*disk.Inode
	lookups uint64
}

func newMount(s *server, d *disk.Disk) *mount {
	m := &mount{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		s:             s,
		disk:          d,
		nodes:         make(map[uint64]*node),
		lists:         make(map[uint64][]fuse.DirEntry),
	}
	m.nodes[disk.RootID] = &node{d.Root(), 1}
	return m
}

// lock locks the server and returns the inode of an operation.
func (m *mount) lock(id uint64) (*disk.Inode, func()) {
	m.s.mu.Lock()
	if n := m.nodes[id]; n != nil {
		return n.Inode, m.s.mu.Unlock
	}
	// The kernel names only what it was told of; a mistake here is no reason to crash.
	return &disk.Inode{ID: id}, m.s.mu.Unlock
}

// do counts an operation and runs it, unless it is to fail or the power is off.
// s.mu must be held.
func (m *mount) do(op Op, path string, run func() error) fuse.Status {
	if m.off {
		return fuse.EIO
	}
	hit, failed := m.s.injector.meet(op, path)
	if failed && !hit.PowerOff {
		return fuse.Status(hit.Err)
	}
	if failed {
		if op != Sync && op != SyncDir {
			_ = run() // it has reached the cache
		}
		m.off = true
		return fuse.EIO
	}
	return status(run())
}

func status(err error) fuse.Status {
	var errno syscall.Errno
	switch {
	case err == nil:
		return fuse.OK
	case errors.As(err, &errno):
		return fuse.Status(errno)
	}
	return fuse.EIO
}

// entry tells the kernel of an inode.
func (m *mount) entry(i *disk.Inode, out *fuse.EntryOut) {
	n := m.nodes[i.ID]
	if n == nil {
		n = &node{Inode: i}
		m.nodes[i.ID] = n
	}
	n.lookups++
	out.NodeId = i.ID
	out.SetEntryTimeout(time.Hour) // nobody but the kernel changes entries
	attributes(i, &out.Attr)
}

func attributes(i *disk.Inode, out *fuse.Attr) {
	out.Ino = i.ID
	out.Mode = i.Meta.Mode
	out.Nlink = uint32(i.Links)
	out.Owner = fuse.Owner{Uid: i.Meta.UID, Gid: i.Meta.GID}
	out.Rdev = i.Meta.Rdev
	out.Blksize = disk.PageSize
	out.SetTimes(&i.Meta.Atime, &i.Meta.Mtime, &i.Meta.Ctime)
	switch {
	case i.File != nil:
		out.Size = uint64(i.File.Size())
		out.Blocks = uint64(i.File.Pages()) * (disk.PageSize / 512)
	case i.IsDir():
		out.Size, out.Nlink = disk.PageSize, out.Nlink+1
	default:
		out.Size = uint64(len(i.Target))
	}
}

// String names the file system in messages of the library.
func (m *mount) String() string { return fsType }

// Forget serves FORGET.
func (m *mount) Forget(id, lookups uint64) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	n := m.nodes[id]
	if n == nil || id == disk.RootID {
		return
	}
	if n.lookups -= min(n.lookups, lookups); n.lookups == 0 {
		delete(m.nodes, id)
	}
}

// GetAttr serves GETATTR.
func (m *mount) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	i, unlock := m.lock(in.NodeId)
	defer unlock()
	attributes(i, &out.Attr)
	return fuse.OK
}

// SetAttr serves SETATTR: chmod, chown, utimes, and truncate, which is the one that counts.
func (m *mount) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	i, unlock := m.lock(in.NodeId)
	defer unlock()
	now := time.Now()
	if size, ok := in.GetSize(); ok {
		if i.File == nil {
			return fuse.EINVAL
		}
		if st := m.do(Truncate, i.Path(), func() error { return i.File.Truncate(int64(size)) }); st != fuse.OK {
			return st
		}
		i.Meta.Mtime = now
	} else if m.off {
		return fuse.EIO
	}
	if mode, ok := in.GetMode(); ok {
		i.Meta.Mode = i.Meta.Mode&disk.TypeMask | mode&^disk.TypeMask
	}
	if uid, ok := in.GetUID(); ok {
		i.Meta.UID = uid
	}
	if gid, ok := in.GetGID(); ok {
		i.Meta.GID = gid
	}
	if t, ok := in.GetATime(); ok {
		i.Meta.Atime = t
	}
	if t, ok := in.GetMTime(); ok {
		i.Meta.Mtime = t
	}
	i.Meta.Ctime = now
	attributes(i, &out.Attr)
	return fuse.OK
}

// Access serves ACCESS: the kernel checks permissions by itself.
func (m *mount) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.ENOSYS }

// StatFs serves STATFS. The disk is large, and only a Fault makes it full.
func (m *mount) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	out.Bsize, out.Frsize, out.NameLen = disk.PageSize, disk.PageSize, 255
	out.Blocks, out.Bfree, out.Bavail = 1<<28, 1<<27, 1<<27
	out.Files, out.Ffree = 1<<28, 1<<27
	return fuse.OK
}

package faultfs

import (
	"syscall"
	"time"

	"example.com/signals/faultfs/internal/disk"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// openFlags tell the kernel how to handle an open file.
func (m *mount) openFlags() uint32 {
	if m.direct {
		return fuse.FOPEN_DIRECT_IO
	}
	return fuse.FOPEN_KEEP_CACHE // nobody but the kernel changes files
}

// Open serves OPEN.
func (m *mount) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	i, unlock := m.lock(in.NodeId)
	defer unlock()
	out.OpenFlags = m.openFlags()
	return m.do(Open, i.Path(), func() error { return nil })
}

// Release serves RELEASE: nothing is kept for open files.
func (m *mount) Release(<-chan struct{}, *fuse.ReleaseIn) {}

// Flush serves FLUSH, which close(2) sends. It makes nothing durable.
func (m *mount) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

// Read serves READ. It works without power: a page of a mapped file that
// cannot be read kills the process.
func (m *mount) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	i, unlock := m.lock(in.NodeId)
	defer unlock()
	if i.File == nil {
		return nil, fuse.EIO
	}
	n := 0
	read := func() error { n = i.File.ReadAt(buf, int64(in.Offset)); return nil }
	if m.off {
		_ = read()
	} else if st := m.do(Read, i.Path(), read); st != fuse.OK {
		return nil, st
	}
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// Write serves WRITE.
func (m *mount) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	i, unlock := m.lock(in.NodeId)
	defer unlock()
	if i.File == nil {
		return 0, fuse.EIO
	}
	write := func() error {
		i.Meta.Mtime = time.Now()
		return i.File.WriteAt(data, int64(in.Offset))
	}
	var st fuse.Status
	switch {
	case in.WriteFlags&fuse.WRITE_CACHE == 0:
		st = m.do(Write, i.Path(), write)
	case m.off:
		st = fuse.EIO
	default:
		// From a mapped page, when the kernel likes: that repeats itself in no
		// run, so it is not counted.
		st = status(write())
	}
	// The kernel syncs by itself what passes through its page cache.
	if st == fuse.OK && m.direct && in.Flags&syscall.O_DSYNC != 0 {
		st = m.sync(i)
	}
	if st != fuse.OK {
		return 0, st
	}
	return uint32(len(data)), fuse.OK
}

// Fsync serves FSYNC. The size is data as well: fdatasync does the same.
func (m *mount) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	i, unlock := m.lock(in.NodeId)
	defer unlock()
	return m.sync(i)
}

func (m *mount) sync(i *disk.Inode) fuse.Status {
	if i.File == nil {
		return fuse.OK
	}
	was := m.off
	st := m.do(Sync, i.Path(), func() error {
		if i.File.Sync(); m.s.Journal {
			m.disk.SyncDirs()
		}
		return nil
	})
	if st != fuse.OK && !was && !m.off {
		i.File.FailSync()
	}
	return st
}

// Modes of fallocate(2).
const (
	fallocKeepSize  = 0x01
	fallocPunchHole = 0x02
	fallocZeroRange = 0x10
)

// Fallocate serves FALLOCATE.
func (m *mount) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	i, unlock := m.lock(in.NodeId)
	defer unlock()
	if i.File == nil {
		return fuse.EINVAL
	}
	off, n := int64(in.Offset), int64(in.Length)
	return m.do(Allocate, i.Path(), func() error {
		switch in.Mode {
		case 0:
			return i.File.Allocate(off, n)
		case fallocKeepSize:
			return nil // there is always space
		case fallocPunchHole | fallocKeepSize, fallocZeroRange | fallocKeepSize:
			return i.File.Punch(off, n)
		case fallocZeroRange:
			if err := i.File.Punch(off, n); err != nil {
				return err
			}
			return i.File.Allocate(off, n)
		}
		return syscall.EOPNOTSUPP
	})
}

// Values of whence in lseek(2).
const (
	seekData = 3
	seekHole = 4
)

// Lseek serves LSEEK: the kernel asks for holes and data only.
func (m *mount) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	i, unlock := m.lock(in.NodeId)
	defer unlock()
	if i.File == nil || in.Whence != seekData && in.Whence != seekHole {
		return fuse.EINVAL
	}
	at, err := i.File.Find(int64(in.Offset), in.Whence == seekHole)
	out.Offset = uint64(at)
	return status(err)
}

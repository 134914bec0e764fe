package faultfs

import (
	"errors"
	"path"
	"syscall"
	"time"

	"example.com/signals/faultfs/internal/disk"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Lookup serves LOOKUP.
func (m *mount) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	dir, unlock := m.lock(in.NodeId)
	defer unlock()
	i, err := m.disk.Lookup(dir, name)
	if err == nil {
		m.entry(i, out)
	}
	return status(err)
}

// create makes something as name in the directory of a request.
func (m *mount) create(in *fuse.InHeader, name string, mode, rdev uint32, target string, out *fuse.EntryOut) fuse.Status {
	dir, unlock := m.lock(in.NodeId)
	defer unlock()
	now := time.Now()
	meta := disk.Meta{Mode: mode, UID: in.Uid, GID: in.Gid, Rdev: rdev, Atime: now, Mtime: now, Ctime: now}
	if dir.Meta.Mode&syscall.S_ISGID != 0 {
		if meta.GID = dir.Meta.GID; mode&disk.TypeMask == disk.TypeDir {
			meta.Mode |= syscall.S_ISGID
		}
	}
	return m.do(Create, path.Join(dir.Path(), name), func() error {
		i, err := m.disk.Make(dir, name, meta, target)
		if err == nil {
			touch(dir)
			m.entry(i, out)
		}
		return err
	})
}

// touch sets the times of directories whose entries changed.
func touch(dirs ...*disk.Inode) {
	now := time.Now()
	for _, dir := range dirs {
		dir.Meta.Mtime, dir.Meta.Ctime = now, now
	}
}

// Create serves CREATE.
func (m *mount) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	out.OpenFlags = m.openFlags()
	return m.create(&in.InHeader, name, in.Mode&^disk.TypeMask|disk.TypeFile, 0, "", &out.EntryOut)
}

// Mknod serves MKNOD: sockets and pipes, which the kernel handles.
func (m *mount) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	mode := in.Mode
	if mode&disk.TypeMask == 0 {
		mode |= disk.TypeFile
	}
	return m.create(&in.InHeader, name, mode, in.Rdev, "", out)
}

// Mkdir serves MKDIR.
func (m *mount) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return m.create(&in.InHeader, name, in.Mode&^disk.TypeMask|disk.TypeDir, 0, "", out)
}

// Symlink serves SYMLINK.
func (m *mount) Symlink(_ <-chan struct{}, in *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	return m.create(in, name, disk.TypeLink|0o777, 0, target, out)
}

// Readlink serves READLINK.
func (m *mount) Readlink(_ <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	i, unlock := m.lock(in.NodeId)
	defer unlock()
	return []byte(i.Target), fuse.OK
}

// Link serves LINK.
func (m *mount) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	dir, unlock := m.lock(in.NodeId)
	defer unlock()
	old := m.nodes[in.Oldnodeid]
	if old == nil {
		return fuse.ENOENT
	}
	return m.do(Link, path.Join(dir.Path(), name), func() error {
		err := m.disk.Link(old.Inode, dir, name)
		if err == nil {
			touch(dir)
			m.entry(old.Inode, out)
		}
		return err
	})
}

// Unlink serves UNLINK.
func (m *mount) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return m.remove(in, name, false)
}

// Rmdir serves RMDIR.
func (m *mount) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return m.remove(in, name, true)
}

func (m *mount) remove(in *fuse.InHeader, name string, rmdir bool) fuse.Status {
	dir, unlock := m.lock(in.NodeId)
	defer unlock()
	return m.do(Remove, path.Join(dir.Path(), name), func() error {
		touch(dir)
		return m.disk.Remove(dir, name, rmdir)
	})
}

// Flags of renameat2(2).
const (
	renameNoReplace = 1 << 0
	renameExchange  = 1 << 1
)

// Rename serves RENAME and RENAME2.
func (m *mount) Rename(_ <-chan struct{}, in *fuse.RenameIn, name, newName string) fuse.Status {
	dir, unlock := m.lock(in.NodeId)
	defer unlock()
	to := m.nodes[in.Newdir]
	if to == nil {
		return fuse.ENOENT
	}
	return m.do(Rename, path.Join(dir.Path(), name), func() error {
		touch(dir, to.Inode)
		switch in.Flags {
		case 0:
			return m.disk.Rename(dir, name, to.Inode, newName)
		case renameNoReplace:
			if _, err := m.disk.Lookup(to.Inode, newName); !errors.Is(err, syscall.ENOENT) {
				return syscall.EEXIST
			}
			return m.disk.Rename(dir, name, to.Inode, newName)
		case renameExchange:
			return m.disk.Exchange(dir, name, to.Inode, newName)
		}
		return syscall.EINVAL
	})
}

// OpenDir serves OPENDIR: what it lists is what there is now.
func (m *mount) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	dir, unlock := m.lock(in.NodeId)
	defer unlock()
	list := []fuse.DirEntry{
		{Name: ".", Mode: disk.TypeDir, Ino: dir.ID},
		{Name: "..", Mode: disk.TypeDir, Ino: dir.ID},
	}
	for _, name := range m.disk.Names(dir) {
		i, err := m.disk.Lookup(dir, name)
		if err != nil {
			return status(err)
		}
		list = append(list, fuse.DirEntry{Name: name, Mode: i.Meta.Mode, Ino: i.ID})
	}
	m.last++
	m.lists[m.last] = list
	out.Fh = m.last
	return fuse.OK
}

// ReadDir serves READDIR.
func (m *mount) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	_, unlock := m.lock(in.NodeId)
	defer unlock()
	list := m.lists[in.Fh]
	for n := in.Offset; n < uint64(len(list)); n++ {
		e := list[n]
		e.Off = n + 1
		if !out.AddDirEntry(e) {
			break
		}
	}
	return fuse.OK
}

// ReleaseDir serves RELEASEDIR.
func (m *mount) ReleaseDir(in *fuse.ReleaseIn) {
	_, unlock := m.lock(in.NodeId)
	defer unlock()
	delete(m.lists, in.Fh)
}

// FsyncDir serves FSYNCDIR.
func (m *mount) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	dir, unlock := m.lock(in.NodeId)
	defer unlock()
	was := m.off
	st := m.do(SyncDir, dir.Path(), func() error { m.disk.SyncDir(dir); return nil })
	if st != fuse.OK && m.off == was && !was {
		m.disk.FailSyncDir(dir)
	}
	return st
}

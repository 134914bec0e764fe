package disk

import (
	"maps"
	"slices"
	"syscall"
)

// directory is the entries of a directory, as programs see them and on the disk.
type directory struct {
	cur, disk map[string]*Inode
	pending   []*change // what was not synced, oldest first
}

func newDirectory() *directory {
	return &directory{cur: make(map[string]*Inode), disk: make(map[string]*Inode)}
}

// change is something that happened to entries, as a whole: it gets to the
// disk as one, also when it is a rename between two directories.
type change struct {
	seq  uint64
	sets []set
	done bool // it is on the disk, or lost for ever
}

// set gives a name in a directory to an inode, or to nobody.
type set struct {
	dir  *Inode
	name string
	to   *Inode
}

// change makes the sets visible, and remembers them for the next sync.
func (d *Disk) change(sets ...set) {
	d.seq++
	c := &change{seq: d.seq, sets: sets}
	for i, s := range sets {
		if s.to == nil {
			delete(s.dir.dir.cur, s.name)
		} else {
			s.dir.dir.cur[s.name] = s.to
			s.to.place(s.dir, s.name)
		}
		if i == 0 || s.dir != sets[0].dir {
			s.dir.dir.pending = append(s.dir.dir.pending, c)
		}
	}
}

// commit puts c on the disk, and before it what happened earlier to the
// directories that it touches: no file system reorders that.
func (c *change) commit() {
	if c.done {
		return
	}
	c.done = true
	for _, s := range c.sets {
		for _, earlier := range s.dir.dir.pending {
			if earlier.seq < c.seq {
				earlier.commit()
			}
		}
	}
	for _, s := range c.sets {
		if s.to == nil {
			delete(s.dir.dir.disk, s.name)
		} else {
			s.dir.dir.disk[s.name] = s.to
		}
	}
}

func (dir *directory) settle() {
	dir.pending = slices.DeleteFunc(dir.pending, func(c *change) bool { return c.done })
}

// SyncDir puts on the disk what happened to the entries of dir.
func (d *Disk) SyncDir(dir *Inode) {
	for _, c := range dir.dir.pending {
		c.commit()
	}
	dir.dir.settle()
}

// FailSyncDir is a sync that fails: what happened to the entries of dir stays
// visible, and will never be on the disk.
func (d *Disk) FailSyncDir(dir *Inode) {
	for _, c := range dir.dir.pending {
		c.done = true
	}
	dir.dir.settle()
}

// Lookup returns what dir has under a name, or ENOENT.
func (d *Disk) Lookup(dir *Inode, name string) (*Inode, error) {
	if !dir.IsDir() {
		return nil, syscall.ENOTDIR
	}
	if i := dir.dir.cur[name]; i != nil {
		return i, nil
	}
	return nil, syscall.ENOENT
}

// Names returns the names in dir, in order.
func (d *Disk) Names(dir *Inode) []string { return slices.Sorted(maps.Keys(dir.dir.cur)) }

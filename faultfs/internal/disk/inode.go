package disk

import "time"

// Kinds of inode, as in the mode that stat returns.
const (
	TypeMask = 0o170000
	TypeDir  = 0o040000
	TypeFile = 0o100000
	TypeLink = 0o120000
)

// Meta is what stat shows besides size and links. It is never lost.
type Meta struct {
	Mode                uint32 // with the type
	UID, GID            uint32
	Rdev                uint32
	Atime, Mtime, Ctime time.Time
}

// Inode is a file, a directory, a symbolic link, or something that the kernel
// handles by itself, such as a socket.
type Inode struct {
	ID     uint64 // the same before and after a power cut
	Meta   Meta
	Target string // of a symbolic link
	File   *File  // nil unless it is a regular file
	Links  int    // entries that programs see

	dir *directory // nil unless it is a directory

	// Where it was seen last, for messages only.
	parent *Inode
	name   string
}

// IsDir reports whether i is a directory.
func (i *Inode) IsDir() bool { return i.dir != nil }

// Path returns where i was seen last, relative to the root and without a
// leading slash; the root is ".".
func (i *Inode) Path() string {
	if i.parent == nil {
		return "."
	}
	if i.parent.parent == nil {
		return i.name
	}
	return i.parent.Path() + "/" + i.name
}

func (i *Inode) place(parent *Inode, name string) { i.parent, i.name = parent, name }

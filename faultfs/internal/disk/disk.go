package disk

import "syscall"

// RootID is the ID of the root directory.
const RootID = 1

// Disk is a tree of files and what of it a power cut would leave.
type Disk struct {
	root   *Inode
	lastID uint64
	seq    uint64 // of the last change of an entry
}

// New returns a disk with an empty root directory.
func New(root Meta) *Disk {
	root.Mode = root.Mode&^TypeMask | TypeDir
	return &Disk{root: &Inode{ID: RootID, Meta: root, Links: 1, dir: newDirectory()}, lastID: RootID}
}

// Root returns the root directory.
func (d *Disk) Root() *Inode { return d.root }

// Make makes what meta.Mode says, as name in dir. The target is that of a
// symbolic link.
func (d *Disk) Make(dir *Inode, name string, meta Meta, target string) (*Inode, error) {
	if err := d.free(dir, name); err != nil {
		return nil, err
	}
	d.lastID++
	i := &Inode{ID: d.lastID, Meta: meta, Target: target, Links: 1}
	switch meta.Mode & TypeMask {
	case TypeDir:
		i.dir = newDirectory()
	case TypeFile:
		i.File = newFile()
	}
	d.change(set{dir, name, i})
	return i, nil
}

// Link gives i one more name.
func (d *Disk) Link(i, dir *Inode, name string) error {
	if i.IsDir() {
		return syscall.EPERM
	}
	if err := d.free(dir, name); err != nil {
		return err
	}
	i.Links++
	d.change(set{dir, name, i})
	return nil
}

// free returns an error if dir has something under name, or is no place to
// make something in.
func (d *Disk) free(dir *Inode, name string) error {
	switch {
	case !dir.IsDir():
		return syscall.ENOTDIR
	case dir.Links == 0:
		return syscall.ENOENT
	case len(name) > 255:
		return syscall.ENAMETOOLONG
	case dir.dir.cur[name] != nil:
		return syscall.EEXIST
	}
	return nil
}

// Remove takes a name from dir: that of an empty directory if rmdir is set,
// else that of anything but a directory.
func (d *Disk) Remove(dir *Inode, name string, rmdir bool) error {
	i, err := d.Lookup(dir, name)
	switch {
	case err != nil:
		return err
	case rmdir && !i.IsDir():
		return syscall.ENOTDIR
	case !rmdir && i.IsDir():
		return syscall.EISDIR
	case rmdir && len(i.dir.cur) > 0:
		return syscall.ENOTEMPTY
	}
	i.Links--
	d.change(set{dir, name, nil})
	return nil
}

// Rename gives what is called name in dir another name, which it takes from
// whatever had it.
func (d *Disk) Rename(dir *Inode, name string, to *Inode, newName string) error {
	i, err := d.Lookup(dir, name)
	if err != nil {
		return err
	}
	over := to.dir.cur[newName]
	switch {
	case to.Links == 0:
		return syscall.ENOENT
	case len(newName) > 255:
		return syscall.ENAMETOOLONG
	case over == i:
		return nil // two names of one file: both stay, says rename(2)
	case over == nil:
	case i.IsDir() && !over.IsDir():
		return syscall.ENOTDIR
	case !i.IsDir() && over.IsDir():
		return syscall.EISDIR
	case over.IsDir() && len(over.dir.cur) > 0:
		return syscall.ENOTEMPTY
	}
	if over != nil {
		over.Links--
	}
	d.change(set{dir, name, nil}, set{to, newName, i})
	return nil
}

// Exchange lets two entries change their places.
func (d *Disk) Exchange(dir *Inode, name string, to *Inode, newName string) error {
	a, err := d.Lookup(dir, name)
	if err != nil {
		return err
	}
	b, err := d.Lookup(to, newName)
	if err != nil {
		return err
	}
	d.change(set{dir, name, b}, set{to, newName, a})
	return nil
}

package disk

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Cut returns what a power cut leaves, with IDs as they were. With a unit of 0
// that is what was synced. Else a part of the rest survives as well, by
// chance and the same for the same seed: of the changes of entries the first ones,
// as from a journal, and of the data what [File.Tear] leaves. d must not be
// written to any more: the two share pages.
func (d *Disk) Cut(unit int, seed uint64) *Disk {
	if unit < 0 || unit > PageSize {
		panic(fmt.Sprintf("disk: Cut with a unit of %d bytes, want 0 to %d", unit, PageSize))
	}
	if unit > 0 {
		d.tear(unit, seed)
	}
	after := &Disk{lastID: d.lastID, root: d.root.durable(make(map[*Inode]*Inode))}
	after.root.Links = 1
	return after
}

func (d *Disk) tear(unit int, seed uint64) {
	var files []*Inode
	var changes []*change
	// Entries that are gone may come back, and short-lived ones appear.
	d.walk(true, func(i *Inode) {
		if i.File != nil && i.File.Dirty() {
			files = append(files, i)
		}
		if i.IsDir() {
			changes = append(changes, i.dir.pending...)
		}
	})
	slices.SortFunc(changes, func(a, b *change) int { return cmp.Compare(a.seq, b.seq) })
	changes = slices.Compact(changes) // a rename between directories is in both
	for _, c := range changes[:rand.New(rand.NewPCG(seed, 0)).IntN(len(changes)+1)] {
		c.commit()
	}
	for _, i := range files {
		i.File.Tear(unit, rand.New(rand.NewPCG(seed, i.ID)))
	}
}

// durable returns a copy of what is on the disk of i and below it; copies has
// what was copied before.
func (i *Inode) durable(copies map[*Inode]*Inode) *Inode {
	if done := copies[i]; done != nil {
		return done
	}
	after := &Inode{ID: i.ID, Meta: i.Meta, Target: i.Target}
	copies[i] = after
	if i.File != nil {
		after.File = i.File.durable()
	}
	if i.IsDir() {
		after.dir = newDirectory()
		for _, name := range slices.Sorted(maps.Keys(i.dir.disk)) {
			child := i.dir.disk[name].durable(copies)
			child.Links++
			child.place(after, name)
			after.dir.cur[name], after.dir.disk[name] = child, child
		}
	}
	return after
}

// walk calls fn once for everything that programs see; with all, for what is
// on the disk, or may get there, too.
func (d *Disk) walk(all bool, fn func(*Inode)) {
	seen := make(map[*Inode]bool)
	var visit func(i *Inode)
	visit = func(i *Inode) {
		if i == nil || seen[i] {
			return
		}
		seen[i] = true
		fn(i)
		if !i.IsDir() {
			return
		}
		for _, child := range i.dir.cur {
			visit(child)
		}
		if all {
			for _, child := range i.dir.disk {
				visit(child)
			}
			for _, c := range i.dir.pending {
				for _, s := range c.sets {
					visit(s.to)
				}
			}
		}
	}
	visit(d.root)
}

// Unsynced returns what a power cut would lose of what programs see, in order:
// paths of files that changed, and, with a slash at the end, of directories
// whose entries did.
func (d *Disk) Unsynced() []string {
	var lost []string
	d.walk(false, func(i *Inode) {
		if i.File != nil && i.File.Dirty() {
			lost = append(lost, i.Path())
		}
		if i.IsDir() {
			if i.dir.settle(); len(i.dir.pending) > 0 {
				lost = append(lost, i.Path()+"/")
			}
		}
	})
	slices.Sort(lost)
	return lost
}

// DropCaches shows of what failed syncs have lost only what is on the disk.
// Entries stay as they are.
func (d *Disk) DropCaches() {
	d.walk(false, func(i *Inode) {
		if i.File != nil {
			i.File.DropCache()
		}
	})
}

// SyncDirs puts on the disk what happened to entries anywhere.
func (d *Disk) SyncDirs() {
	d.walk(true, func(i *Inode) {
		if i.IsDir() {
			d.SyncDir(i)
		}
	})
}

// SyncAll puts everything that programs see on the disk, what failed syncs have
// lost included.
func (d *Disk) SyncAll() {
	d.walk(false, func(i *Inode) {
		if f := i.File; f != nil {
			f.disk = f.cur.clone()
			f.forget()
		}
		if i.IsDir() {
			d.SyncDir(i)
			i.dir.disk = maps.Clone(i.dir.cur)
		}
	})
}

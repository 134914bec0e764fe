package faultfs

import (
	"fmt"
	"path"
	"syscall"
)

// Fault says which operation does not go well, and how. Each fault counts for
// itself, from when it was injected.
type Fault struct {
	// Ops are the kinds that are counted; 0 stands for [Changes].
	Ops Op
	// N tells which of them: 1 is the next one.
	N int
	// Path restricts the fault to what has such a name, in any directory: a
	// pattern as of path.Match, such as "*-wal". Empty: everything.
	Path string
	// Err is what the operation returns, such as syscall.ENOSPC; 0 stands for EIO.
	// Nothing has happened then, but for a failed [Sync] or [SyncDir], after which
	// what was to be synced never reaches the disk.
	Err syscall.Errno
	// Repeat lets all further ones fail as well: a disk that stays full.
	Repeat bool
	// PowerOff switches the power off instead: a write, or a change of entries, has
	// reached the cache, a sync has not done anything yet, and this operation and
	// all after it return EIO until [FS.PowerCut].
	PowerOff bool
}

func (f Fault) check() error {
	if f.N < 1 {
		return fmt.Errorf("faultfs: Fault.N is %d, want 1 for the next operation, or more", f.N)
	}
	if _, err := path.Match(f.Path, ""); err != nil {
		return fmt.Errorf("faultfs: Fault.Path is %q: %w", f.Path, err)
	}
	if f.Ops&^Any != 0 {
		return fmt.Errorf("faultfs: Fault.Ops is %#x, which has more in it than Any", uint16(f.Ops))
	}
	if f.PowerOff && (f.Repeat || f.Err != 0) {
		return fmt.Errorf("faultfs: a Fault with PowerOff has neither Err nor Repeat")
	}
	return nil
}

// Hit is an operation that a [Fault] met.
type Hit struct {
	Op       Op
	Path     string        // relative to the root
	Err      syscall.Errno // what it returned
	PowerOff bool
}

// String returns the hit in words: "sync of orders.db-wal: input/output error".
func (h Hit) String() string {
	if h.PowerOff {
		return fmt.Sprintf("%v of %s: power off", h.Op, h.Path)
	}
	return fmt.Sprintf("%v of %s: %v", h.Op, h.Path, h.Err)
}

// injector counts operations and knows which are to fail.
type injector struct {
	armed  []Fault // N counts down; below 1 it is used up, or repeats
	hits   []Hit
	counts map[Op]int
}

// meet counts an operation and returns what becomes of it: at most one fault
// hits, the first one injected, while all of them count.
func (i *injector) meet(op Op, file string) (hit Hit, failed bool) {
	if i.counts == nil {
		i.counts = make(map[Op]int)
	}
	i.counts[op]++
	for n := range i.armed {
		f := &i.armed[n]
		if !f.concerns(op, file) {
			continue
		}
		f.N--
		if failed || f.N > 0 || f.N < 0 && !f.Repeat {
			continue
		}
		hit, failed = Hit{Op: op, Path: file, Err: f.Err, PowerOff: f.PowerOff}, true
		if hit.Err == 0 {
			hit.Err = syscall.EIO
		}
		i.hits = append(i.hits, hit)
	}
	return hit, failed
}

func (f *Fault) concerns(op Op, file string) bool {
	ops := f.Ops
	if ops == 0 {
		ops = Changes
	}
	if ops&op == 0 {
		return false
	}
	if f.Path == "" {
		return true
	}
	ok, _ := path.Match(f.Path, path.Base(file)) // checked when it was injected
	return ok
}

func (i *injector) count(ops Op) int {
	n := 0
	for op, times := range i.counts {
		if op&ops != 0 {
			n += times
		}
	}
	return n
}

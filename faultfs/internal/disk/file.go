package disk

import (
	"math/rand/v2"
	"syscall"
)

// maxSize is beyond what any test needs, and keeps offsets from overflowing.
const maxSize = 1 << 50

// File is the content of a regular file, as programs see it and on the disk.
type File struct {
	cur, disk content
	dirty     map[int64]struct{} // pages that changed since the last sync
	resized   bool               // so did the size
}

func newFile() *File {
	return &File{cur: newContent(), disk: newContent(), dirty: make(map[int64]struct{})}
}

// durable returns a file that has on disk, and shows, what f has on disk.
func (f *File) durable() *File {
	return &File{cur: f.disk.clone(), disk: f.disk.clone(), dirty: make(map[int64]struct{})}
}

// Size returns the size that programs see, in bytes.
func (f *File) Size() int64 { return f.cur.size }

// Pages returns how many pages programs see that are no holes.
func (f *File) Pages() int { return len(f.cur.pages) }

// ReadAt fills b from off on and returns how many bytes there were.
func (f *File) ReadAt(b []byte, off int64) int { return f.cur.readAt(b, off) }

// WriteAt writes b at off, and grows the file if it ends beyond its end.
func (f *File) WriteAt(b []byte, off int64) error {
	end := off + int64(len(b))
	if off < 0 || end > maxSize {
		return syscall.EFBIG
	}
	for done := 0; done < len(b); {
		at := off + int64(done)
		done += copy(f.writable(at / PageSize)[at%PageSize:], b[done:])
	}
	if end > f.cur.size {
		f.cur.size, f.resized = end, true
	}
	if end > f.disk.size {
		f.resized = true // also if a failed sync has lost the size
	}
	return nil
}

// writable returns page i for writing, and marks it as changed.
func (f *File) writable(i int64) *page {
	f.dirty[i] = struct{}{}
	p := f.cur.pages[i]
	switch p {
	case nil:
		p = new(page)
	case f.disk.pages[i]:
		p = new(*p)
	}
	f.cur.pages[i] = p
	return p
}

// Truncate sets the size; what is added is a hole.
func (f *File) Truncate(size int64) error {
	if size < 0 || size > maxSize {
		return syscall.EFBIG
	}
	if size == f.cur.size {
		return nil
	}
	if size < f.cur.size {
		for _, pages := range []map[int64]*page{f.cur.pages, f.disk.pages} {
			for i := range pages {
				if (i+1)*PageSize > size {
					f.dirty[i] = struct{}{}
				}
			}
		}
	}
	f.cur.resize(size)
	f.resized = true
	return nil
}

// Allocate makes the file reach to off+n. The space is a hole: this disk never
// runs full by itself.
func (f *File) Allocate(off, n int64) error {
	if end := off + n; end > f.cur.size || end < 0 {
		return f.Truncate(end)
	}
	return nil
}

// Punch makes n bytes from off on a hole, inside the file.
func (f *File) Punch(off, n int64) error {
	if off < 0 || n < 0 || off+n < 0 {
		return syscall.EINVAL
	}
	end := min(off+n, f.cur.size)
	for i := range f.cur.pages {
		from, to := max(off, i*PageSize), min(end, (i+1)*PageSize)
		switch {
		case from >= to:
		case to-from == PageSize:
			delete(f.cur.pages, i)
			f.dirty[i] = struct{}{}
		default:
			clear(f.writable(i)[from-i*PageSize : to-i*PageSize])
		}
	}
	return nil
}

// Find returns the first offset from off on that is data, or a hole, or ENXIO.
func (f *File) Find(off int64, hole bool) (int64, error) {
	if at := f.cur.find(off, hole); at >= 0 {
		return at, nil
	}
	return 0, syscall.ENXIO
}

// Dirty reports whether a power cut would lose something.
func (f *File) Dirty() bool { return f.resized || len(f.dirty) > 0 }

// Sync puts what changed on the disk.
func (f *File) Sync() {
	for i := range f.dirty {
		f.put(i, f.cur.pages[i])
	}
	if f.resized {
		f.disk.size = f.cur.size
	}
	f.forget()
}

// FailSync is a sync that fails: programs go on seeing what changed, and the
// next sync has nothing to do, but it is not on the disk and never will be,
// unless it is written again.
func (f *File) FailSync() { f.forget() }

func (f *File) forget() {
	clear(f.dirty)
	f.resized = false
}

// put puts p, or a hole, on the disk as page i.
func (f *File) put(i int64, p *page) {
	if p == nil {
		delete(f.disk.pages, i)
	} else {
		f.disk.pages[i] = p
	}
}

// DropCache shows of what failed syncs have lost only what is on the disk.
func (f *File) DropCache() {
	for _, pages := range []map[int64]*page{f.cur.pages, f.disk.pages} {
		for i := range pages {
			if _, dirty := f.dirty[i]; dirty {
				continue
			}
			if p := f.disk.pages[i]; p != nil && (!f.resized || i*PageSize < f.cur.size) {
				f.cur.pages[i] = p
			} else {
				delete(f.cur.pages, i)
			}
		}
	}
	if !f.resized {
		f.cur.size = f.disk.size
	}
}

// Tear puts a part of what changed on the disk: of each changed page each unit
// of so many bytes with a probability of a half, and so the size.
func (f *File) Tear(unit int, chance *rand.Rand) {
	if f.resized && chance.IntN(2) == 0 {
		// Through cur's eyes: what is cut off is gone, what is added is a hole.
		f.disk.resize(f.cur.size)
	}
	for _, i := range sorted(f.dirty) {
		var was, is page
		if p := f.disk.pages[i]; p != nil {
			was = *p
		}
		if p := f.cur.pages[i]; p != nil {
			is = *p
		}
		for at := 0; at < PageSize; at += unit {
			if chance.IntN(2) == 0 {
				copy(was[at:min(at+unit, PageSize)], is[at:])
			}
		}
		if end := f.disk.size - i*PageSize; end <= 0 {
			continue
		} else if end < PageSize {
			clear(was[end:])
		}
		f.disk.pages[i] = &was
	}
	f.forget()
}

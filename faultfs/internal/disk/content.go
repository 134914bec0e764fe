package disk

import (
	"maps"
	"slices"
)

// PageSize is the unit in which contents are held, made durable and torn.
const PageSize = 4096

// page is shared between contents once it is on disk, and not written to any more.
type page [PageSize]byte

// content is the bytes of a file. A page that is missing is a hole, and reads
// as zeros; none is beyond size, and what the last one has beyond size is zero.
type content struct {
	size  int64
	pages map[int64]*page
}

func newContent() content { return content{pages: make(map[int64]*page)} }

func (c *content) clone() content { return content{c.size, maps.Clone(c.pages)} }

// readAt fills b from off on and returns how much of it is before the end.
func (c *content) readAt(b []byte, off int64) int {
	if off >= c.size {
		return 0
	}
	b = b[:min(int64(len(b)), c.size-off)]
	for done := 0; done < len(b); {
		at := off + int64(done)
		in := at % PageSize
		rest := b[done:min(len(b), done+int(PageSize-in))]
		if p := c.pages[at/PageSize]; p != nil {
			copy(rest, p[in:])
		} else {
			clear(rest)
		}
		done += len(rest)
	}
	return len(b)
}

// resize cuts off, or grows by a hole. Pages are replaced, never written to.
func (c *content) resize(size int64) {
	if size < c.size {
		for i := range c.pages {
			if i*PageSize >= size {
				delete(c.pages, i)
			}
		}
		if p := c.pages[size/PageSize]; p != nil {
			cut := *p
			clear(cut[size%PageSize:])
			c.pages[size/PageSize] = &cut
		}
	}
	c.size = size
}

// find returns the first offset from off on that is data, or a hole; the end
// of the file is one. It returns -1 if there is none.
func (c *content) find(off int64, hole bool) int64 {
	if off >= c.size {
		return -1
	}
	if !hole {
		first := int64(-1)
		for i := range c.pages {
			if end := (i + 1) * PageSize; end > off && (first < 0 || i < first) {
				first = i
			}
		}
		if first < 0 {
			return -1
		}
		return max(off, first*PageSize)
	}
	for i := off / PageSize; ; i++ {
		if i*PageSize >= c.size {
			return c.size
		}
		if c.pages[i] == nil {
			return max(off, i*PageSize)
		}
	}
}

// sorted returns the keys of a set of pages in order: what depends on chance
// must not depend on the order of a map.
func sorted[V any](pages map[int64]V) []int64 { return slices.Sorted(maps.Keys(pages)) }

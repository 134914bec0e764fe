package book

import "math/bits"

// index finds the place of an order by its stock and reference. It is an open hash table
// with linear probing that shifts back on removal, so that orders that come and
// go for a whole day leave nothing behind, where Go's map is rebuilt now and
// then. And it is small: what takes time here is memory that is in no cache.
// A cell holds half of the reference; the other half and the stock are in the order,
// which is looked at anyway (BenchmarkIndex).
type index struct {
	cells []cell // a power of two, at most half of them used
	shift uint   // of a hash, to the number of a cell
	used  int
}

type cell struct {
	tag uint32 // the lower half of the reference
	at  int32  // place + 1, so that the zero cell is empty: 0 is a reference like any other
}

func (x *index) init(orders int) {
	x.resize(max(bits.Len(uint(2*orders)), 4))
}

func (x *index) resize(log int) {
	old := x.cells
	x.cells, x.shift, x.used = make([]cell, 1<<log), uint(64-log), 0
	for _, c := range old {
		if c.at != 0 {
			x.put(uint64(c.tag), c.at-1)
		}
	}
}

// home is where the search for a tag begins. References count up, and a
// multiplication by the golden ratio spreads such numbers evenly (Knuth, The
// Art of Computer Programming 3, 6.4).
func (x *index) home(tag uint32) int { return int(uint64(tag) * 0x9E3779B97F4A7C15 >> x.shift) }

// get returns the place of an order, or none.
func (x *index) get(locate uint16, ref uint64, orders []order) int32 {
	tag, mask := uint32(ref), len(x.cells)-1
	for i := x.home(tag); ; i = (i + 1) & mask {
		c := x.cells[i&mask]
		if c.at == 0 || c.tag == tag && orders[c.at-1].ref == ref && orders[c.at-1].locate == locate {
			return c.at - 1
		}
	}
}

// put adds a reference that is not there.
func (x *index) put(ref uint64, place int32) {
	if 2*(x.used+1) > len(x.cells) {
		x.resize(65 - int(x.shift))
	}
	tag, mask := uint32(ref), len(x.cells)-1
	i := x.home(tag)
	for x.cells[i].at != 0 {
		i = (i + 1) & mask
	}
	x.cells[i] = cell{tag, place + 1}
	x.used++
}

// remove takes out the reference of the order at a place, which is there.
func (x *index) remove(ref uint64, place int32) {
	mask := len(x.cells) - 1
	i := x.home(uint32(ref))
	for x.cells[i].at != place+1 {
		i = (i + 1) & mask
	}
	// Move up whatever would not be found any more behind the gap.
	for j := (i + 1) & mask; x.cells[j].at != 0; j = (j + 1) & mask {
		if home := x.home(x.cells[j].tag); (j-home)&mask >= (j-i)&mask {
			x.cells[i] = x.cells[j]
			i = j
		}
	}
	x.cells[i] = cell{}
	x.used--
}

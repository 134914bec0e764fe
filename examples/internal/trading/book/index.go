package book

import "math/bits"

// index finds the place of an order by its reference. It is an open hash table
// with linear probing that shifts back on removal, so that orders that come and
// go for a whole day leave nothing behind: Go's map would be rebuilt now and
// then, and is twice as slow here (BenchmarkIndex).
type index struct {
	cells []cell // a power of two, at most half of them used
	shift uint   // of a hash, to the number of a cell
	used  int
}

type cell struct {
	ref uint64
	at  int32 // place + 1, so that the zero cell is empty: 0 is a reference like any other
}

func (x *index) init(orders int) {
	x.resize(max(bits.Len(uint(2*orders)), 4))
}

func (x *index) resize(log int) {
	old := x.cells
	x.cells, x.shift, x.used = make([]cell, 1<<log), uint(64-log), 0
	for _, c := range old {
		if c.at != 0 {
			x.put(c.ref, c.at-1)
		}
	}
}

// home is where the search for a reference begins. References count up, and a
// multiplication by the golden ratio spreads such numbers evenly (Knuth, The
// Art of Computer Programming 3, 6.4).
func (x *index) home(ref uint64) int { return int(ref * 0x9E3779B97F4A7C15 >> x.shift) }

// get returns the place of an order, or -1.
func (x *index) get(ref uint64) int32 {
	for i := x.home(ref); ; i = (i + 1) & (len(x.cells) - 1) {
		if c := &x.cells[i]; c.at == 0 || c.ref == ref {
			return c.at - 1
		}
	}
}

// put adds a reference that is not there.
func (x *index) put(ref uint64, place int32) {
	if 2*(x.used+1) > len(x.cells) {
		x.resize(65 - int(x.shift))
	}
	i := x.home(ref)
	for x.cells[i].at != 0 {
		i = (i + 1) & (len(x.cells) - 1)
	}
	x.cells[i] = cell{ref, place + 1}
	x.used++
}

// remove takes out a reference that is there.
func (x *index) remove(ref uint64) {
	mask := len(x.cells) - 1
	i := x.home(ref)
	for x.cells[i].ref != ref || x.cells[i].at == 0 {
		i = (i + 1) & mask
	}
	// Move up whatever would not be found any more behind the gap.
	for j := (i + 1) & mask; x.cells[j].at != 0; j = (j + 1) & mask {
		if home := x.home(x.cells[j].ref); (j-home)&mask >= (j-i)&mask {
			x.cells[i] = x.cells[j]
			i = j
		}
	}
	x.cells[i] = cell{}
	x.used--
}

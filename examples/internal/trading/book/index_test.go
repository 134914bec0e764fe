package book

import (
	"math/rand/v2"
	"testing"
)

// churn keeps so many orders in a set while others come and go, as on a feed.
func churn(set *Set, live []uint64, ref *uint64, rnd *rand.Rand, n int) {
	for range n {
		*ref += 1 + rnd.Uint64N(8)
		i := rnd.IntN(len(live))
		if live[i] != 0 {
			_, _ = set.Delete(uint16(live[i]%100), live[i])
		}
		live[i] = *ref
		_, _ = set.Add(uint16(*ref%100), *ref, Side(*ref%2), uint32(1000+rnd.IntN(50)), 100)
	}
}

func TestSetsOfAConstantSizeAllocateNothing(t *testing.T) {
	set, rnd, ref := NewSet(1), rand.New(rand.NewPCG(1, 3)), uint64(0)
	live := make([]uint64, 5_000)
	churn(set, live, &ref, rnd, 100_000)
	if got := testing.AllocsPerRun(5, func() { churn(set, live, &ref, rnd, 20_000) }); got != 0 {
		t.Errorf("%v allocations for 40,000 changes", got)
	}
	if set.Len() != len(live) {
		t.Errorf("%d orders, want %d", set.Len(), len(live))
	}
}

// BenchmarkIndex compares the index with Go's map, at 100,000 orders.
func BenchmarkIndex(b *testing.B) {
	const orders = 100_000
	run := func(b *testing.B, put func(ref uint64, at int32), get func(uint64) int32, remove func(uint64, int32)) {
		rnd := rand.New(rand.NewPCG(1, 4))
		live, ref := make([]uint64, orders), uint64(0)
		next := func() uint64 { ref += 1 + rnd.Uint64N(8); return ref }
		for i := range live {
			live[i] = next()
			put(live[i], int32(i))
		}
		b.ReportAllocs()
		for b.Loop() {
			i := rnd.IntN(orders)
			remove(live[i], get(live[i]))
			live[i] = next()
			put(live[i], int32(i))
		}
	}
	b.Run("index", func(b *testing.B) {
		var x index
		x.init(orders)
		all := make([]order, orders)
		run(b, func(ref uint64, at int32) { all[at].ref = ref; x.put(ref, at) }, func(ref uint64) int32 { return x.get(0, ref, all) }, x.remove)
	})
	b.Run("map", func(b *testing.B) {
		x := make(map[uint64]int32, orders)
		run(b, func(ref uint64, at int32) { x[ref] = at }, func(ref uint64) int32 { return x[ref] }, func(ref uint64, _ int32) { delete(x, ref) })
	})
}

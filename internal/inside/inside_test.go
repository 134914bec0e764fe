package inside

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func ids() (all []uint64) {
	for id := range Running {
		all = append(all, id)
	}
	return all
}

func TestNobodyIsInsideWithoutAMark(t *testing.T) {
	if got := ids(); got != nil || Any() || Of(0) {
		t.Errorf("got %v", got)
	}
}

func TestMarksAreReadInnermostFirst(t *testing.T) {
	numbers := []uint64{1, 0, 0xF, 0x10, 0x1111, 0xFFFF, 0x123456789ABCDEF0, 1 << 32, 1<<32 + 1, 1<<64 - 1, 0x1000000000000000}
	for range 100 {
		numbers = append(numbers, rand.Uint64()>>rand.IntN(64))
	}
	for _, id := range numbers {
		if id == 0 {
			continue
		}
		Mark(id, func() {
			if got := ids(); !slices.Equal(got, []uint64{id}) || !Of(id) || Of(id+1) || !Any() {
				t.Errorf("%#x: got %#x", id, got)
			}
			Mark(id>>3|1, func() {
				if got := ids(); !slices.Equal(got, []uint64{id>>3 | 1, id}) {
					t.Errorf("%#x in %#x: got %#x", id>>3|1, id, got)
				}
			})
		})
	}
}

func TestMarksAreReadFromADeepStack(t *testing.T) {
	var deep func(n int)
	deep = func(n int) {
		if n > 0 {
			deep(n - 1)
			return
		}
		if !Of(0xABC) {
			t.Error("the mark is not found")
		}
	}
	for _, depth := range []int{0, 10, 50, 63, 64, 65, 255, 1000, 5000} {
		Mark(0xABC, func() { deep(depth) })
	}
}

func TestOtherGoroutinesAreOutside(t *testing.T) {
	Mark(7, func() {
		outside := make(chan bool)
		go func() { outside <- !Any() }()
		if !<-outside {
			t.Error("a goroutine that a listener has started counts as inside")
		}
	})
}

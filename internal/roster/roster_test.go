package roster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"example.com/signals/internal/listen"
)

// grow is a policy: doubling, from 7.
func grow(n int) int { return max(7, 2*n) }

// writer is the one writer of a list, with a plain slice that says what is in it.
type writer struct {
	list *List
	want []*listen.Member
	seq  uint64
	bare bool
	all  []*List            // every version
	was  [][]*listen.Member // what was in each
}

var mark byte

func (w *writer) add(priority int, special bool) {
	w.seq++
	m := &listen.Member{Priority: priority, Seq: w.seq}
	var h *listen.Handler
	var plain unsafe.Pointer
	if w.bare {
		h = (&listen.Handler{Once: special}).Sealed()
		if !special {
			plain = unsafe.Pointer(&mark)
		}
	}
	room := 0
	if n := w.list.Full(); n >= 0 {
		room = grow(n)
	}
	w.list = w.list.Add(Row{m, h}, plain, plain, w.bare, room)
	at, _ := slices.BinarySearchFunc(w.want, m, order)
	w.want = slices.Insert(slices.Clone(w.want), at, m)
	w.published()
}

func (w *writer) remove(i int) {
	m := w.want[i]
	w.list = w.list.Remove(m)
	w.want = slices.Delete(slices.Clone(w.want), i, i+1)
	w.published()
}

func (w *writer) published() {
	w.all, w.was = append(w.all, w.list), append(w.was, w.want)
}

// check compares a version with what was in it.
func check(l *List, want []*listen.Member, bare bool) error {
	if l.Len() != len(want) {
		return fmt.Errorf("%d listeners, want %d", l.Len(), len(want))
	}
	i, special := 0, 0
	for _, b := range l.Blocks {
		if len(b.Rows) == 0 || bare && (len(b.Plain) != len(b.Rows) || len(b.Fails) != len(b.Rows)) || !bare && b.Plain != nil {
			return fmt.Errorf("a block of %d rows, %d and %d functions", len(b.Rows), len(b.Plain), len(b.Fails))
		}
		for k, r := range b.Rows {
			if r.Member != want[i] || l.Index(r.Member) != i || l.At(i).Member != r.Member {
				return fmt.Errorf("another listener at %d", i)
			}
			if bare && (b.Plain[k] == nil) != r.Handler.Special() {
				return fmt.Errorf("the functions of %d are not its own", i)
			}
			if bare && r.Handler.Special() {
				special++
			}
			i++
		}
	}
	if l.Slow != (special > 0) || l.Fast != !l.Slow || (l.Only != nil) != (bare && l.n == 1 && special == 0) {
		return fmt.Errorf("%d special: slow %v, fast %v, only %v", special, l.Slow, l.Fast, l.Only)
	}
	if n := len(l.Blocks); n > 2+8*l.n/piece+8 {
		return fmt.Errorf("%d blocks for %d listeners", n, l.n)
	}
	return nil
}

// Every version stays as it was published, whatever is added, put in between,
// or removed afterwards, and is what a plain slice says.
func TestVersionsStayAsTheyWerePublished(t *testing.T) {
	for _, bare := range []bool{true, false} {
		for range 30 {
			w := &writer{list: New(false, false), bare: bare}
			for range 600 {
				switch n := len(w.want); {
				case n > 0 && rand.IntN(3) == 0:
					w.remove(rand.IntN(n))
				default:
					w.add(rand.IntN(4)/3*rand.IntN(5), bare && rand.IntN(50) == 0)
				}
			}
			for i, l := range w.all {
				if err := check(l, w.was[i], bare); err != nil {
					t.Fatalf("version %d: %v", i, err)
				}
			}
		}
	}
}

func TestManyAreRemovedAtOnce(t *testing.T) {
	w := &writer{list: New(false, false), bare: true}
	for i := range 3000 {
		w.add(i%3, i%100 == 0)
	}
	gone := func(m *listen.Member) bool { return m.Seq%5 < 2 }
	l := w.list.RemoveAll(gone)
	want := slices.DeleteFunc(slices.Clone(w.want), gone)
	if err := check(l, want, true); err != nil {
		t.Error(err)
	}
	if err := check(w.list, w.want, true); err != nil {
		t.Errorf("the version before: %v", err)
	}
	if err := check(l.RemoveAll(func(*listen.Member) bool { return true }), nil, true); err != nil {
		t.Error(err)
	}
}

// Adding n listeners at the end copies less than a few n of them.
func TestAddingAtTheEndCopiesLinearlyInAll(t *testing.T) {
	const n = 3000
	for name, priority := range map[string]func(int) int{
		"equal":   func(int) int { return 0 },
		"falling": func(i int) int { return -i },
	} {
		w := &writer{list: New(false, false), bare: true}
		copied := 0
		for i := range n {
			before := map[*Row]bool{}
			for _, b := range w.list.Blocks {
				before[&b.Rows[0]] = true
			}
			w.add(priority(i), false)
			for _, b := range w.list.Blocks {
				if !before[&b.Rows[0]] {
					copied += len(b.Rows)
				}
			}
			w.all, w.was = nil, nil
		}
		if copied > 2*n {
			t.Errorf("%s priority: %d copied for %d listeners", name, copied, n)
		}
	}
}

// A listener in front of the others, or behind all but one, costs a part of the
// list, not all of it.
func TestAChangeInTheMiddleCopiesAPiece(t *testing.T) {
	w := &writer{list: New(false, false), bare: true}
	w.add(-1, false) // stays behind all others
	for range 20_000 {
		w.add(0, false)
		w.all, w.was = nil, nil
	}
	largest := 0
	for range 500 {
		before := map[*Block]bool{}
		for _, b := range w.list.Blocks {
			before[b] = true
		}
		if rand.IntN(2) == 0 {
			w.add(rand.IntN(3), false)
		} else {
			w.remove(rand.IntN(len(w.want)))
		}
		copied := 0
		for _, b := range w.list.Blocks {
			if !before[b] {
				copied += len(b.Rows)
			}
		}
		largest = max(largest, copied)
		w.all, w.was = nil, nil
	}
	if largest > 8*piece {
		t.Errorf("one change copied %d listeners", largest)
	}
	if err := check(w.list, w.want, true); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	var none *List
	m := &listen.Member{Seq: 1}
	if none.Len() != 0 || none.Index(m) != -1 || none.Full() != 0 {
		t.Error("a nil list is not empty")
	}
	for range none.All {
		t.Error("a nil list has listeners")
	}
	if l := New(true, false); l.Remove(m) != nil || l.Index(m) != -1 || !l.Slow || l.Fast {
		t.Error("an empty list has listeners, or has forgotten that it is slow")
	}
}

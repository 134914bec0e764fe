package signals

import (
	"context"
	"testing"
	"unsafe"
)

func TestBaseSignalFillsOneCacheLineHotFieldsFirst(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the layout is for 64-bit processors")
	}
	fillsOneLine[struct{}](t)
	fillsOneLine[int](t)
	fillsOneLine[string](t)
	fillsOneLine[any](t)
	fillsOneLine[[1000]byte](t)
	fillsOneLine[func(context.Context) error](t)
}

func fillsOneLine[T any](t *testing.T) {
	t.Helper()
	var b baseSignal[T]
	got := [...]uintptr{
		unsafe.Offsetof(b.list), unsafe.Offsetof(b.conf), unsafe.Offsetof(b.mu), unsafe.Offsetof(b.keys),
		unsafe.Sizeof(b), unsafe.Sizeof(SyncSignal[T]{}),
	}
	if want := [...]uintptr{0, 8, 16, 24, 64, 64}; got != want {
		t.Errorf("payload %s: list, conf, mu, keys at, size: %v, want %v", typeName[T](), got, want)
	}
}

func TestTheListGrowsThroughPrimesAndThenDoubles(t *testing.T) {
	want := []int{7, 17, 37, 79, 163, 331, 673, 1361, 2729, 5471, 10949, 21911, 43853, 87719, 175438, 350876}
	st := newSettings(KindSync, payloadOf[int](), nil)
	n := 0
	for _, next := range want {
		if n = st.grow(n); n != next {
			t.Fatalf("grew to %d, want %d", n, next)
		}
	}
	for odd, next := range map[int]int{1: 7, 6: 7, 8: 17, 100: 163, 87718: 87719, 90000: 180000} {
		if got := st.grow(odd); got != next {
			t.Errorf("grew from %d to %d, want %d", odd, got, next)
		}
	}

	var s SyncSignal[int]
	var caps []int
	for range 40 {
		s.AddListener(func(context.Context, int) {})
		l := s.list.Load()
		if c := cap(l.rows); len(caps) == 0 || caps[len(caps)-1] != c {
			caps = append(caps, c)
		}
		if cap(l.plain) != cap(l.rows) || cap(l.fails) != cap(l.rows) {
			t.Fatalf("room for %d, %d and %d listeners", cap(l.rows), cap(l.plain), cap(l.fails))
		}
	}
	if len(caps) != 4 || caps[0] != 7 || caps[1] != 17 || caps[2] != 37 || caps[3] != 79 {
		t.Errorf("capacities %v", caps)
	}
}

// Every snapshot of the list stays as it was published, whatever is added,
// put in between, or removed afterwards.
func TestSnapshotsStayAsTheyWerePublished(t *testing.T) {
	const n = 300
	sync, async := NewSync[int](), New[int]()
	check := func(base *baseSignal[int], s Signal[int]) {
		var lists []*snapshot[int]
		var want [][]*entry[int]
		seen := func() {
			l := base.list.Load()
			es := make([]*entry[int], len(l.rows))
			for i, r := range l.rows {
				es[i] = r.entry
			}
			lists, want = append(lists, l), append(want, es)
		}
		var subs []*Subscription
		for i := range n {
			subs = append(subs, s.Subscribe(func(context.Context, int) error { return nil }, Priority(i%50/49)))
			seen()
			if i%7 == 6 {
				subs[i/2].Unsubscribe()
				seen()
			}
		}
		for i, l := range lists {
			if len(l.rows) != len(want[i]) {
				t.Fatalf("snapshot %d has %d rows, had %d", i, len(l.rows), len(want[i]))
			}
			for j, r := range l.rows {
				if r.entry != want[i][j] {
					t.Fatalf("row %d of snapshot %d has changed", j, i)
				}
			}
			if sync := len(l.plain) > 0; sync && (len(l.plain) != len(l.rows) || len(l.fails) != len(l.rows)) {
				t.Fatalf("snapshot %d: %d rows, %d and %d functions", i, len(l.rows), len(l.plain), len(l.fails))
			}
		}
	}
	check(&sync.baseSignal, sync)
	check(&async.baseSignal, async)
}

// Adding n listeners at equal priority copies less than a few n of them: the
// array moves only when it is full.
func TestAddingListenersAtTheEndCopiesLinearlyInAll(t *testing.T) {
	const n = 3000
	for name, priority := range map[string]func(int) int{
		"equal":   func(int) int { return 0 },
		"falling": func(i int) int { return -i },
	} {
		asked := 0
		s := NewSync[int](Growth(func(c int) int { asked++; return max(8, 2*c) }))
		copied, moves := 0, 0
		var first *row[int]
		for i := range n {
			s.Subscribe(func(context.Context, int) error { return nil }, Priority(priority(i)))
			if now := &s.list.Load().rows[0]; now != first {
				first = now
				copied += i
				moves++
			}
		}
		if moves != asked || moves > 13 || copied > 2*n {
			t.Errorf("%s priority: %d copied in %d moves for %d listeners; Growth was asked %d times", name, copied, moves, n, asked)
		}
	}
}

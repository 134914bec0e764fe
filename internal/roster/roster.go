// Package roster is the list of the listeners of a signal: copy-on-write, in
// calling order. A reader takes a List and keeps it for a whole emission, so it
// needs no lock, and a listener that is added or removed meanwhile disturbs
// nobody.
//
// A List is made of blocks. A listener that comes last is appended in place,
// behind the published length, where no reader looks; anything else copies one
// block of about a hundred listeners, and the pointers to the blocks. So adding
// n listeners, removing them one by one, or both in turn, is about linear in n.
//
// The functions that change a list return another one. Whoever calls them must
// keep to one writer at a time, and publish each List that he gets.
package roster

import (
	"cmp"
	"slices"
	"sort"
	"unsafe"

	"example.com/signals/internal/listen"
)

// piece is how many listeners a block has that was cut.
const piece = 128

// List is one version of the list. Nothing within its lengths is written after
// it was published. The zero value is empty.
type List struct {
	Only   unsafe.Pointer // the plain function of the one listener, if that is all there is to do
	Single unsafe.Pointer // the same, if counting is to be done as well
	Fast   bool           // no listener is special, and neither Slow nor Counts
	Slow   bool           // emissions must go through the loop that serves options and observers
	Counts bool           // emissions are counted
	Blocks []*Block

	own     bool // Slow, whatever the listeners
	special int  // listeners that need more than a bare call
	n       int
	one     [1]*Block // where Blocks begins
}

// Block is a run of listeners. The loops of sync signals run over bare
// functions: that of Emit over Plain, that of TryEmit over Fails. Both are nil
// at i if Rows[i] is special, and both are empty on async signals. Entries of
// several words instead cost a loop up to a fifth.
type Block struct {
	Plain []unsafe.Pointer // func(context.Context, T)
	Fails []unsafe.Pointer // func(context.Context, T) error
	Rows  []Row
}

// Row is one listener.
type Row struct {
	*listen.Member
	Handler *listen.Handler // nil on async signals, whose readers hold it
}

// New returns an empty list. slow says that emissions are slow whatever the
// listeners, counts that they are counted.
func New(slow, counts bool) *List { return (&List{own: slow, Counts: counts}).sealed() }

// sealed derives what readers want to know.
func (l *List) sealed() *List {
	l.Slow = l.own || l.special > 0
	l.Fast = !l.Slow && !l.Counts
	if l.n == 1 && !l.Slow && len(l.Blocks[0].Plain) == 1 {
		if l.Counts {
			l.Single = l.Blocks[0].Plain[0]
		} else {
			l.Only = l.Blocks[0].Plain[0]
		}
	}
	return l
}

// next returns a copy of l whose blocks are those given.
func (l *List) next(blocks ...[]*Block) *List {
	n := &List{own: l.own, Counts: l.Counts, special: l.special, n: l.n}
	total := 0
	for _, bs := range blocks {
		total += len(bs)
	}
	n.Blocks = n.one[:0]
	if total > 1 {
		n.Blocks = make([]*Block, 0, total)
	}
	for _, bs := range blocks {
		n.Blocks = append(n.Blocks, bs...)
	}
	return n
}

// Len returns the number of listeners. A nil list has none.
func (l *List) Len() int {
	if l == nil {
		return 0
	}
	return l.n
}

// All calls yield for the listeners in calling order, until it returns false.
// It may be called on a nil list.
func (l *List) All(yield func(Row) bool) {
	if l == nil {
		return
	}
	for _, b := range l.Blocks {
		for _, r := range b.Rows {
			if !yield(r) {
				return
			}
		}
	}
}

// At returns the listener at an index, which must be there.
func (l *List) At(i int) Row {
	for _, b := range l.Blocks {
		if i < len(b.Rows) {
			return b.Rows[i]
		}
		i -= len(b.Rows)
	}
	panic("signals: no listener at that index") // never: who asks has the list
}

// Index returns the place of m in calling order, from 0, or -1.
func (l *List) Index(m *listen.Member) int {
	if l == nil {
		return -1
	}
	k, i := l.find(m)
	if i < 0 {
		return -1
	}
	for _, b := range l.Blocks[:k] {
		i += len(b.Rows)
	}
	return i
}

// order compares two listeners: by priority, then in registration order.
func order(a, b *listen.Member) int {
	if c := cmp.Compare(b.Priority, a.Priority); c != 0 {
		return c
	}
	return cmp.Compare(a.Seq, b.Seq)
}

// seat returns the block and the index in it where m is or belongs.
func (l *List) seat(m *listen.Member) (k, i int) {
	k = sort.Search(len(l.Blocks), func(k int) bool {
		rows := l.Blocks[k].Rows
		return order(rows[len(rows)-1].Member, m) >= 0
	})
	if k == len(l.Blocks) {
		return k, 0
	}
	rows := l.Blocks[k].Rows
	return k, sort.Search(len(rows), func(i int) bool { return order(rows[i].Member, m) >= 0 })
}

// find returns the block of m and its index in it, or -1 and -1.
func (l *List) find(m *listen.Member) (k, i int) {
	k, i = l.seat(m)
	if k == len(l.Blocks) || l.Blocks[k].Rows[i].Member != m {
		return -1, -1
	}
	return k, i
}

// Full returns the number of listeners if there is no room behind them, else
// -1.
func (l *List) Full() int {
	if l == nil || l.n == 0 {
		return 0
	}
	last := l.Blocks[len(l.Blocks)-1]
	if len(last.Rows) < cap(last.Rows) {
		return -1
	}
	return l.n
}

// Add returns l with one listener more. plain and fails are its bare functions,
// if it has some; bare says whether the list has those. room is for how many
// listeners there shall be room, if more is needed.
func (l *List) Add(r Row, plain, fails unsafe.Pointer, bare bool, room int) *List {
	var to *List
	k, i := l.seat(r.Member)
	switch last := len(l.Blocks) - 1; {
	case k <= last: // between others
		b := l.Blocks[k].copied(0, i, 1, bare)
		b.put(r, plain, fails, bare)
		b.append(l.Blocks[k], i, len(l.Blocks[k].Rows))
		pieces := b.cut()
		if k == last { // the room is behind the last piece
			tail := pieces[len(pieces)-1]
			before := l.n + 1 - len(tail.Rows)
			tail.grow(max(cap(l.Blocks[k].Rows)-len(b.Rows)+len(tail.Rows), room-before), bare)
		}
		to = l.next(l.Blocks[:k], pieces, l.Blocks[k+1:])
	case last >= 0 && len(l.Blocks[last].Rows) < cap(l.Blocks[last].Rows): // in place
		b := *l.Blocks[last]
		b.put(r, plain, fails, bare)
		to = l.next(l.Blocks[:last], []*Block{&b})
	case last >= 0 && len(l.Blocks[last].Rows) < piece:
		old := l.Blocks[last]
		b := new(Block)
		b.grow(max(room-(l.n-len(old.Rows)), len(old.Rows)+1), bare)
		b.append(old, 0, len(old.Rows))
		b.put(r, plain, fails, bare)
		to = l.next(l.Blocks[:last], []*Block{b})
	default: // a new block
		b := new(Block)
		b.grow(max(room-l.n, 1), bare)
		b.put(r, plain, fails, bare)
		to = l.next(l.Blocks, []*Block{b})
	}
	to.n++
	if r.Handler != nil && r.Handler.Special() {
		to.special++
	}
	return to.sealed()
}

// Remove returns l without m, or nil if m is not in it.
func (l *List) Remove(m *listen.Member) *List {
	k, i := l.find(m)
	if i < 0 {
		return nil
	}
	old := l.Blocks[k]
	// A copy even at the end: the arrays must not keep the removed closure.
	b := old.copied(0, i, -1, old.Plain != nil)
	b.append(old, i+1, len(old.Rows))
	lo, hi := k, k+1
	if k > 0 && len(l.Blocks[k-1].Rows)+len(b.Rows) <= piece/2 { // so that few stay few blocks
		b = merged(l.Blocks[k-1], b)
		lo--
	} else if hi < len(l.Blocks) && len(l.Blocks[hi].Rows)+len(b.Rows) <= piece/2 {
		b = merged(b, l.Blocks[hi])
		hi++
	}
	to := l.next(l.Blocks[:lo], b.cut(), l.Blocks[hi:])
	to.n--
	if r := old.Rows[i]; r.Handler != nil && r.Handler.Special() {
		to.special--
	}
	return to.sealed()
}

// RemoveAll returns l without those that gone reports: for many at once. Blocks
// that lose nobody are not copied.
func (l *List) RemoveAll(gone func(*listen.Member) bool) *List {
	to := &List{own: l.own, Counts: l.Counts}
	kept := new(Block) // of the blocks before, which have lost some
	for _, b := range l.Blocks {
		whole := true
		for i, r := range b.Rows {
			if gone(r.Member) {
				if whole {
					kept.append(b, 0, i)
				}
				whole = false
				continue
			}
			if !whole {
				kept.append(b, i, i+1)
			}
			to.n++
			if r.Handler != nil && r.Handler.Special() {
				to.special++
			}
		}
		switch {
		case !whole:
		case len(kept.Rows)+len(b.Rows) <= piece/2: // so that few stay few blocks
			kept.append(b, 0, len(b.Rows))
		default:
			to.Blocks = append(append(to.Blocks, kept.cut()...), b)
			kept = new(Block)
		}
	}
	to.Blocks = append(to.Blocks, kept.cut()...)
	return to.sealed()
}

// copied returns a new block with rows [lo, hi) of b and room for all of b and
// extra more.
func (b *Block) copied(lo, hi, extra int, bare bool) *Block {
	c := new(Block)
	if n := len(b.Rows) + extra; n > 0 {
		c.grow(n, bare)
	}
	c.append(b, lo, hi)
	return c
}

func merged(a, b *Block) *Block {
	c := a.copied(0, len(a.Rows), len(b.Rows), a.Plain != nil)
	c.append(b, 0, len(b.Rows))
	return c
}

// grow gives b room for n listeners, in arrays of its own.
func (b *Block) grow(n int, bare bool) {
	if n <= cap(b.Rows) {
		return
	}
	b.Rows = append(make([]Row, 0, n), b.Rows...)
	if bare {
		b.Plain = append(make([]unsafe.Pointer, 0, n), b.Plain...)
		b.Fails = append(make([]unsafe.Pointer, 0, n), b.Fails...)
	}
}

// append adds rows [lo, hi) of another block.
func (b *Block) append(from *Block, lo, hi int) {
	b.Rows = append(b.Rows, from.Rows[lo:hi]...)
	if from.Plain != nil {
		b.Plain = append(b.Plain, from.Plain[lo:hi]...)
		b.Fails = append(b.Fails, from.Fails[lo:hi]...)
	}
}

func (b *Block) put(r Row, plain, fails unsafe.Pointer, bare bool) {
	b.Rows = append(b.Rows, r)
	if bare {
		b.Plain, b.Fails = append(b.Plain, plain), append(b.Fails, fails)
	}
}

// cut returns b, which nobody else knows yet, in pieces if it is large.
func (b *Block) cut() []*Block {
	n := len(b.Rows)
	switch {
	case n == 0:
		return nil
	case n <= 2*piece:
		return []*Block{b}
	}
	pieces := (n + piece - 1) / piece
	all := make([]*Block, pieces)
	for i := range all {
		all[i] = b.slice(n*i/pieces, n*(i+1)/pieces)
	}
	return all
}

// slice returns rows [lo, hi) in arrays of their own: a piece that is replaced
// later must not be kept by its neighbours.
func (b *Block) slice(lo, hi int) *Block {
	s := &Block{Rows: slices.Clone(b.Rows[lo:hi:hi])}
	s.Rows = slices.Clip(s.Rows)
	if b.Plain != nil {
		s.Plain, s.Fails = slices.Clip(slices.Clone(b.Plain[lo:hi])), slices.Clip(slices.Clone(b.Fails[lo:hi]))
	}
	return s
}

package engine

import (
	"cmp"
	"math/bits"
	"slices"
)

// lanes holds the listed readers by priority. A ready reader has something to
// claim, an idle one has not; both lists of a lane are rings, so that a reader
// leaves its list without knowing which it is in.
//
// An emission makes every idle reader ready. It must not cost more if they have
// a thousand priorities, so it only notes that; what is idle in a lane becomes
// ready in fact when a worker, or a reader of that lane, comes by. Which lanes
// there are to come by is kept as one bit for each.
type lanes struct {
	all   []*lane // highest priority first
	ready bitmap  // lanes that may have a ready reader
	idle  bitmap  // lanes with an idle reader
	woken bool    // an emission has come since ready was last made up
	turn  int     // takes so far
	next  int     // the lane that has the next fair turn
}

// lane is the readers of one priority.
type lane struct {
	priority    int
	members     int    // readers of this priority
	index       int    // in lanes.all
	idleAt      uint64 // the end of the log when those that are idle became so
	ready, idle ring   // sentinels
}

// ring is a reader's place in a list, or the sentinel of one.
type ring struct {
	before, after *ring
	r             *Reader // nil in a sentinel
}

// bitmap has a bit for each lane.
type bitmap []uint64

func (b bitmap) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b bitmap) clear(i int)    { b[i/64] &^= 1 << (i % 64) }
func (b bitmap) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

// first returns the first bit that is set from bit i on, or -1.
func (b bitmap) first(i int) int {
	for w := i / 64; w < len(b); w++ {
		word := b[w]
		if w == i/64 {
			word &= ^uint64(0) << (i % 64)
		}
		if word != 0 {
			return 64*w + bits.TrailingZeros64(word)
		}
	}
	return -1
}

func (l *lane) init() *lane {
	l.ready.before, l.ready.after = &l.ready, &l.ready
	l.idle.before, l.idle.after = &l.idle, &l.idle
	return l
}

func (r *ring) empty() bool { return r.after == r }

// settle makes what was idle ready if emissions have come since.
func (l *lane) settle(end uint64) {
	if l.idleAt == end || l.idle.empty() {
		return
	}
	first, last := l.idle.after, l.idle.before
	l.idle.before, l.idle.after = &l.idle, &l.idle
	first.before, last.after = l.ready.before, &l.ready
	first.before.after, last.after.before = first, last
}

// join puts a reader into the lane of its priority, or that of those that pull.
func (g *Engine) join(r *Reader, priority int) {
	if r.pull != nil {
		r.lane = &g.loops
		return
	}
	ls := &g.lanes
	i, found := slices.BinarySearchFunc(ls.all, priority, func(l *lane, p int) int { return cmp.Compare(p, l.priority) })
	if !found {
		ls.all = slices.Insert(ls.all, i, (&lane{priority: priority}).init())
		ls.renumber(i)
	}
	r.lane = ls.all[i]
	r.lane.members++
}

// leave takes a reader out of its lane. It must be in none of its lists.
func (g *Engine) leave(r *Reader) {
	if r.pull != nil {
		return
	}
	l := r.lane
	if l.members--; l.members > 0 {
		return
	}
	g.lanes.all = slices.Delete(g.lanes.all, l.index, l.index+1)
	g.lanes.renumber(l.index)
}

// renumber follows a change of the lanes from i on. Each of them that has a
// reader counts as perhaps ready: a worker will see.
func (ls *lanes) renumber(i int) {
	words := (len(ls.all) + 63) / 64
	for len(ls.ready) < words {
		ls.ready, ls.idle = append(ls.ready, 0), append(ls.idle, 0)
	}
	for ; i < len(ls.all); i++ {
		l := ls.all[i]
		l.index = i
		ls.ready.clear(i)
		ls.idle.clear(i)
		if !l.ready.empty() || !l.idle.empty() {
			ls.ready.set(i)
		}
		if !l.idle.empty() {
			ls.idle.set(i)
		}
	}
	for ; i < 64*len(ls.ready); i++ {
		ls.ready.clear(i)
		ls.idle.clear(i)
	}
}

// enlist puts a reader that may be claimed into the list where it belongs.
func (g *Engine) enlist(r *Reader) {
	if r.place.after != nil || len(r.claims) >= r.conc {
		return
	}
	l := r.lane
	l.settle(g.end)
	in := &l.idle
	if r.next < g.end {
		in = &l.ready
		g.ready++
	} else {
		l.idleAt = g.end
		g.idle++
	}
	if r.pull == nil {
		if !l.ready.empty() || in == &l.ready {
			g.lanes.ready.set(l.index)
		}
		if in == &l.idle {
			g.lanes.idle.set(l.index)
		}
	}
	p := &r.place
	p.r, p.before, p.after = r, in.before, in
	p.before.after, p.after.before = p, p
}

// unlist takes a reader out of the list that it is in, if any.
func (g *Engine) unlist(r *Reader) {
	p := &r.place
	if p.after == nil {
		return
	}
	if r.next < g.end {
		g.ready--
	} else {
		g.idle--
	}
	p.before.after, p.after.before = p.after, p.before
	p.before, p.after = nil, nil
}

// wakeAll notes that every idle reader is ready now.
func (g *Engine) wakeAll() {
	g.lanes.woken = true
	g.ready += g.idle
	g.idle = 0
	if g.lingers {
		g.news.Store(true)
	}
}

// fairly: of so many readers that workers take one is the next in turn,
// whatever its priority. So a listener of high priority that always has work
// does not starve the others, not even under MaxWorkers(1).
const fairly = 16

// take returns the first ready reader, out of its list, or nil.
func (g *Engine) take() *Reader {
	g.callLoops()
	if g.ready == 0 {
		return nil
	}
	ls := &g.lanes
	if ls.woken {
		ls.woken = false
		for w, idle := range ls.idle {
			ls.ready[w] |= idle
		}
	}
	from := 0
	ls.turn++
	if fair := ls.turn%fairly == 0 && len(ls.all) > 1; fair {
		from = ls.next
	}
	for range 2 {
		for i := ls.ready.first(from); i >= 0; i = ls.ready.first(i) {
			if r := g.takeFrom(ls.all[i]); r != nil {
				if from > 0 || ls.turn%fairly == 0 {
					ls.next = i + 1
				}
				return r
			}
			ls.ready.clear(i)
		}
		if from == 0 {
			break
		}
		from = 0
	}
	return nil
}

// takeFrom returns the first ready reader of a lane, out of its list, or nil.
func (g *Engine) takeFrom(l *lane) *Reader {
	l.settle(g.end)
	if l.idle.empty() {
		g.lanes.idle.clear(l.index)
	}
	if l.ready.empty() {
		return nil
	}
	r := l.ready.after.r
	g.unlist(r)
	return r
}

// callLoops wakes the loops and pumps that have something to claim, which they do
// themselves. That is work for a worker, so that Emit does not pay for it; but
// if MaxWorkers has none left, they do not wait for one.
func (g *Engine) callLoops() {
	l := &g.loops
	l.settle(g.end)
	for !l.ready.empty() {
		r := l.ready.after.r
		g.unlist(r)
		g.call(r)
		r.pull.wake()
	}
}

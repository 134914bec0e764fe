package signals

// lane holds the listed readers of one priority: two rings, each with a
// sentinel, so that a reader leaves its list without knowing which it is in.
type lane[T any] struct {
	priority    int
	members     int // readers of this priority
	ready, idle reader[T]
}

func (l *lane[T]) init() *lane[T] {
	l.ready.before, l.ready.after = &l.ready, &l.ready
	l.idle.before, l.idle.after = &l.idle, &l.idle
	return l
}

// join puts a reader into the lane of its priority, or that of the Events
// loops.
func (g *engine[T]) join(r *reader[T], priority int) {
	if r.pull != nil {
		r.lane = &g.loops
		return
	}
	i := 0
	for i < len(g.lanes) && g.lanes[i].priority > priority {
		i++
	}
	if i == len(g.lanes) || g.lanes[i].priority != priority {
		l := (&lane[T]{priority: priority}).init()
		g.lanes = append(g.lanes, nil)
		copy(g.lanes[i+1:], g.lanes[i:])
		g.lanes[i] = l
	}
	r.lane = g.lanes[i]
	r.lane.members++
}

// leave takes a reader out of its lane.
func (g *engine[T]) leave(r *reader[T]) {
	if r.pull != nil {
		return
	}
	if r.lane.members--; r.lane.members > 0 {
		return
	}
	for i, l := range g.lanes {
		if l == r.lane {
			g.lanes = append(g.lanes[:i], g.lanes[i+1:]...)
			return
		}
	}
}

// enlist puts a reader that may be claimed into the list where it belongs.
func (g *engine[T]) enlist(r *reader[T]) {
	if r.after != nil || len(r.claims) >= r.conc {
		return
	}
	ring := &r.lane.idle
	if r.next < g.end {
		ring = &r.lane.ready
		g.ready++
	} else {
		g.idle++
	}
	r.before, r.after = ring.before, ring
	r.before.after, r.after.before = r, r
}

// unlist takes a reader out of the list that it is in, if any.
func (g *engine[T]) unlist(r *reader[T]) {
	if r.after == nil {
		return
	}
	if r.next < g.end {
		g.ready--
	} else {
		g.idle--
	}
	r.before.after, r.after.before = r.after, r.before
	r.before, r.after = nil, nil
}

// wakeAll makes every idle reader ready.
func (g *engine[T]) wakeAll() {
	for _, l := range g.lanes {
		l.wake()
	}
	g.loops.wake()
	g.ready += g.idle
	g.idle = 0
	if g.lingers {
		g.news.Store(true)
	}
}

func (l *lane[T]) wake() {
	if first, last := l.idle.after, l.idle.before; first != &l.idle {
		l.idle.before, l.idle.after = &l.idle, &l.idle
		first.before, last.after = l.ready.before, &l.ready
		first.before.after, last.after.before = first, last
	}
}

// take returns the first ready reader, out of its list, or nil.
func (g *engine[T]) take() *reader[T] {
	g.callLoops()
	for _, l := range g.lanes {
		if r := l.ready.after; r != &l.ready {
			g.unlist(r)
			return r
		}
	}
	return nil
}

// callLoops wakes the Events loops that have something to claim, which they do
// themselves. That is work for a worker, so that Emit does not pay for it; but
// if MaxWorkers has none left, they do not wait for one.
func (g *engine[T]) callLoops() {
	for r := g.loops.ready.after; r != &g.loops.ready; r = g.loops.ready.after {
		g.unlist(r)
		g.call(r)
		wake(r.pull)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has been told already
	}
}

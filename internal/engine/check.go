package engine

import "fmt"

// Check looks whether lists, cursors, claims, dues, waits and barriers agree.
// It is for tests, which call it after every step.
func (g *Engine) Check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, check := range []func() error{g.checkReaders, g.checkLists, g.checkChunks, g.checkWaits} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (g *Engine) checkReaders() error {
	claims := 0
	for at, rs := range [2][]*Reader{g.readers, g.leaving} {
		for i, r := range rs {
			claims += len(r.claims)
			left := at == 1
			switch {
			case r.index != i:
				return fmt.Errorf("reader %d of list %d has index %d", i, at, r.index)
			case left != r.gone() || left == r.attached:
				return fmt.Errorf("reader %d of list %d: gone %v, attached %v", i, at, r.gone(), r.attached)
			case left && len(r.claims) == 0:
				return fmt.Errorf("reader %d has left, and has no claim", i)
			case len(r.claims) > r.conc:
				return fmt.Errorf("reader %d has %d claims of %d", i, len(r.claims), r.conc)
			case r.next > g.end || !left && r.done > r.next:
				return fmt.Errorf("reader %d: done %d, next %d, end %d", i, r.done, r.next, g.end)
			}
			for _, c := range r.claims {
				if c.from >= c.to && !left || !left && c.to > r.next || c.from < c.c.base || c.to > c.c.base+uint64(c.c.n) {
					return fmt.Errorf("reader %d claims %d to %d of the chunk at %d; its cursor is %d", i, c.from, c.to, c.c.base, r.next)
				}
				if !left && c.from < r.done {
					return fmt.Errorf("reader %d is done before %d, and claims %d", i, r.done, c.from)
				}
			}
		}
	}
	for i, r := range g.bounded {
		if r.bound != i || r.maxLag == 0 || !r.attached {
			return fmt.Errorf("bounded reader %d: index %d, MaxLag %d, attached %v", i, r.bound, r.maxLag, r.attached)
		}
	}
	if claims != g.claims {
		return fmt.Errorf("%d claims, counted %d", claims, g.claims)
	}
	return nil
}

func (g *Engine) checkLists() error {
	ready, idle, called := 0, 0, 0
	members := make(map[*lane]int)
	for i, r := range g.readers {
		members[r.lane]++
		listed := r.place.after != nil
		switch {
		case listed && r.next < g.end:
			ready++
		case listed:
			idle++
		case r.pull == nil && len(r.claims) < r.conc:
			return fmt.Errorf("reader %d is in no list, and has %d claims of %d", i, len(r.claims), r.conc)
		}
		if r.called {
			called++
		}
	}
	if ready != g.ready || idle != g.idle || called != g.called {
		return fmt.Errorf("%d ready, %d idle, %d called; counted %d, %d, %d", ready, idle, called, g.ready, g.idle, g.called)
	}
	for i, l := range g.lanes.all {
		if l.index != i || l.members != members[l] || l.members == 0 || i > 0 && g.lanes.all[i-1].priority <= l.priority {
			return fmt.Errorf("lane %d: index %d, %d members of %d, priority %d", i, l.index, l.members, members[l], l.priority)
		}
		if !l.ready.empty() && !g.lanes.ready.has(i) {
			return fmt.Errorf("lane %d has a ready reader, and no bit", i)
		}
		if !l.idle.empty() && !g.lanes.idle.has(i) {
			return fmt.Errorf("lane %d has an idle reader, and no bit", i)
		}
		if !l.idle.empty() && l.idleAt != g.end && !g.lanes.ready.has(i) && !g.lanes.woken {
			return fmt.Errorf("lane %d has readers that an emission made ready, and nobody will come by", i)
		}
	}
	if g.spare < 0 || g.workers < g.spare {
		return fmt.Errorf("%d workers, %d spare", g.workers, g.spare)
	}
	return nil
}

func (g *Engine) checkChunks() error {
	cursors, claims := make(map[*chunk]int), make(map[*chunk]int)
	for _, rs := range [2][]*Reader{g.readers, g.leaving} {
		for _, r := range rs {
			if r.at != nil {
				cursors[r.at]++
			}
			for _, c := range r.claims {
				claims[c.c]++
			}
		}
	}
	var last *chunk
	for c := g.head; c != nil; c = c.next {
		if c.cursors != cursors[c] || c.claims != claims[c] || c.off {
			return fmt.Errorf("chunk at %d: %d cursors, %d claims, off %v; counted %d and %d", c.base, cursors[c], claims[c], c.off, c.cursors, c.claims)
		}
		if last != nil && last.base+uint64(last.n) != c.base {
			return fmt.Errorf("the chunk behind %d+%d begins at %d", last.base, last.n, c.base)
		}
		delete(cursors, c)
		delete(claims, c)
		last = c
	}
	if g.clean > g.kept() {
		return fmt.Errorf("clean before %d, and retained from %d", g.clean, g.kept())
	}
	if from := g.kept(); from < g.end { // all of it must be there
		if g.head == nil || g.head.base > from {
			return fmt.Errorf("retained from %d, and the log begins behind", from)
		}
		for c := g.head; c != nil; c = c.next {
			for p := max(from, c.base); p < min(g.end, c.base+uint64(c.n)); p++ {
				if c.slots == nil || contextOf(g.slot(c, p)) == nil {
					return fmt.Errorf("position %d is retained, and empty", p)
				}
			}
		}
	}
	if last != g.tail {
		return fmt.Errorf("the tail is not the last chunk")
	}
	if len(cursors) > 0 {
		return fmt.Errorf("%d chunks with a cursor are not in the log", len(cursors))
	}
	for c, n := range claims {
		if !c.off || c.claims != n {
			return fmt.Errorf("the chunk at %d has left the log with %d claims; counted %d, off %v", c.base, n, c.claims, c.off)
		}
	}
	return nil
}

func (g *Engine) checkWaits() error {
	for i, b := range g.barriers {
		left := 0
		for _, rs := range [2][]*Reader{g.readers, g.leaving} {
			for _, r := range rs {
				if r.done < b.pos {
					left++
				}
			}
		}
		if b.left != left || left == 0 || i > 0 && g.barriers[i-1].pos > b.pos {
			return fmt.Errorf("barrier %d at %d waits for %d readers, counted %d", i, b.pos, left, b.left)
		}
	}
	waiters, pending := make(map[*Waiter]bool), 0
	seen := func(c *chunk) {
		for _, d := range c.dues {
			if d.wait != nil {
				waiters[d.wait] = true
			}
			if d.left > 0 {
				pending++
			}
		}
	}
	off := make(map[*chunk]bool)
	for c := g.head; c != nil; c = c.next {
		seen(c)
	}
	for _, rs := range [2][]*Reader{g.readers, g.leaving} {
		for _, r := range rs {
			for _, c := range r.claims {
				if c.c.off && !off[c.c] {
					off[c.c] = true
					seen(c.c)
				}
			}
		}
	}
	if len(waiters) != g.waits {
		return fmt.Errorf("%d EmitWaits, counted %d", len(waiters), g.waits)
	}
	if g.capacity > 0 && (pending != g.pending || g.queue.Len() > 0 && g.pending < g.capacity && len(g.readers) > 0) {
		return fmt.Errorf("%d pending, counted %d; %d wait for room for %d", pending, g.pending, g.queue.Len(), g.capacity)
	}
	return nil
}

package inspector

import (
	"cmp"
	"slices"
)

// The layout of the wiring graph: columns from left to right in the direction
// of emissions, each node right of what leads to it but for cycles; within the
// columns an order with few crossings; then places near the neighbours.

const (
	nodeWidth  = 184.0
	nodeHeight = 48.0
	columnGap  = 60.0
	rowGap     = 14.0
	bendHeight = 10.0 // of the bend of an edge that passes a column
	margin     = 20.0
	sweeps     = 8
)

// place is a node in the layout, or a bend of an edge.
type place struct {
	node   int // index in Graph.Nodes; -1: a bend
	column int
	least  int     // the column that its type may not be left of
	x, y   float64 // its middle
	height float64
	in     []*place
	out    []*place
	rank   float64 // for sorting
}

// route is the way of one edge: from place to place, first and last are nodes.
type route struct {
	edge int
	via  []*place
	back bool // against the direction of the columns
}

// drawing is a graph with places.
type drawing struct {
	places        []*place // of the nodes, by index
	routes        []route
	columns       [][]*place
	width, height float64
}

func layout(g Graph) drawing {
	d := drawing{}
	index := make(map[string]int, len(g.Nodes))
	sites := slices.ContainsFunc(g.Nodes, func(n Node) bool { return n.Type == NodeCallSite })
	for i, n := range g.Nodes {
		index[n.ID] = i
		p := &place{node: i, height: nodeHeight}
		if sites {
			p.least = nodeOrder[n.Type]
		}
		p.column = p.least
		d.places = append(d.places, p)
	}
	for i, e := range g.Edges {
		from, ok := index[e.From]
		to, ok2 := index[e.To]
		if ok && ok2 {
			d.routes = append(d.routes, route{edge: i, via: []*place{d.places[from], d.places[to]}})
		}
	}
	d.breakCycles()
	d.assignColumns()
	d.bend()
	d.order()
	d.position()
	return d
}

// breakCycles marks the edges that lead back to a node from which one is on
// the way.
func (d *drawing) breakCycles() {
	leaving := make(map[*place][]*route)
	for i := range d.routes {
		r := &d.routes[i]
		leaving[r.via[0]] = append(leaving[r.via[0]], r)
	}
	const under, done = 1, 2
	state := make(map[*place]int)
	var visit func(p *place)
	visit = func(p *place) {
		state[p] = under
		for _, r := range leaving[p] {
			switch state[r.via[1]] {
			case under:
				r.back = true
			case 0:
				visit(r.via[1])
			}
		}
		state[p] = done
	}
	for _, p := range d.places {
		if state[p] == 0 {
			visit(p)
		}
	}
	for _, r := range d.routes {
		from, to := r.via[0], r.via[1]
		if r.back {
			from, to = to, from
		}
		if from != to {
			from.out, to.in = append(from.out, to), append(to.in, from)
		}
	}
}

// assignColumns puts each node behind everything that leads to it, and what
// nothing leads to right before the first that it leads to.
func (d *drawing) assignColumns() {
	waiting := make(map[*place]int)
	var free []*place
	for _, p := range d.places {
		if waiting[p] = len(p.in); len(p.in) == 0 {
			free = append(free, p)
		}
	}
	for len(free) > 0 {
		p := free[0]
		free = free[1:]
		for _, q := range p.out {
			q.column = max(q.column, p.column+1)
			if waiting[q]--; waiting[q] == 0 {
				free = append(free, q)
			}
		}
	}
	last := 0
	for _, p := range d.places {
		if len(p.in) == 0 && len(p.out) > 0 {
			first := p.out[0].column
			for _, q := range p.out {
				first = min(first, q.column)
			}
			p.column = max(p.least, first-1)
		}
		last = max(last, p.column)
	}
	d.columns = make([][]*place, last+1)
	for _, p := range d.places {
		d.columns[p.column] = append(d.columns[p.column], p)
	}
}

// bend gives the edges that pass columns a place in each of these.
func (d *drawing) bend() {
	for _, p := range d.places {
		p.in, p.out = nil, nil
	}
	for i := range d.routes {
		r := &d.routes[i]
		from, to := r.via[0], r.via[1]
		if r.back {
			from, to = to, from
		}
		via := []*place{from}
		for c := from.column + 1; c < to.column; c++ {
			p := &place{node: -1, column: c, height: bendHeight}
			d.columns[c] = append(d.columns[c], p)
			via = append(via, p)
		}
		if from != to {
			via = append(via, to)
		}
		for k := 1; k < len(via); k++ {
			via[k-1].out, via[k].in = append(via[k-1].out, via[k]), append(via[k].in, via[k-1])
		}
		if r.via = via; r.back {
			slices.Reverse(r.via)
		}
	}
}

// order sorts the columns by the middle of the neighbours, forth and back.
func (d *drawing) order() {
	index := func(column []*place) {
		for i, p := range column {
			p.y = float64(i)
		}
	}
	for _, c := range d.columns {
		index(c)
	}
	arrange := func(c []*place, neighbours func(*place) []*place) {
		for _, p := range c {
			p.rank = p.y
			if n := neighbours(p); len(n) > 0 {
				p.rank = mean(n)
			}
		}
		slices.SortStableFunc(c, func(a, b *place) int { return cmp.Compare(a.rank, b.rank) })
		index(c)
	}
	for range sweeps {
		for _, c := range d.columns[1:] {
			arrange(c, func(p *place) []*place { return p.in })
		}
		for k := len(d.columns) - 2; k >= 0; k-- {
			arrange(d.columns[k], func(p *place) []*place { return p.out })
		}
	}
}

func mean(ps []*place) float64 {
	sum := 0.0
	for _, p := range ps {
		sum += p.y
	}
	return sum / float64(len(ps))
}

// position gives each place its middle: near its neighbours', in order, and
// apart from each other.
func (d *drawing) position() {
	for k, c := range d.columns {
		y := 0.0
		for _, p := range c {
			p.x = margin + nodeWidth/2 + float64(k)*(nodeWidth+columnGap)
			p.y = y + p.height/2
			y += p.height + rowGap
		}
	}
	settle := func(c []*place, neighbours func(*place) []*place) {
		for _, p := range c {
			p.rank = p.y
			if n := neighbours(p); len(n) > 0 {
				p.rank = mean(n)
			}
		}
		spread(c)
	}
	for range sweeps {
		for _, c := range d.columns[1:] {
			settle(c, func(p *place) []*place { return p.in })
		}
		for k := len(d.columns) - 2; k >= 0; k-- {
			settle(d.columns[k], func(p *place) []*place { return p.out })
		}
	}
	top, bottom := 0.0, 0.0
	for i, c := range d.columns {
		for j, p := range c {
			if lo := p.y - p.height/2; i+j == 0 || lo < top {
				top = lo
			}
			if hi := p.y + p.height/2; i+j == 0 || hi > bottom {
				bottom = hi
			}
		}
	}
	for _, c := range d.columns {
		for _, p := range c {
			p.y += margin - top
		}
	}
	d.width = 2*margin + float64(len(d.columns))*(nodeWidth+columnGap) - columnGap
	d.height = bottom - top + 2*margin
}

// spread moves places to where they want to be (rank) as far as their order
// and their heights allow: neighbours that would overlap form a block, which
// goes to the mean of what its members want.
func spread(c []*place) {
	type block struct {
		from, to int     // places
		want     float64 // sum of what the members want of the first one
	}
	offset := make([]float64, len(c)) // of each place from the first one, all touching
	for i := 1; i < len(c); i++ {
		offset[i] = offset[i-1] + (c[i-1].height+c[i].height)/2 + rowGap
	}
	at := func(b block) float64 { return b.want / float64(b.to-b.from) }
	var blocks []block
	for i, p := range c {
		blocks = append(blocks, block{i, i + 1, p.rank - offset[i]})
		for n := len(blocks); n > 1 && at(blocks[n-2]) > at(blocks[n-1]); n-- {
			blocks[n-2].to = blocks[n-1].to
			blocks[n-2].want += blocks[n-1].want
			blocks = blocks[:n-1]
		}
	}
	for _, b := range blocks {
		for i := b.from; i < b.to; i++ {
			c[i].y = at(b) + offset[i]
		}
	}
}

package inspector

import (
	"slices"
	"unicode/utf8"
)

// The layout of the wiring graph: a signal is a box with its listeners as rows,
// code that emits a box of its own. Columns go from left to right in the
// direction of emissions, each box right of what leads to it but for cycles;
// within the columns the boxes have an order with few crossings (order.go), and
// then places near what they are joined to (position.go).

const (
	headHeight = 48.0
	rowHeight  = 38.0
	footHeight = 6.0 // below the last row
	columnGap  = 84.0
	rowGap     = 18.0 // between boxes
	bendHeight = 10.0 // of the bend of an edge that passes a column
	margin     = 20.0
	minWidth   = 170.0
	maxWidth   = 400.0
)

// place is a box in the layout, or a bend of an edge.
type place struct {
	node   int   // index in Graph.Nodes of what its head shows; -1: a bend
	rows   []int // nodes within it, below the head
	column int
	least  int     // the column that its type may not be left of
	x, y   float64 // its middle
	width  float64
	height float64
	in     []port
	out    []port
	rank   float64 // for sorting
	index  int     // in its column
}

// port is one end of an edge: how far it is below the middle of the place, and
// the other end.
type port struct {
	at    float64
	to    *place
	there float64 // the other end's at
}

// end is where an edge begins or ends.
type end struct {
	p  *place
	at float64 // below its middle
}

// route is the way of one edge, from left to right.
type route struct {
	edge     int
	from, to end
	via      []*place // from the left place to the right one
	back     bool     // to is left of from
	self     bool     // they are the same place
}

// drawing is a graph with places.
type drawing struct {
	places        []*place // boxes
	homes         map[string]end
	index         map[string]int // of the nodes
	routes        []route
	columns       [][]*place
	width, height float64
}

func layout(g Graph) drawing {
	d := drawing{homes: make(map[string]end, len(g.Nodes)), index: make(map[string]int, len(g.Nodes))}
	for i, n := range g.Nodes {
		d.index[n.ID] = i
	}
	d.boxes(g)
	for i, e := range g.Edges {
		from, ok := d.homes[e.From]
		to, ok2 := d.homes[e.To]
		if !ok || !ok2 || from.p == to.p && slices.Contains(to.p.rows, d.index[e.To]) && d.index[e.From] == from.p.node {
			continue // what joins a signal with its own rows is the box
		}
		d.routes = append(d.routes, route{edge: i, from: from, to: to, self: from.p == to.p})
	}
	d.breakCycles()
	d.assignColumns()
	d.bend()
	d.order()
	d.position()
	return d
}

// boxes makes the boxes: listeners are rows of the signal that leads to them.
func (d *drawing) boxes(g Graph) {
	within := make(map[int]int) // of a listener: its signal
	for _, e := range g.Edges {
		from, ok := d.index[e.From]
		to, ok2 := d.index[e.To]
		if _, has := within[to]; ok && ok2 && !has && g.Nodes[from].Type == NodeSignal && (g.Nodes[to].Type == NodeListener || g.Nodes[to].Type == NodeMore) {
			within[to] = from
		}
	}
	sites := slices.ContainsFunc(g.Nodes, func(n Node) bool { return n.Type == NodeCallSite })
	boxOf := make(map[int]*place)
	for i, n := range g.Nodes {
		if _, row := within[i]; row {
			continue
		}
		p := &place{node: i, height: headHeight, width: headWidth(n)}
		if sites && n.Type != NodeCallSite && n.Type != NodeBridge {
			p.least = 1
		}
		p.column = p.least
		boxOf[i] = p
		d.places = append(d.places, p)
	}
	for i, n := range g.Nodes {
		if s, row := within[i]; row {
			p := boxOf[s]
			p.rows = append(p.rows, i)
			p.width = max(p.width, rowWidth(n))
		}
	}
	for _, p := range d.places {
		if len(p.rows) > 0 {
			p.height = headHeight + rowHeight*float64(len(p.rows)) + footHeight
		}
		p.width = min(max(p.width, minWidth), maxWidth)
		d.homes[g.Nodes[p.node].ID] = end{p, p.headAt()}
		for k, row := range p.rows {
			d.homes[g.Nodes[row].ID] = end{p, p.rowAt(k)}
		}
	}
}

func (p *place) headAt() float64     { return headHeight/2 - p.height/2 }
func (p *place) rowAt(k int) float64 { return headHeight + (float64(k)+0.5)*rowHeight - p.height/2 }

// Letters are about so wide, in the sizes that the drawing uses.
const (
	labelLetter = 7.6
	smallLetter = 6.1
)

func headWidth(n Node) float64 {
	rate := float64(utf8.RuneCountInString(n.rate()))
	return 40 + max(labelLetter*float64(utf8.RuneCountInString(n.Label))+smallLetter*(rate+2), smallLetter*float64(utf8.RuneCountInString(n.second())))
}

func rowWidth(n Node) float64 { return headWidth(n) + 4 }

// breakCycles marks the edges that lead back to a box from which one is on the
// way.
func (d *drawing) breakCycles() {
	leaving := make(map[*place][]*route)
	for i := range d.routes {
		r := &d.routes[i]
		if !r.self {
			leaving[r.from.p] = append(leaving[r.from.p], r)
		}
	}
	const under, done = 1, 2
	state := make(map[*place]int)
	var visit func(p *place)
	visit = func(p *place) {
		state[p] = under
		for _, r := range leaving[p] {
			switch state[r.to.p] {
			case under:
				r.back = true
			case 0:
				visit(r.to.p)
			}
		}
		state[p] = done
	}
	for _, p := range d.places {
		if state[p] == 0 {
			visit(p)
		}
	}
}

// ends returns the left and the right end of a route.
func (r *route) ends() (left, right end) {
	if r.back {
		return r.to, r.from
	}
	return r.from, r.to
}

// assignColumns puts each box behind everything that leads to it, and what
// nothing leads to right before the first that it leads to.
func (d *drawing) assignColumns() {
	next := make(map[*place][]*place)
	waiting := make(map[*place]int)
	for i := range d.routes {
		if l, r := d.routes[i].ends(); l.p != r.p {
			next[l.p] = append(next[l.p], r.p)
			waiting[r.p]++
		}
	}
	first := make(map[*place]bool)
	var free []*place
	for _, p := range d.places {
		if waiting[p] == 0 {
			first[p] = true
			free = append(free, p)
		}
	}
	for len(free) > 0 {
		p := free[0]
		free = free[1:]
		for _, q := range next[p] {
			q.column = max(q.column, p.column+1)
			if waiting[q]--; waiting[q] == 0 {
				free = append(free, q)
			}
		}
	}
	last := 0
	for _, p := range d.places {
		if first[p] && len(next[p]) > 0 {
			least := next[p][0].column
			for _, q := range next[p] {
				least = min(least, q.column)
			}
			p.column = max(p.least, least-1)
		}
		last = max(last, p.column)
	}
	d.columns = make([][]*place, last+1)
	for _, p := range d.places {
		d.columns[p.column] = append(d.columns[p.column], p)
	}
}

// bend gives the edges that pass columns a place in each of these, and all
// places their ports.
func (d *drawing) bend() {
	for i := range d.routes {
		r := &d.routes[i]
		left, right := r.ends()
		r.via = []*place{left.p}
		if r.self {
			continue
		}
		from := left
		for c := left.p.column + 1; c <= right.p.column; c++ {
			to := right
			if c < right.p.column {
				to = end{&place{node: -1, column: c, height: bendHeight}, 0}
				d.columns[c] = append(d.columns[c], to.p)
			}
			from.p.out = append(from.p.out, port{from.at, to.p, to.at})
			to.p.in = append(to.p.in, port{to.at, from.p, from.at})
			r.via = append(r.via, to.p)
			from = to
		}
	}
}

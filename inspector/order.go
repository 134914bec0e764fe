package inspector

import (
	"cmp"
	"slices"
)

const sweeps = 12

// order sorts the columns so that few edges cross: by the middle of what the
// places are joined to, forth and back, and then by swapping neighbours as long
// as that helps (the barycenter and transpose steps of Gansner et al., "A
// Technique for Drawing Directed Graphs", 1993). The best order seen stays.
func (d *drawing) order() {
	for _, c := range d.columns {
		renumber(c)
	}
	best, least := d.keep(), d.crossings()
	for range sweeps {
		if least == 0 {
			break
		}
		for _, c := range d.columns[1:] {
			arrange(c, func(p *place) []port { return p.in })
		}
		for k := len(d.columns) - 2; k >= 0; k-- {
			arrange(d.columns[k], func(p *place) []port { return p.out })
		}
		d.transpose()
		if n := d.crossings(); n < least {
			best, least = d.keep(), n
		}
	}
	d.columns = best
	for _, c := range d.columns {
		renumber(c)
	}
}

func (d *drawing) keep() [][]*place {
	kept := make([][]*place, len(d.columns))
	for k, c := range d.columns {
		kept[k] = slices.Clone(c)
	}
	return kept
}

func renumber(column []*place) {
	for i, p := range column {
		p.index = i
	}
}

// spot is where a port is in the order: its place, and its height within that.
func spot(p *place, at float64) float64 { return float64(p.index) + at/p.height }

func arrange(c []*place, side func(*place) []port) {
	for _, p := range c {
		p.rank = float64(p.index)
		if ports := side(p); len(ports) > 0 {
			p.rank = 0
			for _, q := range ports {
				p.rank += spot(q.to, q.there)
			}
			p.rank /= float64(len(ports))
		}
	}
	slices.SortStableFunc(c, func(a, b *place) int { return cmp.Compare(a.rank, b.rank) })
	renumber(c)
}

// transpose swaps neighbours that have fewer crossings the other way round.
func (d *drawing) transpose() {
	for range sweeps {
		better := false
		for _, c := range d.columns {
			for i := 1; i < len(c); i++ {
				a, b := c[i-1], c[i]
				if crossing(b.in, a.in)+crossing(b.out, a.out) < crossing(a.in, b.in)+crossing(a.out, b.out) {
					c[i-1], c[i] = b, a
					a.index, b.index = i, i-1
					better = true
				}
			}
		}
		if !better {
			return
		}
	}
}

// crossing counts the edges that cross if the place with the ports a is above
// the one with b.
func crossing(a, b []port) (n int) {
	for _, p := range a {
		for _, q := range b {
			if spot(p.to, p.there) > spot(q.to, q.there) {
				n++
			}
		}
	}
	return n
}

// crossings counts those between all columns.
func (d *drawing) crossings() (n int) {
	type line struct{ from, to float64 }
	for _, c := range d.columns[:len(d.columns)-1] {
		var lines []line
		for _, p := range c {
			for _, q := range p.out {
				lines = append(lines, line{spot(p, q.at), spot(q.to, q.there)})
			}
		}
		slices.SortFunc(lines, func(a, b line) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
		ends := make([]float64, len(lines))
		for k, l := range lines {
			ends[k] = l.to
		}
		n += inversions(ends)
	}
	return n
}

// inversions counts the pairs that are in the wrong order, and sorts.
func inversions(v []float64) (n int) {
	if len(v) < 2 {
		return 0
	}
	left, right := slices.Clone(v[:len(v)/2]), slices.Clone(v[len(v)/2:])
	n = inversions(left) + inversions(right)
	for k := range v {
		switch {
		case len(left) > 0 && (len(right) == 0 || left[0] <= right[0]):
			v[k], left = left[0], left[1:]
		default:
			v[k], right = right[0], right[1:]
			n += len(left)
		}
	}
	return n
}

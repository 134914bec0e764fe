package inspector

// position gives each place its middle: near what it is joined to, in order,
// and apart from each other.
func (d *drawing) position() {
	x := margin
	for _, c := range d.columns {
		width, y := 0.0, 0.0
		for _, p := range c {
			width = max(width, p.width)
		}
		for _, p := range c {
			p.width = max(width, minWidth) // bends pass the whole column
			p.x = x + p.width/2
			p.y = y + p.height/2
			y += p.height + rowGap
		}
		x += max(width, minWidth) + columnGap
	}
	settle := func(c []*place, side func(*place) []port) {
		for _, p := range c {
			p.rank = p.y
			if ports := side(p); len(ports) > 0 {
				p.rank = 0
				for _, q := range ports {
					p.rank += q.to.y + q.there - q.at
				}
				p.rank /= float64(len(ports))
			}
		}
		spread(c)
	}
	for range sweeps {
		for _, c := range d.columns[1:] {
			settle(c, func(p *place) []port { return p.in })
		}
		for k := len(d.columns) - 2; k >= 0; k-- {
			settle(d.columns[k], func(p *place) []port { return p.out })
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
	d.width = x - columnGap + margin
	for _, r := range d.routes {
		if r.self && r.via[0].column == len(d.columns)-1 {
			d.width = max(d.width, x-columnGap+loop+margin)
		}
	}
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

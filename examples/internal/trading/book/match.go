package book

// First returns the order that would trade next on a side.
func (b *Book) First(side Side) (Order, bool) {
	rungs := b.rungs[side]
	if len(rungs) == 0 {
		return Order{}, false
	}
	o := &b.set.orders[b.set.levels[rungs[len(rungs)-1].level].first]
	return Order{o.ref, rungs[len(rungs)-1].price, o.shares}, true
}

// Match executes an incoming order against the other side of the book, best
// price first and first come first served, as long as the price is as good as
// limit, and calls fill for each execution. It returns what is left: then no
// order on the other side is as good as limit. This is what an exchange does,
// and so what makes a feed.
func (b *Book) Match(side Side, limit, shares uint32, fill func(maker Order, shares uint32)) (left uint32) {
	other := side.Opposite()
	for shares > 0 {
		maker, ok := b.First(other)
		if !ok || other.better(limit, maker.Price) {
			break
		}
		n := min(shares, maker.Shares)
		fill(maker, n)
		_, _ = b.set.Reduce(b.locate, maker.Ref, n) // it is there, and has as many
		shares -= n
	}
	return shares
}

// Take is Match for an order that the feed does not know of: it leaves the book
// as it is, and only notes which shares it took, so that nobody takes them
// again. It calls fill for each price.
func (b *Book) Take(side Side, limit, shares uint32, fill func(price, shares uint32)) (left uint32) {
	other := side.Opposite()
	rungs := b.rungs[other]
	for i := len(rungs) - 1; i >= 0 && shares > 0 && !other.better(limit, rungs[i].price); i-- {
		var sum uint32
		for at := b.set.levels[rungs[i].level].first; at != none && sum < shares; at = b.set.orders[at].after {
			o := &b.set.orders[at]
			n := min(shares-sum, o.shares-o.taken)
			o.taken += n
			sum += n
		}
		if sum > 0 {
			fill(rungs[i].price, sum)
			shares -= sum
		}
	}
	return shares
}

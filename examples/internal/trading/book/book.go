// Package book holds order books: for each stock and side the price levels, and
// on each level the orders in the order of their arrival. A set of books
// allocates nothing once it has seen its largest number of orders.
package book

import (
	"slices"
	"sort"
)

// Side is a side of a book.
type Side uint8

// The two sides.
const (
	Bid Side = iota
	Ask
)

// String is bid or ask.
func (s Side) String() string {
	if s == Bid {
		return "bid"
	}
	return "ask"
}

// Opposite is the other side.
func (s Side) Opposite() Side { return 1 - s }

// Top is the best price of each side, with the shares that are there at that
// price; a side without orders has neither.
type Top struct {
	BidPrice, AskPrice   uint32 // in 1/10,000
	BidShares, AskShares uint64
}

// Mid is the middle between best bid and best offer, or 0 if one is missing.
func (t Top) Mid() uint32 {
	if t.BidShares == 0 || t.AskShares == 0 {
		return 0
	}
	return uint32((uint64(t.BidPrice) + uint64(t.AskPrice)) / 2)
}

// Crossed reports whether somebody bids at least what somebody else asks.
func (t Top) Crossed() bool {
	return t.BidShares > 0 && t.AskShares > 0 && t.BidPrice >= t.AskPrice
}

// Level is one price of one side.
type Level struct {
	Price  uint32
	Orders int
	Shares uint64
}

// Order is one order in a book.
type Order struct {
	Ref    uint64
	Price  uint32
	Shares uint32
}

// Book is the book of one stock, and belongs to a set.
type Book struct {
	set    *Set
	locate uint16
	rungs  [2][]rung // the best price last, where most of what happens happens
	orders [2]int
	shares [2]uint64
	last   Top // the one that Changed has returned last
}

// rung is a price and where its level is.
type rung struct {
	price uint32
	level int32
}

// level is a queue of orders with one price, the first first.
type level struct {
	shares      uint64
	price       uint32
	orders      int32
	first, last int32 // places of orders, or none
	locate      uint16
	side        Side
}

// order is an order and its neighbours in the queue: half a cache line.
type order struct {
	ref           uint64
	shares        uint32
	taken         uint32 // of shares, by Take
	before, after int32  // places of orders, or none
	level         int32
	locate        uint16
	_             uint16
}

const none = -1

// Locate is the number of the stock.
func (b *Book) Locate() uint16 { return b.locate }

// Top is the best price of each side.
func (b *Book) Top() (t Top) {
	if r := b.rungs[Bid]; len(r) > 0 {
		t.BidPrice, t.BidShares = r[len(r)-1].price, b.set.levels[r[len(r)-1].level].shares
	}
	if r := b.rungs[Ask]; len(r) > 0 {
		t.AskPrice, t.AskShares = r[len(r)-1].price, b.set.levels[r[len(r)-1].level].shares
	}
	return t
}

// Changed returns the top, and whether it is another one than when Changed was
// called before.
func (b *Book) Changed() (Top, bool) {
	t := b.Top()
	if t == b.last {
		return t, false
	}
	b.last = t
	return t, true
}

// Total counts the orders and shares of a side.
func (b *Book) Total(side Side) (orders int, shares uint64) { return b.orders[side], b.shares[side] }

// Depth appends the best n levels of a side.
func (b *Book) Depth(to []Level, side Side, n int) []Level {
	rungs := b.rungs[side]
	for i := len(rungs) - 1; i >= 0 && n > 0; i, n = i-1, n-1 {
		l := &b.set.levels[rungs[i].level]
		to = append(to, Level{rungs[i].price, int(l.orders), l.shares})
	}
	return to
}

// Orders calls yield for each order of a side, in the order in which they would
// trade, until it returns false.
func (b *Book) Orders(side Side, yield func(Order) bool) {
	rungs := b.rungs[side]
	for _, rung := range slices.Backward(rungs) {
		for at := b.set.levels[rung.level].first; at != none; at = b.set.orders[at].after {
			if o := &b.set.orders[at]; !yield(Order{o.ref, rung.price, o.shares}) {
				return
			}
		}
	}
}

// better reports whether a price comes before another one on a side.
func (s Side) better(price, other uint32) bool {
	if s == Bid {
		return price > other
	}
	return price < other
}

// find returns where the rung of a price is, or where it would have to be.
func (b *Book) find(side Side, price uint32) (int, bool) {
	rungs := b.rungs[side]
	i := len(rungs)
	for near := max(i-8, 0); i > near; i-- {
		if at := rungs[i-1].price; at == price {
			return i - 1, true
		} else if side.better(price, at) {
			return i, false
		}
	}
	i = sort.Search(i, func(i int) bool { return !side.better(price, rungs[i].price) })
	return i, i < len(rungs) && rungs[i].price == price
}

// join puts an order at the end of the queue of its price.
func (b *Book) join(at int32, side Side, price uint32) {
	set := b.set
	i, found := b.find(side, price)
	if !found {
		rungs := append(b.rungs[side], rung{})
		copy(rungs[i+1:], rungs[i:])
		rungs[i] = rung{price, set.newLevel(level{price: price, first: none, last: none, locate: b.locate, side: side})}
		b.rungs[side] = rungs
	}
	o := &set.orders[at]
	o.level = b.rungs[side][i].level
	l := &set.levels[o.level]
	o.before, o.after = l.last, none
	if l.last == none {
		l.first = at
	} else {
		set.orders[l.last].after = at
	}
	l.last = at
	l.orders++
	l.shares += uint64(o.shares)
	b.orders[side]++
	b.shares[side] += uint64(o.shares)
}

// leave takes an order out of its queue, with what shares it has left.
func (b *Book) leave(o *order, l *level) {
	set := b.set
	l.shares -= uint64(o.shares)
	b.shares[l.side] -= uint64(o.shares)
	b.orders[l.side]--
	if l.orders--; l.orders == 0 {
		set.freeLevels = append(set.freeLevels, o.level)
		i, _ := b.find(l.side, l.price)
		rungs := b.rungs[l.side]
		b.rungs[l.side] = append(rungs[:i], rungs[i+1:]...)
		return
	}
	if o.before == none {
		l.first = o.after
	} else {
		set.orders[o.before].after = o.after
	}
	if o.after == none {
		l.last = o.before
	} else {
		set.orders[o.after].before = o.before
	}
}

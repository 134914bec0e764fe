package book

import "errors"

// What is wrong with a change to a set.
var (
	ErrUnknown   = errors.New("book: no such order")
	ErrDuplicate = errors.New("book: there is an order with this reference already")
	ErrTooMany   = errors.New("book: the order has fewer shares than that")
	ErrNoShares  = errors.New("book: an order without shares")
)

// Set is the books of many stocks. An order is found by the number of its stock and
// its reference: feeds give a reference once a day, but where one does not, or names
// an order under another stock, no book depends on which others are in its set. One
// goroutine at a time may use it.
type Set struct {
	index      index
	orders     []order
	freeOrders []int32
	levels     []level
	freeLevels []int32
	books      [1 << 16]*Book // by locate
	inUse      []*Book        // those that are
}

// NewSet makes an empty set, with room for that many orders before it grows.
func NewSet(orders int) *Set {
	s := &Set{orders: make([]order, 0, orders), freeOrders: make([]int32, 0, orders)}
	s.index.init(orders)
	return s
}

// Book returns the book of a stock, an empty one if it is new.
func (s *Set) Book(locate uint16) *Book {
	if b := s.books[locate]; b != nil {
		return b
	}
	b := &Book{set: s, locate: locate}
	s.books[locate] = b
	s.inUse = append(s.inUse, b)
	return b
}

// Books are those of the set, in no order.
func (s *Set) Books() []*Book { return s.inUse }

// Len is the number of orders.
func (s *Set) Len() int { return s.index.used }

// Change is what a change has done.
type Change struct {
	Book   *Book
	Side   Side
	Price  uint32 // of the order
	Shares uint32 // added, or taken off
}

// Add puts an order at the end of the queue of its price. The error is
// ErrDuplicate, or ErrNoShares.
func (s *Set) Add(locate uint16, ref uint64, side Side, price, shares uint32) (Change, error) {
	if shares == 0 {
		return Change{}, ErrNoShares
	}
	if s.index.get(locate, ref, s.orders) != none {
		return Change{}, ErrDuplicate
	}
	b := s.Book(locate)
	at := s.newOrder()
	s.orders[at] = order{ref: ref, shares: shares, locate: locate}
	s.index.put(ref, at)
	b.join(at, side, price)
	return Change{b, side, price, shares}, nil
}

// Reduce takes shares off an order; one without any leaves the book. The error
// is ErrUnknown; or ErrTooMany, and then the order has left.
func (s *Set) Reduce(locate uint16, ref uint64, shares uint32) (Change, error) {
	at := s.index.get(locate, ref, s.orders)
	if at == none {
		return Change{}, ErrUnknown
	}
	o := &s.orders[at]
	if shares >= o.shares {
		var err error
		if shares > o.shares {
			err = ErrTooMany
		}
		return s.drop(at), err
	}
	l := &s.levels[o.level]
	b := s.books[l.locate]
	o.shares -= shares
	o.taken = min(o.taken, o.shares)
	l.shares -= uint64(shares)
	b.shares[l.side] -= uint64(shares)
	return Change{b, l.side, l.price, shares}, nil
}

// Delete takes an order off the book. The error is ErrUnknown.
func (s *Set) Delete(locate uint16, ref uint64) (Change, error) {
	at := s.index.get(locate, ref, s.orders)
	if at == none {
		return Change{}, ErrUnknown
	}
	return s.drop(at), nil
}

// Replace puts a new order of the same stock and side in the place of an old
// one, at the end of the queue of its price. What Take took of the old one it has
// taken of the new one. The error is ErrUnknown; or ErrDuplicate or ErrNoShares, and
// then the old order has left and no new one has come.
func (s *Set) Replace(locate uint16, ref, newRef uint64, price, shares uint32) (Change, error) {
	at := s.index.get(locate, ref, s.orders)
	if at == none {
		return Change{}, ErrUnknown
	}
	taken := s.orders[at].taken
	old := s.drop(at)
	c, err := s.Add(locate, newRef, old.Side, price, shares)
	if err != nil {
		return old, err
	}
	if taken > 0 {
		s.orders[s.index.get(locate, newRef, s.orders)].taken = min(taken, shares)
	}
	return c, nil
}

// Get returns an order and its side.
func (s *Set) Get(locate uint16, ref uint64) (o Order, side Side, ok bool) {
	at := s.index.get(locate, ref, s.orders)
	if at == none {
		return o, 0, false
	}
	l := &s.levels[s.orders[at].level]
	return Order{ref, l.price, s.orders[at].shares}, l.side, true
}

// drop takes the order at a place off its book.
func (s *Set) drop(at int32) Change {
	o := &s.orders[at]
	l := &s.levels[o.level]
	c := Change{s.books[l.locate], l.side, l.price, o.shares}
	s.index.remove(o.ref, at)
	c.Book.leave(o, l)
	s.freeOrders = append(s.freeOrders, at)
	return c
}

func (s *Set) newOrder() int32 {
	if n := len(s.freeOrders); n > 0 {
		at := s.freeOrders[n-1]
		s.freeOrders = s.freeOrders[:n-1]
		return at
	}
	s.orders = append(s.orders, order{})
	return int32(len(s.orders) - 1)
}

func (s *Set) newLevel(l level) int32 {
	if n := len(s.freeLevels); n > 0 {
		at := s.freeLevels[n-1]
		s.freeLevels = s.freeLevels[:n-1]
		s.levels[at] = l
		return at
	}
	s.levels = append(s.levels, l)
	return int32(len(s.levels) - 1)
}

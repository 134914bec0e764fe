package book

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is a set of books of the plainest kind: a list of orders in the order
// of their arrival.
type model struct {
	orders []modelOrder
}

type modelOrder struct {
	Order
	locate uint16
	side   Side
}

func (m *model) find(locate uint16, ref uint64) int {
	return slices.IndexFunc(m.orders, func(o modelOrder) bool { return o.locate == locate && o.Ref == ref })
}

func (m *model) reduce(locate uint16, ref uint64, n uint32) {
	i := m.find(locate, ref)
	if m.orders[i].Shares <= n {
		m.orders = slices.Delete(m.orders, i, i+1)
	} else {
		m.orders[i].Shares -= n
	}
}

// side are the orders of a side in the order in which they would trade.
func (m *model) side(locate uint16, side Side) (all []Order) {
	for _, o := range m.orders {
		if o.locate == locate && o.side == side {
			all = append(all, o.Order)
		}
	}
	slices.SortStableFunc(all, func(a, b Order) int {
		if side == Bid {
			a, b = b, a
		}
		return int(a.Price) - int(b.Price)
	})
	return all
}

func sideOf(b *Book, side Side) (all []Order) {
	b.Orders(side, func(o Order) bool { all = append(all, o); return true })
	return all
}

// check compares a book with the model in every way in which one can look at it.
func check(b *Book, m *model) error {
	var top Top
	for _, side := range []Side{Bid, Ask} {
		want := m.side(b.Locate(), side)
		if got := sideOf(b, side); !slices.Equal(got, want) {
			return fmt.Errorf("%v of %d: %v, want %v", side, b.Locate(), got, want)
		}
		var levels []Level
		var sum uint64
		for _, o := range want {
			if n := len(levels); n == 0 || levels[n-1].Price != o.Price {
				levels = append(levels, Level{Price: o.Price})
			}
			l := &levels[len(levels)-1]
			l.Orders++
			l.Shares += uint64(o.Shares)
			sum += uint64(o.Shares)
		}
		if orders, shares := b.Total(side); orders != len(want) || shares != sum {
			return fmt.Errorf("%v of %d: %d orders with %d shares, want %d with %d", side, b.Locate(), orders, shares, len(want), sum)
		}
		for _, n := range []int{1, 3, 1000} {
			if got := b.Depth(nil, side, n); !slices.Equal(got, levels[:min(n, len(levels))]) {
				return fmt.Errorf("%v of %d: depth %v, want %v", side, b.Locate(), got, levels)
			}
		}
		first, ok := b.First(side)
		if ok != (len(want) > 0) || ok && first != want[0] {
			return fmt.Errorf("%v of %d: first %v, %t", side, b.Locate(), first, ok)
		}
		if len(levels) > 0 && side == Bid {
			top.BidPrice, top.BidShares = levels[0].Price, levels[0].Shares
		} else if len(levels) > 0 {
			top.AskPrice, top.AskShares = levels[0].Price, levels[0].Shares
		}
	}
	if b.Top() != top {
		return fmt.Errorf("top of %d is %+v, want %+v", b.Locate(), b.Top(), top)
	}
	return nil
}

func TestBooksAreThoseOfTheModel(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		set, m := NewSet(1), &model{}
		var refs []uint64
		known := func() uint64 {
			if len(refs) == 0 || rnd.IntN(20) == 0 {
				return rnd.Uint64N(1 << 34) // hardly one that is there
			}
			if n := len(m.orders); n > 0 && rnd.IntN(3) > 0 { // often of another stock
				return m.orders[rnd.IntN(n)].Ref
			}
			return refs[rnd.IntN(len(refs))]
		}
		fresh := func() uint64 {
			ref := uint64(len(refs)) | rnd.Uint64N(2)<<32 // some share their lower half
			refs = append(refs, ref)
			return ref
		}
		for step := range 1_000 {
			locate, side, price, n := uint16(rnd.IntN(3)), Side(rnd.IntN(2)), uint32(1+rnd.IntN(40)), rnd.Uint32N(50)
			var err, want error
			switch rnd.IntN(5) {
			case 0, 1:
				ref := fresh()
				if rnd.IntN(30) == 0 {
					ref = known()
				}
				_, err = set.Add(locate, ref, side, price, n)
				switch {
				case n == 0:
					want = ErrNoShares
				case m.find(locate, ref) >= 0:
					want = ErrDuplicate
				default:
					m.orders = append(m.orders, modelOrder{Order{ref, price, n}, locate, side})
				}
			case 2:
				ref := known()
				if i := m.find(locate, ref); i < 0 {
					want = ErrUnknown
				} else {
					if n > m.orders[i].Shares {
						want = ErrTooMany
					}
					m.reduce(locate, ref, n)
				}
				_, err = set.Reduce(locate, ref, n)
			case 3:
				ref := known()
				if m.find(locate, ref) < 0 {
					want = ErrUnknown
				} else {
					m.reduce(locate, ref, 1<<31)
				}
				_, err = set.Delete(locate, ref)
			case 4:
				ref, next := known(), fresh()
				_, err = set.Replace(locate, ref, next, price, n)
				i := m.find(locate, ref)
				if i < 0 {
					want = ErrUnknown
					break
				}
				old := m.orders[i]
				m.orders = slices.Delete(m.orders, i, i+1)
				switch {
				case n == 0:
					want = ErrNoShares
				case m.find(locate, next) >= 0:
					want = ErrDuplicate
				default:
					m.orders = append(m.orders, modelOrder{Order{next, price, n}, old.locate, old.side})
				}
			}
			if err != want { //nolint:errorlint // the very error
				t.Fatalf("seed %d, step %d: error %v, want %v", seed, step, err, want)
			}
			if set.Len() != len(m.orders) {
				t.Fatalf("seed %d, step %d: %d orders, want %d", seed, step, set.Len(), len(m.orders))
			}
			if err := check(set.Book(locate), m); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		}
		for _, ref := range refs {
			for locate := range uint16(3) {
				o, side, ok := set.Get(locate, ref)
				i := m.find(locate, ref)
				if ok != (i >= 0) || ok && (modelOrder{o, locate, side}) != m.orders[i] {
					t.Fatalf("seed %d: order %d of %d is %+v, %t", seed, ref, locate, o, ok)
				}
			}
		}
	}
}

package book

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestMatchingNeverLeavesABookCrossedAndLosesNoShares sends random orders to an
// exchange: what matches trades, best price and oldest order first, and the rest
// waits.
func TestMatchingNeverLeavesABookCrossedAndLosesNoShares(t *testing.T) {
	for seed := range uint64(15) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		set, m := NewSet(1), &model{}
		b := set.Book(1)
		var came, traded, cancelled uint64
		for ref := range uint64(1_000) {
			side, price, n := Side(rnd.IntN(2)), uint32(100+rnd.IntN(30)), 1+rnd.Uint32N(300)
			if rnd.IntN(10) == 0 && len(m.orders) > 0 {
				o := m.orders[rnd.IntN(len(m.orders))]
				cancelled += uint64(o.Shares)
				m.reduce(1, o.Ref, o.Shares)
				if _, err := set.Delete(1, o.Ref); err != nil {
					t.Fatal(err)
				}
			}
			came += uint64(n)
			left := b.Match(side, price, n, func(maker Order, shares uint32) {
				want := m.side(1, side.Opposite())[0]
				if maker != want || shares == 0 || side.better(maker.Price, price) && maker.Price != price {
					t.Fatalf("seed %d: an order at %d traded %d shares with %+v, want with %+v", seed, price, shares, maker, want)
				}
				traded += uint64(shares)
				m.reduce(1, maker.Ref, shares)
			})
			if left > 0 {
				m.orders = append(m.orders, modelOrder{Order{ref, price, left}, 1, side})
				if _, err := set.Add(1, ref, side, price, left); err != nil {
					t.Fatal(err)
				}
			}
			if b.Top().Crossed() {
				t.Fatalf("seed %d: crossed: %+v", seed, b.Top())
			}
			if err := check(b, m); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			_, bids := b.Total(Bid)
			_, asks := b.Total(Ask)
			if came != 2*traded+cancelled+bids+asks {
				t.Fatalf("seed %d: %d shares came, %d traded twice, %d were cancelled, %d and %d wait", seed, came, traded, cancelled, bids, asks)
			}
		}
		if traded == 0 {
			t.Fatalf("seed %d: nothing traded", seed)
		}
	}
}

func book(t *testing.T, asks ...Order) *Book {
	t.Helper()
	set := NewSet(1)
	for _, o := range asks {
		if _, err := set.Add(1, o.Ref, Ask, o.Price, o.Shares); err != nil {
			t.Fatal(err)
		}
	}
	return set.Book(1)
}

type take struct{ price, shares uint32 }

func takes(b *Book, limit, shares uint32) (all []take, left uint32) {
	left = b.Take(Bid, limit, shares, func(price, shares uint32) { all = append(all, take{price, shares}) })
	return all, left
}

func TestTakingLeavesTheBookAsItIsAndTakesNothingTwice(t *testing.T) {
	asks := []Order{{1, 10, 100}, {2, 10, 50}, {3, 11, 30}, {4, 13, 1000}}
	b := book(t, asks...)
	for _, c := range []struct {
		limit, shares uint32
		want          []take
		left          uint32
	}{
		{9, 10, nil, 10},
		{10, 120, []take{{10, 120}}, 0},
		{11, 100, []take{{10, 30}, {11, 30}}, 40},
		{12, 5, nil, 5},
		{20, 500, []take{{13, 500}}, 0},
	} {
		if got, left := takes(b, c.limit, c.shares); !slices.Equal(got, c.want) || left != c.left {
			t.Errorf("%d at %d: %v and %d left, want %v and %d", c.shares, c.limit, got, left, c.want, c.left)
		}
	}
	if got := sideOf(b, Ask); !slices.Equal(got, asks) {
		t.Errorf("the book is %v", got)
	}
	// The market goes on as if we were not there; what it takes is no longer
	// ours to take, and new orders are.
	if _, err := b.set.Reduce(1, 4, 600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.set.Add(1, 5, Ask, 13, 70); err != nil {
		t.Fatal(err)
	}
	if got, left := takes(b, 13, 500); !slices.Equal(got, []take{{13, 70}}) || left != 430 {
		t.Errorf("%v and %d left", got, left)
	}
	// Nor does an order that is replaced come back to us, but what it is larger by.
	for i, shares := range []uint32{60, 100} {
		if _, err := b.set.Replace(1, uint64(5+i), uint64(6+i), 12, shares); err != nil {
			t.Fatal(err)
		}
		if got, _ := takes(b, 12, 500); i == 0 && len(got) > 0 || i == 1 && !slices.Equal(got, []take{{12, 40}}) {
			t.Errorf("replaced by one of %d shares: %v", shares, got)
		}
	}
}

func TestChangedTellsOfTheTopOnly(t *testing.T) {
	b := book(t, Order{1, 10, 100})
	if top, changed := b.Changed(); !changed || top.AskPrice != 10 || top.AskShares != 100 || top.Mid() != 0 {
		t.Errorf("%+v, %t", top, changed)
	}
	_, _ = b.set.Add(1, 2, Ask, 11, 5)
	if _, changed := b.Changed(); changed {
		t.Error("an order behind the best price changed the top")
	}
	_, _ = b.set.Add(1, 3, Bid, 8, 5)
	if top, changed := b.Changed(); !changed || top.Mid() != 9 || top.Crossed() {
		t.Errorf("%+v, %t", top, changed)
	}
	_, _ = b.set.Add(1, 4, Bid, 10, 5)
	if top, changed := b.Changed(); !changed || !top.Crossed() {
		t.Errorf("%+v, %t", top, changed)
	}
}

package shop

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Generator invents customers who order and, sometimes, think better of it.
// The same seed gives the same sequence, whatever else happens in the shop.
type Generator struct {
	rng  *rand.Rand
	next int
	past []string // numbers of the last orders, to cancel one of them
}

// NewGenerator starts a sequence.
func NewGenerator(seed uint64) *Generator {
	return &Generator{rng: rand.New(rand.NewPCG(seed, 0))}
}

// Action is what a customer does: one of the two.
type Action struct {
	Order  *Order
	Cancel string // the number of an order
}

// cancelEvery: about one order in that many is taken back, as in the real books.
const cancelEvery = 7

// markets are where customers live, weighted like the real ones.
var markets = []struct {
	country string
	weight  int
}{
	{"United Kingdom", 90}, {"Germany", 3}, {"France", 2}, {"EIRE", 2}, {"Belgium", 1}, {"Netherlands", 1}, {"Australia", 1},
}

// Next is the next action. Its orders are all right; whether they succeed is
// up to the shop.
func (g *Generator) Next(now time.Time) Action {
	if len(g.past) > 20 && g.rng.IntN(cancelEvery) == 0 {
		i := g.rng.IntN(len(g.past))
		id := g.past[i]
		g.past = append(g.past[:i], g.past[i+1:]...)
		return Action{Cancel: id}
	}
	g.next++
	o := Order{
		ID:      fmt.Sprintf("G%06d", g.next),
		Source:  FromGenerator,
		Country: g.market(),
		Card:    "4242424242424242",
		Time:    now,
	}
	if g.rng.IntN(4) > 0 { // a quarter of the real lines has no customer
		o.Customer = fmt.Sprint(12346 + g.rng.IntN(2000))
	}
	for range 1 + g.rng.IntN(4) {
		// The product of two draws: a few sell most.
		i := int(float64(len(Catalog)) * g.rng.Float64() * g.rng.Float64())
		if Catalog[i].Code != storyProduct {
			o.Lines = append(o.Lines, CatalogLine(Catalog[i].Code, 1+int64(g.rng.IntN(12))))
		}
	}
	if len(o.Lines) == 0 {
		o.Lines = append(o.Lines, CatalogLine(Catalog[0].Code, 1))
	}
	if g.past = append(g.past, o.ID); len(g.past) > 200 {
		g.past = g.past[1:]
	}
	return Action{Order: &o}
}

func (g *Generator) market() string {
	all := 0
	for _, m := range markets {
		all += m.weight
	}
	n := g.rng.IntN(all)
	for _, m := range markets {
		if n -= m.weight; n < 0 {
			return m.country
		}
	}
	panic("unreachable: n is below the sum of the weights")
}

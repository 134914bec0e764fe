package trading

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// Books is what the market holds at the end.
type Books struct {
	Feed
	Executed map[string]uint64 // shares of orders in the book, by stock, non-printable ones included
	Sides    []BookSide        // by stock, bid before ask; the sides without orders are left out
	Checksum string
}

// BookSide is one side of a book.
type BookSide struct {
	Stock  string
	Side   book.Side
	Orders int
	Shares uint64
	Best   itch.Price
}

// Books looks at all books. The engine must be drained.
//
// The checksum is the first 8 bytes of a SHA-256, in hexadecimal, over all
// orders: by stock, bids before offers, in the order in which they would trade,
// of each the symbol (8 bytes), B or S, price (4), reference (8) and shares (4),
// big-endian.
func (e *Engine) Books() Books {
	all := Books{Executed: make(map[string]uint64)}
	var listed []*listing
	for _, sh := range e.Market.shards {
		all.add(sh.Feed)
		listed = append(listed, sh.listed...)
	}
	slices.SortFunc(listed, func(a, b *listing) int {
		return cmp.Or(slices.Compare(a.stock[:], b.stock[:]), cmp.Compare(a.locate, b.locate))
	})
	sum := sha256.New()
	var line [25]byte
	for _, l := range listed {
		if l.executed > 0 {
			all.Executed[l.stock.String()] += l.executed
		}
		for _, side := range []book.Side{book.Bid, book.Ask} {
			orders, shares := l.book.Total(side)
			if orders == 0 {
				continue
			}
			best, _ := l.book.First(side)
			all.Sides = append(all.Sides, BookSide{l.stock.String(), side, orders, shares, itch.Price(best.Price)})
			copy(line[:], l.stock[:])
			line[8] = "BS"[side]
			l.book.Orders(side, func(o book.Order) bool {
				binary.BigEndian.PutUint32(line[9:], o.Price)
				binary.BigEndian.PutUint64(line[13:], o.Ref)
				binary.BigEndian.PutUint32(line[21:], o.Shares)
				sum.Write(line[:])
				return true
			})
		}
	}
	all.Checksum = hex.EncodeToString(sum.Sum(nil)[:8])
	return all
}

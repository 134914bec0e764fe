package itch

import "time"

// Trade (P) is an execution of an order that the book does not show. It leaves
// the book as it is.
type Trade struct {
	Ref    uint64 // 0 since 2010
	Side   Side   // of the hidden order; always B since 2014
	Shares uint32
	Stock  Stock
	Price  Price
	Match  uint64
}

// Trade reads a P.
func (m *Message) Trade() Trade {
	return Trade{m.u64(11), Side(m.raw[19]), m.u32(20), m.stock(24), Price(m.u32(32)), m.u64(36)}
}

// Message makes a P.
func (t Trade) Message(h Header) Message {
	m := begin(TypeTrade, h)
	m.put64(11, t.Ref)
	m.raw[19] = byte(t.Side)
	m.put32(20, t.Shares)
	m.putStock(24, t.Stock)
	m.put32(32, uint32(t.Price))
	m.put64(36, t.Match)
	return m
}

// Kinds of crosses.
const (
	CrossOpening = 'O'
	CrossClosing = 'C'
	CrossHalted  = 'H' // a new stock, or one that was halted or paused
)

// CrossTrade (Q) is the print of a cross: all of it at one price.
type CrossTrade struct {
	Shares uint64
	Stock  Stock
	Price  Price
	Match  uint64
	Cross  byte
}

// CrossTrade reads a Q.
func (m *Message) CrossTrade() CrossTrade {
	return CrossTrade{m.u64(11), m.stock(19), Price(m.u32(27)), m.u64(31), m.raw[39]}
}

// Message makes a Q.
func (t CrossTrade) Message(h Header) Message {
	m := begin(TypeCrossTrade, h)
	m.put64(11, t.Shares)
	m.putStock(19, t.Stock)
	m.put32(27, uint32(t.Price))
	m.put64(31, t.Match)
	m.raw[39] = t.Cross
	return m
}

// BrokenTrade (B) declares an execution void. The book stays as it is.
type BrokenTrade struct {
	Match uint64
}

// BrokenTrade reads a B.
func (m *Message) BrokenTrade() BrokenTrade { return BrokenTrade{m.u64(11)} }

// Message makes a B.
func (b BrokenTrade) Message(h Header) Message {
	m := begin(TypeBrokenTrade, h)
	m.put64(11, b.Match)
	return m
}

// Imbalance (I) tells before a cross how it would end now.
type Imbalance struct {
	Paired, Imbalance    uint64
	Direction            byte // B buy, S sell, N none, O too few orders, P paused
	Stock                Stock
	Far, Near, Reference Price
	Cross                byte
	Variation            byte
}

// Imbalance reads an I.
func (m *Message) Imbalance() Imbalance {
	return Imbalance{
		m.u64(11), m.u64(19), m.raw[27], m.stock(28),
		Price(m.u32(36)), Price(m.u32(40)), Price(m.u32(44)), m.raw[48], m.raw[49],
	}
}

// Message makes an I.
func (i Imbalance) Message(h Header) Message {
	m := begin(TypeImbalance, h)
	m.put64(11, i.Paired)
	m.put64(19, i.Imbalance)
	m.raw[27] = i.Direction
	m.putStock(28, i.Stock)
	m.put32(36, uint32(i.Far))
	m.put32(40, uint32(i.Near))
	m.put32(44, uint32(i.Reference))
	m.raw[48], m.raw[49] = i.Cross, i.Variation
	return m
}

// RetailInterest (N) tells on which side of a stock there is retail interest.
type RetailInterest struct {
	Stock Stock
	Flag  byte // B, S, A both, N none
}

// RetailInterest reads an N.
func (m *Message) RetailInterest() RetailInterest { return RetailInterest{m.stock(11), m.raw[19]} }

// Message makes an N.
func (r RetailInterest) Message(h Header) Message {
	m := begin(TypeRetailInterest, h)
	m.putStock(11, r.Stock)
	m.raw[19] = r.Flag
	return m
}

// DirectListing (O) tells of the price discovery of a direct listing with
// capital raise.
type DirectListing struct {
	Stock                    Stock
	Eligible                 byte // to be released for trading: Y or N
	Lowest, Highest          Price
	Near                     Price
	NearTime                 time.Duration // since midnight
	LowerCollar, UpperCollar Price
}

// DirectListing reads an O.
func (m *Message) DirectListing() DirectListing {
	return DirectListing{
		m.stock(11), m.raw[19], Price(m.u32(20)), Price(m.u32(24)), Price(m.u32(28)),
		time.Duration(m.u64(32)), Price(m.u32(40)), Price(m.u32(44)),
	}
}

// Message makes an O.
func (d DirectListing) Message(h Header) Message {
	m := begin(TypeDirectListing, h)
	m.putStock(11, d.Stock)
	m.raw[19] = d.Eligible
	m.put32(20, uint32(d.Lowest))
	m.put32(24, uint32(d.Highest))
	m.put32(28, uint32(d.Near))
	m.put64(32, uint64(d.NearTime))
	m.put32(40, uint32(d.LowerCollar))
	m.put32(44, uint32(d.UpperCollar))
	return m
}

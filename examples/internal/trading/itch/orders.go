package itch

// AddOrder (A, or F with the participant) is a new order in the book.
type AddOrder struct {
	Ref    uint64 // unique for the day; 0 is one like any other
	Side   Side
	Shares uint32
	Stock  Stock
	Price  Price
	MPID   MPID // of an F
}

// AddOrder reads an A or F.
func (m *Message) AddOrder() AddOrder {
	o := AddOrder{Ref: m.u64(11), Side: Side(m.raw[19]), Shares: m.u32(20), Stock: m.stock(24), Price: Price(m.u32(32))}
	if m.raw[0] == TypeAddOrderMPID {
		o.MPID = m.participant(36)
	}
	return o
}

// Message makes an A, or an F if the participant is given.
func (o AddOrder) Message(h Header) Message {
	typ := byte(TypeAddOrder)
	if o.MPID != (MPID{}) {
		typ = TypeAddOrderMPID
	}
	m := begin(typ, h)
	m.put64(11, o.Ref)
	m.raw[19] = byte(o.Side)
	m.put32(20, o.Shares)
	m.putStock(24, o.Stock)
	m.put32(32, uint32(o.Price))
	if typ == TypeAddOrderMPID {
		m.putParticipant(36, o.MPID)
	}
	return m
}

// Executed (E) is an execution of an order in the book at its price.
type Executed struct {
	Ref    uint64
	Shares uint32
	Match  uint64
}

// Executed reads an E.
func (m *Message) Executed() Executed { return Executed{m.u64(11), m.u32(19), m.u64(23)} }

// Message makes an E.
func (e Executed) Message(h Header) Message {
	m := begin(TypeExecuted, h)
	m.put64(11, e.Ref)
	m.put32(19, e.Shares)
	m.put64(23, e.Match)
	return m
}

// ExecutedWithPrice (C) is an execution at another price than the order's.
type ExecutedWithPrice struct {
	Ref       uint64
	Shares    uint32
	Match     uint64
	Printable byte // N: it will be part of a cross trade, and is not to be counted twice
	Price     Price
}

// ExecutedWithPrice reads a C.
func (m *Message) ExecutedWithPrice() ExecutedWithPrice {
	return ExecutedWithPrice{m.u64(11), m.u32(19), m.u64(23), m.raw[31], Price(m.u32(32))}
}

// Message makes a C.
func (e ExecutedWithPrice) Message(h Header) Message {
	m := begin(TypeExecutedWithPrice, h)
	m.put64(11, e.Ref)
	m.put32(19, e.Shares)
	m.put64(23, e.Match)
	m.raw[31] = e.Printable
	m.put32(32, uint32(e.Price))
	return m
}

// Cancel (X) takes some shares off an order.
type Cancel struct {
	Ref    uint64
	Shares uint32 // fewer by that many
}

// Cancel reads an X.
func (m *Message) Cancel() Cancel { return Cancel{m.u64(11), m.u32(19)} }

// Message makes an X.
func (c Cancel) Message(h Header) Message {
	m := begin(TypeCancel, h)
	m.put64(11, c.Ref)
	m.put32(19, c.Shares)
	return m
}

// Delete (D) takes an order off the book.
type Delete struct {
	Ref uint64
}

// Delete reads a D.
func (m *Message) Delete() Delete { return Delete{m.u64(11)} }

// Message makes a D.
func (d Delete) Message(h Header) Message {
	m := begin(TypeDelete, h)
	m.put64(11, d.Ref)
	return m
}

// Replace (U) puts a new order in the place of an old one, behind the others of
// its price. Stock and side stay.
type Replace struct {
	Ref, NewRef uint64
	Shares      uint32
	Price       Price
}

// Replace reads a U.
func (m *Message) Replace() Replace {
	return Replace{m.u64(11), m.u64(19), m.u32(27), Price(m.u32(31))}
}

// Message makes a U.
func (r Replace) Message(h Header) Message {
	m := begin(TypeReplace, h)
	m.put64(11, r.Ref)
	m.put64(19, r.NewRef)
	m.put32(27, r.Shares)
	m.put32(31, uint32(r.Price))
	return m
}

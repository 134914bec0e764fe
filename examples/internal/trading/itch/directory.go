package itch

import "time"

// Events of the system, in the order of a day.
const (
	EventStartOfMessages    = 'O'
	EventStartOfSystemHours = 'S'
	EventStartOfMarketHours = 'Q'
	EventEndOfMarketHours   = 'M'
	EventEndOfSystemHours   = 'E'
	EventEndOfMessages      = 'C'
)

// SystemEvent (S) tells where the day stands.
type SystemEvent struct {
	Event byte
}

// SystemEvent reads an S.
func (m *Message) SystemEvent() SystemEvent { return SystemEvent{m.raw[11]} }

// Message makes an S.
func (e SystemEvent) Message(h Header) Message {
	m := begin(TypeSystemEvent, h)
	m.raw[11] = e.Event
	return m
}

// StockDirectory (R) introduces a stock, whose number for the day is in the header.
type StockDirectory struct {
	Stock            Stock
	MarketCategory   byte
	FinancialStatus  byte
	RoundLotSize     uint32
	RoundLotsOnly    byte
	Classification   byte
	SubType          [2]byte
	Authenticity     byte // P for a live stock, T for one that is for tests
	ShortSaleClosing byte // whether the short sale threshold applies
	IPO              byte
	LULDTier         byte
	ETP              byte
	ETPLeverage      uint32
	Inverse          byte
}

// StockDirectory reads an R.
func (m *Message) StockDirectory() StockDirectory {
	return StockDirectory{
		Stock: m.stock(11), MarketCategory: m.raw[19], FinancialStatus: m.raw[20], RoundLotSize: m.u32(21),
		RoundLotsOnly: m.raw[25], Classification: m.raw[26], SubType: [2]byte(m.raw[27:29]), Authenticity: m.raw[29],
		ShortSaleClosing: m.raw[30], IPO: m.raw[31], LULDTier: m.raw[32], ETP: m.raw[33], ETPLeverage: m.u32(34), Inverse: m.raw[38],
	}
}

// Message makes an R.
func (d StockDirectory) Message(h Header) Message {
	m := begin(TypeStockDirectory, h)
	m.putStock(11, d.Stock)
	m.raw[19], m.raw[20] = d.MarketCategory, d.FinancialStatus
	m.put32(21, d.RoundLotSize)
	m.raw[25], m.raw[26], m.raw[27], m.raw[28] = d.RoundLotsOnly, d.Classification, d.SubType[0], d.SubType[1]
	m.raw[29], m.raw[30], m.raw[31], m.raw[32], m.raw[33] = d.Authenticity, d.ShortSaleClosing, d.IPO, d.LULDTier, d.ETP
	m.put32(34, d.ETPLeverage)
	m.raw[38] = d.Inverse
	return m
}

// States of trading in a stock.
const (
	Trading   = 'T'
	Halted    = 'H'
	Paused    = 'P'
	Quotation = 'Q' // quotes only, before trading resumes
)

// TradingAction (H) stops or resumes trading in a stock.
type TradingAction struct {
	Stock    Stock
	State    byte
	Reserved byte
	Reason   [4]byte
}

// TradingAction reads an H.
func (m *Message) TradingAction() TradingAction {
	return TradingAction{m.stock(11), m.raw[19], m.raw[20], [4]byte(m.raw[21:25])}
}

// Message makes an H.
func (a TradingAction) Message(h Header) Message {
	m := begin(TypeTradingAction, h)
	m.putStock(11, a.Stock)
	m.raw[19], m.raw[20] = a.State, a.Reserved
	copy(m.raw[21:], a.Reason[:])
	return m
}

// RegSHO (Y) says whether short sales of a stock are restricted: 0 no, 1 yes
// since a price drop today, 2 yes since earlier.
type RegSHO struct {
	Stock  Stock
	Action byte
}

// RegSHO reads a Y.
func (m *Message) RegSHO() RegSHO { return RegSHO{m.stock(11), m.raw[19]} }

// Message makes a Y.
func (r RegSHO) Message(h Header) Message {
	m := begin(TypeRegSHO, h)
	m.putStock(11, r.Stock)
	m.raw[19] = r.Action
	return m
}

// Participant (L) says what a market participant is in a stock.
type Participant struct {
	MPID    MPID
	Stock   Stock
	Primary byte // whether it is a primary market maker: Y or N
	Mode    byte
	State   byte
}

// Participant reads an L.
func (m *Message) Participant() Participant {
	return Participant{m.participant(11), m.stock(15), m.raw[23], m.raw[24], m.raw[25]}
}

// Message makes an L.
func (p Participant) Message(h Header) Message {
	m := begin(TypeParticipant, h)
	m.putParticipant(11, p.MPID)
	m.putStock(15, p.Stock)
	m.raw[23], m.raw[24], m.raw[25] = p.Primary, p.Mode, p.State
	return m
}

// DeclineLevels (V) are the levels of the market-wide circuit breaker today.
type DeclineLevels struct {
	Level1, Level2, Level3 Price8
}

// DeclineLevels reads a V.
func (m *Message) DeclineLevels() DeclineLevels {
	return DeclineLevels{Price8(m.u64(11)), Price8(m.u64(19)), Price8(m.u64(27))}
}

// Message makes a V.
func (d DeclineLevels) Message(h Header) Message {
	m := begin(TypeDeclineLevels, h)
	m.put64(11, uint64(d.Level1))
	m.put64(19, uint64(d.Level2))
	m.put64(27, uint64(d.Level3))
	return m
}

// Breach (W) tells that a level of the circuit breaker was reached: 1, 2 or 3.
type Breach struct {
	Level byte
}

// Breach reads a W.
func (m *Message) Breach() Breach { return Breach{m.raw[11]} }

// Message makes a W.
func (b Breach) Message(h Header) Message {
	m := begin(TypeBreach, h)
	m.raw[11] = b.Level
	return m
}

// IPOQuoting (K) announces when a new stock will be quoted.
type IPOQuoting struct {
	Stock     Stock
	Release   time.Duration // since midnight, in whole seconds
	Qualifier byte          // A anticipated, C cancelled
	Price     Price
}

// IPOQuoting reads a K.
func (m *Message) IPOQuoting() IPOQuoting {
	return IPOQuoting{m.stock(11), time.Duration(m.u32(19)) * time.Second, m.raw[23], Price(m.u32(24))}
}

// Message makes a K.
func (q IPOQuoting) Message(h Header) Message {
	m := begin(TypeIPOQuoting, h)
	m.putStock(11, q.Stock)
	m.put32(19, uint32(q.Release/time.Second))
	m.raw[23] = q.Qualifier
	m.put32(24, uint32(q.Price))
	return m
}

// AuctionCollar (J) bounds the price of the auction that ends a pause.
type AuctionCollar struct {
	Stock                   Stock
	Reference, Upper, Lower Price
	Extension               uint32
}

// AuctionCollar reads a J.
func (m *Message) AuctionCollar() AuctionCollar {
	return AuctionCollar{m.stock(11), Price(m.u32(19)), Price(m.u32(23)), Price(m.u32(27)), m.u32(31)}
}

// Message makes a J.
func (c AuctionCollar) Message(h Header) Message {
	m := begin(TypeAuctionCollar, h)
	m.putStock(11, c.Stock)
	m.put32(19, uint32(c.Reference))
	m.put32(23, uint32(c.Upper))
	m.put32(27, uint32(c.Lower))
	m.put32(31, c.Extension)
	return m
}

// OperationalHalt (h) stops or resumes trading in a stock on one market alone.
type OperationalHalt struct {
	Stock  Stock
	Market byte // Q Nasdaq, B BX, X PSX
	Action byte // H halted, T resumed
}

// OperationalHalt reads an h.
func (m *Message) OperationalHalt() OperationalHalt {
	return OperationalHalt{m.stock(11), m.raw[19], m.raw[20]}
}

// Message makes an h.
func (o OperationalHalt) Message(h Header) Message {
	m := begin(TypeOperationalHalt, h)
	m.putStock(11, o.Stock)
	m.raw[19], m.raw[20] = o.Market, o.Action
	return m
}

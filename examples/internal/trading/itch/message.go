// Package itch reads and writes Nasdaq TotalView-ITCH 5.0, the feed of every
// order and trade of the Nasdaq stock market: its whole set of messages, in the
// framing in which days are stored, where each message follows its length in
// two bytes, big-endian.
//
// A [Message] holds the bytes as they came. What they say is read where it is
// needed, by the method for its type (m.AddOrder for an A and so on), so that
// decoding allocates nothing and costs nothing for what nobody looks at.
package itch

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// The types of messages, as their first byte says.
const (
	TypeSystemEvent       = 'S'
	TypeStockDirectory    = 'R'
	TypeTradingAction     = 'H'
	TypeRegSHO            = 'Y'
	TypeParticipant       = 'L'
	TypeDeclineLevels     = 'V'
	TypeBreach            = 'W'
	TypeIPOQuoting        = 'K'
	TypeAuctionCollar     = 'J'
	TypeOperationalHalt   = 'h'
	TypeAddOrder          = 'A'
	TypeAddOrderMPID      = 'F'
	TypeExecuted          = 'E'
	TypeExecutedWithPrice = 'C'
	TypeCancel            = 'X'
	TypeDelete            = 'D'
	TypeReplace           = 'U'
	TypeTrade             = 'P'
	TypeCrossTrade        = 'Q'
	TypeBrokenTrade       = 'B'
	TypeImbalance         = 'I'
	TypeRetailInterest    = 'N'
	TypeDirectListing     = 'O'
)

// Types are all types of messages, in the order of the specification.
const Types = "SRHYLVWKJhAFECXDUPQBINO"

// sizes are those of the messages by type, the type included; 0 for none.
var sizes = [256]uint8{
	TypeSystemEvent: 12, TypeStockDirectory: 39, TypeTradingAction: 25, TypeRegSHO: 20, TypeParticipant: 26,
	TypeDeclineLevels: 35, TypeBreach: 12, TypeIPOQuoting: 28, TypeAuctionCollar: 35, TypeOperationalHalt: 21,
	TypeAddOrder: 36, TypeAddOrderMPID: 40, TypeExecuted: 31, TypeExecutedWithPrice: 36, TypeCancel: 23,
	TypeDelete: 19, TypeReplace: 35, TypeTrade: 44, TypeCrossTrade: 40, TypeBrokenTrade: 19,
	TypeImbalance: 50, TypeRetailInterest: 20, TypeDirectListing: 48,
}

// MaxSize is the size of the largest message.
const MaxSize = 50

// Size returns the size of the messages of a type in bytes, the type included
// and the length in front of it not; 0 if there is no such type.
func Size(typ byte) int { return int(sizes[typ]) }

// Message is one message of the feed. Messages are made by a [Reader], or by the
// Message methods of what they say; the zero Message has no type.
type Message struct {
	raw [MaxSize]byte
}

// Header is what all messages begin with, but for the type.
type Header struct {
	Locate   uint16        // number of the stock for this day; 0 in messages about no one stock
	Tracking uint16        // of Nasdaq's own use
	Time     time.Duration // since midnight
}

// Type is one of the constants above.
func (m *Message) Type() byte { return m.raw[0] }

// Locate is the number of the stock for this day, or 0.
func (m *Message) Locate() uint16 { return m.u16(1) }

// Time is when the message was made, since midnight, in nanoseconds.
func (m *Message) Time() time.Duration {
	return time.Duration(uint64(m.u16(5))<<32 | uint64(m.u32(7)))
}

// Header returns all of it.
func (m *Message) Header() Header { return Header{m.Locate(), m.u16(3), m.Time()} }

// Bytes returns the message without the length in front of it. They are those
// of m, and change with it.
func (m *Message) Bytes() []byte { return m.raw[:sizes[m.raw[0]]] }

// AppendFrame appends the message with its length in front.
func (m *Message) AppendFrame(to []byte) []byte {
	b := m.Bytes()
	return append(binary.BigEndian.AppendUint16(to, uint16(len(b))), b...)
}

// begin makes a message with its header.
func begin(typ byte, h Header) (m Message) {
	m.raw[0] = typ
	m.put16(1, h.Locate)
	m.put16(3, h.Tracking)
	m.put16(5, uint16(h.Time>>32))
	m.put32(7, uint32(h.Time))
	return m
}

func (m *Message) u16(at int) uint16 { return binary.BigEndian.Uint16(m.raw[at:]) }
func (m *Message) u32(at int) uint32 { return binary.BigEndian.Uint32(m.raw[at:]) }
func (m *Message) u64(at int) uint64 { return binary.BigEndian.Uint64(m.raw[at:]) }

func (m *Message) put16(at int, v uint16) { binary.BigEndian.PutUint16(m.raw[at:], v) }
func (m *Message) put32(at int, v uint32) { binary.BigEndian.PutUint32(m.raw[at:], v) }
func (m *Message) put64(at int, v uint64) { binary.BigEndian.PutUint64(m.raw[at:], v) }

func (m *Message) stock(at int) (s Stock)        { copy(s[:], m.raw[at:]); return s }
func (m *Message) putStock(at int, s Stock)      { copy(m.raw[at:], s[:]) }
func (m *Message) participant(at int) (p MPID)   { copy(p[:], m.raw[at:]); return p }
func (m *Message) putParticipant(at int, p MPID) { copy(m.raw[at:], p[:]) }

// Stock is a symbol, padded with spaces.
type Stock [8]byte

// NewStock pads a symbol; what is longer than eight bytes is cut off.
func NewStock(symbol string) (s Stock) {
	copy(s[:], symbol+"        ")
	return s
}

// String is the symbol without the padding. What a terminal might take for a
// command is escaped as in Go.
func (s Stock) String() string { return plain(s[:]) }

// plain is what is in a padded field, harmless to print.
func plain(field []byte) string {
	s := strings.TrimRight(string(field), " ")
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
		s = strconv.QuoteToASCII(s)
		s = s[1 : len(s)-1]
	}
	return s
}

// MPID is the identifier of a market participant, padded with spaces.
type MPID [4]byte

// String is the identifier without the padding, escaped as that of a Stock.
func (p MPID) String() string { return plain(p[:]) }

// Price is one with four decimals: 12.34 is 123400.
type Price uint32

// String writes all four decimals.
func (p Price) String() string {
	digits := strconv.Itoa(int(p) + 1_0000_0000)[1:] // so that there are enough of them
	if p >= 1_0000_0000 {
		digits = strconv.Itoa(int(p))
	}
	whole := strings.TrimLeft(digits[:len(digits)-4], "0")
	if whole == "" {
		whole = "0"
	}
	return whole + "." + digits[len(digits)-4:]
}

// Price8 is one with eight decimals, as the levels of the circuit breaker are.
type Price8 uint64

// Side says who wants to trade: B buys, S sells.
type Side byte

// The two sides.
const (
	Buy  Side = 'B'
	Sell Side = 'S'
)

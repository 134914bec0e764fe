package itch

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// The sizes of the specification, typed off it a second time.
const specification = "S 12 R 39 H 25 Y 20 L 26 V 35 W 12 K 28 J 35 h 21 A 36 F 40 E 31 C 36 X 23 D 19 U 35 P 44 Q 40 B 19 I 50 N 20 O 48"

func TestSizesAreThoseOfTheSpecification(t *testing.T) {
	want := map[byte]int{}
	for i := 0; i < len(specification); i += 5 {
		want[specification[i]] = int(specification[i+2]-'0')*10 + int(specification[i+3]-'0')
	}
	if len(want) != len(Types) {
		t.Fatalf("%d types, want %d", len(want), len(Types))
	}
	for typ := range 256 {
		if got := Size(byte(typ)); got != want[byte(typ)] {
			t.Errorf("a message of type %q has %d bytes, want %d", rune(typ), got, want[byte(typ)])
		}
	}
}

// kinds are, by type, a value with all that a message says, and how to read it.
var kinds = map[byte]struct {
	value any
	read  func(*Message) any
}{
	'S': {SystemEvent{}, func(m *Message) any { return m.SystemEvent() }},
	'R': {StockDirectory{}, func(m *Message) any { return m.StockDirectory() }},
	'H': {TradingAction{}, func(m *Message) any { return m.TradingAction() }},
	'Y': {RegSHO{}, func(m *Message) any { return m.RegSHO() }},
	'L': {Participant{}, func(m *Message) any { return m.Participant() }},
	'V': {DeclineLevels{}, func(m *Message) any { return m.DeclineLevels() }},
	'W': {Breach{}, func(m *Message) any { return m.Breach() }},
	'K': {IPOQuoting{}, func(m *Message) any { return m.IPOQuoting() }},
	'J': {AuctionCollar{}, func(m *Message) any { return m.AuctionCollar() }},
	'h': {OperationalHalt{}, func(m *Message) any { return m.OperationalHalt() }},
	'A': {AddOrder{}, func(m *Message) any { return m.AddOrder() }},
	'F': {AddOrder{MPID: MPID{'V', 'I', 'R', 'T'}}, func(m *Message) any { return m.AddOrder() }},
	'E': {Executed{}, func(m *Message) any { return m.Executed() }},
	'C': {ExecutedWithPrice{}, func(m *Message) any { return m.ExecutedWithPrice() }},
	'X': {Cancel{}, func(m *Message) any { return m.Cancel() }},
	'D': {Delete{}, func(m *Message) any { return m.Delete() }},
	'U': {Replace{}, func(m *Message) any { return m.Replace() }},
	'P': {Trade{}, func(m *Message) any { return m.Trade() }},
	'Q': {CrossTrade{}, func(m *Message) any { return m.CrossTrade() }},
	'B': {BrokenTrade{}, func(m *Message) any { return m.BrokenTrade() }},
	'I': {Imbalance{}, func(m *Message) any { return m.Imbalance() }},
	'N': {RetailInterest{}, func(m *Message) any { return m.RetailInterest() }},
	'O': {DirectListing{}, func(m *Message) any { return m.DirectListing() }},
}

// randomized returns a value of the same type with random fields.
func randomized(rnd *rand.Rand, typ byte, like any) any {
	v := reflect.New(reflect.TypeOf(like)).Elem()
	v.Set(reflect.ValueOf(like))
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case v.Type().Field(i).Name == "MPID" && typ != 'L':
			continue // it decides between A and F
		case v.Type().Field(i).Name == "Release":
			f.SetInt(int64(time.Duration(rnd.Uint32()) * time.Second))
		case f.CanUint():
			f.SetUint(rnd.Uint64() >> (64 - 8*f.Type().Size()))
		case f.CanInt():
			f.SetInt(rnd.Int64())
		default:
			for j := range f.Len() {
				f.Index(j).SetUint(uint64(rnd.IntN(256)))
			}
		}
	}
	return v.Interface()
}

func TestEveryMessageReadsAsItWasWritten(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, typ := range []byte(Types) {
		kind, ok := kinds[typ]
		if !ok {
			t.Fatalf("type %c is not tested", typ)
		}
		var ones [MaxSize]bool // bytes that have differed from zero
		for range 500 {
			h := Header{uint16(rnd.Uint32()), uint16(rnd.Uint32()), time.Duration(rnd.Int64N(1 << 48))}
			want := randomized(rnd, typ, kind.value)
			m := want.(interface{ Message(Header) Message }).Message(h)
			if m.Type() != typ || m.Header() != h || len(m.Bytes()) != Size(typ) {
				t.Fatalf("%c: type %c, header %+v, %d bytes; want header %+v, %d bytes", typ, m.Type(), m.Header(), len(m.Bytes()), h, Size(typ))
			}
			if got := kind.read(&m); got != want {
				t.Fatalf("%c reads as %+v, want %+v", typ, got, want)
			}
			for i, b := range m.raw {
				ones[i] = ones[i] || b != 0
			}
		}
		for i, used := range ones { // and so no field overlaps another or is left out
			if used != (i < Size(typ)) {
				t.Errorf("%c: byte %d is used: %t", typ, i, used)
			}
		}
	}
}

func TestPricesHaveFourDecimals(t *testing.T) {
	for p, want := range map[Price]string{0: "0.0000", 1: "0.0001", 12_3400: "12.3400", 270600: "27.0600", 9999_9999: "9999.9999", 1_0000_0000: "10000.0000", 1<<32 - 1: "429496.7295"} {
		if got := p.String(); got != want {
			t.Errorf("Price(%d) is %s, want %s", uint32(p), got, want)
		}
	}
}

func TestSymbolsArePadded(t *testing.T) {
	if s := NewStock("BRK.A"); s != (Stock{'B', 'R', 'K', '.', 'A', ' ', ' ', ' '}) || s.String() != "BRK.A" {
		t.Errorf("%q", s[:])
	}
	if s := NewStock("ABCDEFGHIJ"); s.String() != "ABCDEFGH" {
		t.Errorf("%q", s[:])
	}
}

func TestSymbolsAreHarmlessToPrint(t *testing.T) {
	for symbol, want := range map[string]string{
		"\x1b[2J": `\x1b[2J`, "A\nB": `A\nB`, "A\x00": `A\x00`, "\x9b2J": `\x9b2J`, "\u009bJ": `\u009bJ`, `A\nB`: `A\\nB`, "A\x7f": `A\x7f`,
		"BRK.B": "BRK.B", "A+=^#-$": "A+=^#-$",
	} {
		if got := NewStock(symbol).String(); got != want {
			t.Errorf("%q prints as %q, want %q", symbol, got, want)
		}
	}
	if got := (MPID{'\x1b', '[', '2', 'J'}).String(); got != `\x1b[2J` {
		t.Errorf("%q", got)
	}
}

package trading

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// contradictory is a stream that is sound by its form and makes no sense: references
// are given twice and in several stocks, orders change hands between stocks, stocks
// change names, and there are orders of no shares and of all.
func contradictory(seed uint64, n int) (stream []byte) {
	rnd := rand.New(rand.NewPCG(seed, 5))
	locates := []uint16{0, 1, 2, 3, 65535}
	for i := range n {
		locate := locates[rnd.IntN(len(locates))]
		name := itch.NewStock("ABCDE"[locate%5 : locate%5+1])
		if rnd.IntN(50) == 0 {
			name = itch.NewStock("OTHER")
		}
		ref, shares := 1+rnd.Uint64N(100), []uint32{0, 1, 5, 100, 1<<32 - 1}[rnd.IntN(5)]
		price := itch.Price([]uint32{0, 1, 10_000, 1<<32 - 1}[rnd.IntN(4)])
		var m itch.Message
		switch h := (itch.Header{Locate: locate, Time: 1}); rnd.IntN(8) {
		case 0, 1, 2:
			m = itch.AddOrder{Ref: ref, Side: itch.Side("BS"[rnd.IntN(2)]), Shares: shares, Stock: name, Price: price}.Message(h)
		case 3:
			m = itch.Executed{Ref: ref, Shares: shares, Match: uint64(i)}.Message(h)
		case 4:
			m = itch.Cancel{Ref: ref, Shares: shares}.Message(h)
		case 5:
			m = itch.Delete{Ref: ref}.Message(h)
		case 6:
			m = itch.Replace{Ref: ref, NewRef: 1 + rnd.Uint64N(100), Shares: shares, Price: price}.Message(h)
		case 7:
			m = itch.Trade{Side: itch.Buy, Shares: shares, Stock: name, Price: price}.Message(h)
		}
		stream = m.AppendFrame(stream)
	}
	return stream
}

// What is made of a stream must not depend on how many processors the machine has.
func TestBooksOfAContradictoryStreamAreTheSameWithAnyNumberOfShards(t *testing.T) {
	for seed := range uint64(5) {
		stream := contradictory(seed, 5_000)
		want := printed(t, 1, stream)
		if want.Unknown == 0 || len(want.Books) == 0 {
			t.Fatalf("%+v", want)
		}
		for shards := 2; shards <= 5; shards++ {
			if got := printed(t, shards, stream); !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d, %d shards:\n%+v, want\n%+v", seed, shards, got, want)
			}
		}
	}
}

func TestAStockUnderTheNumberOfAnotherIsSkippedAndCounted(t *testing.T) {
	e, _ := opened(t, Config{})
	before := e.Books()
	h, other := itch.Header{Locate: 1, Time: 9}, itch.NewStock("OTHER")
	sent(t, e,
		itch.StockDirectory{Stock: other}.Message(h),
		itch.AddOrder{Ref: 7, Side: itch.Buy, Shares: 5, Stock: other, Price: 10_0500}.Message(h),
		itch.CrossTrade{Shares: 5, Stock: other, Price: 10_0500}.Message(h),
		itch.Trade{Side: itch.Buy, Shares: 5, Stock: other, Price: 10_0500}.Message(h),
		itch.TradingAction{Stock: other, State: itch.Halted}.Message(h),
		itch.RegSHO{Stock: other, Action: '1'}.Message(h),
		itch.OperationalHalt{Stock: other, Market: 'Q', Action: 'H'}.Message(h),
	)
	b := e.Books()
	if b.Inconsistent != 7 || b.Checksum != before.Checksum || b.Traded != 5 {
		t.Errorf("%+v, want 7 contradictions and the books of %+v", b, before)
	}
	if err := e.Place(t.Context(), Order{Locate: 1, Stock: acme, Side: book.Ask, Short: true, Shares: 1, Price: 10_0000}); err != nil {
		t.Errorf("an order for ACME: %v", err)
	}
}

// 0 is the number of messages about no one stock, but nothing keeps a feed from
// giving it to one. That stock is then one like any other.
func TestAStockOfNumberZeroIsNotTheMarket(t *testing.T) {
	e := New(Config{Log: quiet})
	defer e.Close(t.Context())
	zero := itch.NewStock("ZERO")
	action := func(state byte) itch.Message {
		return itch.TradingAction{Stock: zero, State: state}.Message(itch.Header{Time: 1})
	}
	reason := func(locate uint16) string {
		err := e.Place(t.Context(), Order{Locate: locate, Side: book.Bid, Shares: 1, Price: 10_1000})
		r, _ := errors.AsType[*Refusal](err)
		if r == nil {
			return ""
		}
		return r.Reason
	}
	sent(t, e, action(itch.Trading))
	if got := reason(0); got != ReasonClosed {
		t.Errorf("before market hours, when only the stock trades: %q, want %q", got, ReasonClosed)
	}
	sent(t, e, open()...)
	sent(t, e, action(itch.Halted))
	if got := reason(1); got != "" {
		t.Errorf("another stock, while that of number 0 is halted: refused, %q", got)
	}
	if got := reason(0); got != ReasonHalted {
		t.Errorf("the halted stock: %q, want %q", got, ReasonHalted)
	}
}

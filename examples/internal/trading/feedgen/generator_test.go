package feedgen

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// stream is all of an invented day, as it would be in a file.
func stream(t *testing.T, cfg Config) []byte {
	t.Helper()
	g := New(cfg)
	var m itch.Message
	var all []byte
	for {
		switch err := g.Next(&m); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = m.AppendFrame(all)
	}
}

func TestDaysAreOfAnyLength(t *testing.T) {
	for _, n := range []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 59, 60, 61, 100, 119, 120, 500, 1_000, 12_345} {
		for _, stocks := range []int{1, 7, 500} {
			r := itch.NewReader(bytes.NewReader(stream(t, Config{n, stocks, uint64(n)})), false)
			var m itch.Message
			read := int64(0)
			for ; ; read++ {
				if err := r.Next(&m); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%d messages, %d stocks: %v", n, stocks, err)
				}
				if read == 0 && (m.Type() != itch.TypeSystemEvent || m.SystemEvent().Event != itch.EventStartOfMessages) {
					t.Errorf("%d messages, %d stocks: begins with %c", n, stocks, m.Type())
				}
			}
			if read != n {
				t.Errorf("%d messages, %d stocks: read %d", n, stocks, read)
			}
			if n >= 60 && (m.Type() != itch.TypeSystemEvent || m.SystemEvent().Event != itch.EventEndOfMessages) {
				t.Errorf("%d messages, %d stocks: ends with %c", n, stocks, m.Type())
			}
		}
	}
}

func TestTheSameSeedIsTheSameDay(t *testing.T) {
	sum := func(seed uint64) [32]byte { return sha256.Sum256(stream(t, Config{50_000, 50, seed})) }
	if one, again := sum(1), sum(1); one != again {
		t.Error("seed 1 made two days")
	}
	if sum(1) == sum(2) {
		t.Error("seeds 1 and 2 made one day")
	}
}

// TestEveryMessageCouldFollowThoseBeforeIt plays a day through books and finds
// nothing wrong with it.
func TestEveryMessageCouldFollowThoseBeforeIt(t *testing.T) {
	const n = 200_000
	g := New(Config{n, 100, 5})
	set := book.NewSet(1)
	types := map[byte]int{}
	events := ""
	open, halted, resumed := false, map[uint16]bool{}, 0
	trades := map[uint64]bool{}
	var m itch.Message
	var hours [24]int
	var atOpen, atNoon int
	for i := range n {
		if err := g.Next(&m); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		types[m.Type()]++
		hours[int(m.Time()/time.Hour)]++
		switch d := m.Time() - at(9, 30, 0); {
		case d >= 0 && d < 5*time.Minute:
			atOpen++
		case m.Time() >= at(12, 0, 0) && m.Time() < at(12, 5, 0):
			atNoon++
		}
		var c book.Change
		var err error
		executes := false
		switch m.Type() {
		case 'S':
			events += string(m.SystemEvent().Event)
			open = m.SystemEvent().Event == itch.EventStartOfMarketHours || open && m.SystemEvent().Event != itch.EventEndOfMarketHours
		case 'H':
			halted[m.Locate()] = m.TradingAction().State != itch.Trading
			if m.TradingAction().State == itch.Quotation {
				resumed++
			}
		case 'h':
			halted[m.Locate()] = m.OperationalHalt().Action == itch.Halted
		case 'A', 'F':
			o := m.AddOrder()
			side := book.Bid
			if o.Side == itch.Sell {
				side = book.Ask
			}
			c, err = set.Add(m.Locate(), o.Ref, side, uint32(o.Price), o.Shares)
		case 'E':
			x := m.Executed()
			c, err = set.Reduce(m.Locate(), x.Ref, x.Shares)
			trades[x.Match], executes = true, true
		case 'C':
			x := m.ExecutedWithPrice()
			c, err = set.Reduce(m.Locate(), x.Ref, x.Shares)
			trades[x.Match], executes = true, true
		case 'X':
			o, _, _ := set.Get(m.Locate(), m.Cancel().Ref)
			if o.Shares <= m.Cancel().Shares {
				t.Fatalf("message %d cancels %d of %d shares; that is a D", i, m.Cancel().Shares, o.Shares)
			}
			c, err = set.Reduce(m.Locate(), m.Cancel().Ref, m.Cancel().Shares)
		case 'D':
			c, err = set.Delete(m.Locate(), m.Delete().Ref)
		case 'U':
			x := m.Replace()
			c, err = set.Replace(m.Locate(), x.Ref, x.NewRef, uint32(x.Price), x.Shares)
		case 'P':
			trades[m.Trade().Match], executes = true, true
		case 'B':
			if !trades[m.BrokenTrade().Match] {
				t.Fatalf("message %d breaks a trade that nobody knows", i)
			}
		}
		if err != nil {
			t.Fatalf("message %d, %c: %v", i, m.Type(), err)
		}
		if executes && (halted[m.Locate()] || !open) {
			t.Fatalf("message %d, %c: an execution while the stock is halted (%t) or the market closed", i, m.Type(), halted[m.Locate()])
		}
		if c.Book != nil && (c.Book.Locate() != m.Locate() || c.Book.Top().Crossed()) {
			t.Fatalf("message %d, %c of %d: the book of %d is crossed: %+v", i, m.Type(), m.Locate(), c.Book.Locate(), c.Book.Top())
		}
	}
	if events != "OSQMEC" {
		t.Errorf("system events %s, want OSQMEC", events)
	}
	for _, typ := range []byte(itch.Types) {
		if types[typ] == 0 && typ != itch.TypeBreach { // no such day was invented
			t.Errorf("no message of type %c", typ)
		}
	}
	if resumed == 0 {
		t.Error("no trading resumed")
	}
	if atOpen < 5*atNoon {
		t.Errorf("%d messages in the first five minutes, %d in five minutes at noon", atOpen, atNoon)
	}
	if part := float64(types['A']+types['F']+types['D']) / n; part < 0.7 || types['E'] < n/50 || types['U'] < n/50 || types['X'] < n/200 {
		t.Errorf("an odd mix: %v", types)
	}
	if orders := set.Len(); orders > 2*100*ordersPerStock {
		t.Errorf("%d orders are left", orders)
	}
}

func TestInventingAllocatesNothingInTheLongRun(t *testing.T) {
	g := New(Config{10_000_000, 5, 1})
	var m itch.Message
	more := func(n int) {
		for range n {
			if g.Next(&m) != nil {
				t.Fatal("the day is over")
			}
		}
	}
	more(200_000)
	if got := testing.AllocsPerRun(3, func() { more(50_000) }); got > 5 {
		t.Errorf("%v allocations for 50,000 messages", got)
	}
}

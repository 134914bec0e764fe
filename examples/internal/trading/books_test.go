package trading

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"

	"example.com/signals/examples/internal/exampletest"
	"example.com/signals/examples/internal/trading/feedgen"
)

// summary is what -json prints.
type summary struct {
	Messages int               `json:"messages"`
	ByType   map[string]int    `json:"by_type"`
	Unknown  int               `json:"unknown_orders"`
	Executed map[string]uint64 `json:"executed"`
	Traded   uint64            `json:"traded"`
	Books    []summarySide     `json:"books"`
	Checksum string            `json:"checksum"`
}

type summarySide struct {
	Stock  string `json:"stock"`
	Side   string `json:"side"`
	Orders int    `json:"orders"`
	Shares uint64 `json:"shares"`
	Best   string `json:"best"`
}

// summary is the one that -json should print.
func (o *oracle) summary() summary {
	s := summary{o.messages, map[string]int{}, o.unknown, map[string]uint64{}, o.traded, []summarySide{}, o.checksum()}
	for typ, n := range o.byType {
		s.ByType[string(typ)] = n
	}
	for stock, n := range o.executed {
		s.Executed[string(bytes.TrimRight([]byte(stock), " "))] = n
	}
	keys, sides := o.sorted()
	for _, key := range keys {
		side := summarySide{Stock: string(bytes.TrimRight([]byte(key[:8]), " ")), Side: map[byte]string{'B': "bid", 'S': "ask"}[key[8]], Orders: len(sides[key])}
		for _, x := range sides[key] {
			side.Shares += uint64(x.shares)
		}
		best := sides[key][0].price
		side.Best = fmt.Sprintf("%d.%04d", best/10_000, best%10_000)
		s.Books = append(s.Books, side)
	}
	return s
}

// printed is what -json prints after a stream.
func printed(t *testing.T, shards int, stream []byte) summary {
	t.Helper()
	e := New(Config{Shards: shards})
	StartImbalance(e)
	m := measure(e, feed(t, e, stream, Pace{}), 0)
	if m.Failures != 0 || m.Orders.Accepted != m.Standing.Orders {
		t.Errorf("%d failures; %d orders accepted, %d ended", m.Failures, m.Orders.Accepted, m.Standing.Orders)
	}
	var out bytes.Buffer
	if err := writeJSON(&out, &m); err != nil {
		t.Fatal(err)
	}
	var s summary
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func sameAsOracle(t *testing.T, stream []byte) summary {
	t.Helper()
	o, err := oracleOf(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	want := o.summary()
	for _, shards := range []int{1, 2, 5} {
		if got := printed(t, shards, stream); !reflect.DeepEqual(got, want) {
			t.Errorf("%d shards:\n%+v, want\n%+v", shards, got, want)
		}
	}
	return want
}

func TestBooksOfAnInventedDayAreThoseOfTheOracle(t *testing.T) {
	for seed := range uint64(2) {
		s := sameAsOracle(t, invented(t, feedgen.Config{Messages: 60_000, Stocks: 60, Seed: seed}))
		if s.Unknown != 0 || len(s.Books) != 120 || len(s.Executed) != 60 {
			t.Errorf("seed %d: %d unknown orders, %d sides, %d stocks executed", seed, s.Unknown, len(s.Books), len(s.Executed))
		}
	}
}

func TestBooksOfTheRealSample(t *testing.T) {
	f, err := os.Open(exampletest.RealFile(t, "sample.itch50.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	if _, err := all.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	got := sameAsOracle(t, all.Bytes())
	// What is known of the file, and what another program has made of it.
	want := summary{
		Messages: 12_012,
		ByType:   map[string]int{"S": 6, "R": 3, "H": 3, "A": 4_997, "F": 3, "E": 198, "D": 1_745, "P": 5_000, "U": 12, "X": 45},
		Unknown:  117,
		Executed: map[string]uint64{"ALC": 1_133, "BOB": 57_887, "CHAR": 778},
		Traded:   674_132,
		Books: []summarySide{
			{"ALC", "bid", 294, 8_566, "27.0600"}, {"ALC", "ask", 310, 7_221, "20.5400"},
			{"BOB", "bid", 778, 134_703, "6.9667"}, {"BOB", "ask", 797, 219_846, "5.3417"},
			{"CHAR", "bid", 480, 9_522, "25.6500"}, {"CHAR", "ask", 545, 10_315, "19.5750"},
		},
		Checksum: got.Checksum,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want\n%+v", got, want)
	}
}

// A feed that is cut from a day refers to orders that it does not hold.
func TestMessagesAboutUnknownOrdersAreCountedAndSkipped(t *testing.T) {
	all := invented(t, feedgen.Config{Messages: 50_000, Stocks: 20, Seed: 9})
	cut := len(all) / 2 // find the beginning of a message behind it
	at := 0
	for at < cut {
		at += 2 + int(all[at])<<8 + int(all[at+1])
	}
	if s := sameAsOracle(t, all[at:]); s.Unknown < 1_000 {
		t.Errorf("%d messages about unknown orders", s.Unknown)
	}
}

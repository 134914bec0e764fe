package trading

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sort"
)

// oracle rebuilds the books a second time, in the plainest way there is: maps
// and slices, one goroutine, the bytes of the messages as the specification
// says. It shares no code with what it checks.
type oracle struct {
	names  map[uint16]string
	orders map[uint64]*oracleOrder
	seq    int

	messages, unknown int
	byType            map[byte]int
	executed          map[string]uint64
	traded            uint64
}

type oracleOrder struct {
	ref           uint64
	stock         string // padded
	side          byte
	price, shares uint32
	seq           int // of arrival
}

// oracleOf reads a stream to its end. A stream must be sound.
func oracleOf(in io.Reader) (*oracle, error) {
	o := &oracle{orders: map[uint64]*oracleOrder{}, byType: map[byte]int{}, executed: map[string]uint64{}, names: map[uint16]string{}}
	var length [2]byte
	buf := make([]byte, 1<<16)
	for {
		if _, err := io.ReadFull(in, length[:]); errors.Is(err, io.EOF) {
			return o, nil
		} else if err != nil {
			return nil, err
		}
		m := buf[:int(length[0])<<8|int(length[1])]
		if _, err := io.ReadFull(in, m); err != nil {
			return nil, err
		}
		if err := o.message(m); err != nil {
			return nil, fmt.Errorf("message %d: %w", o.messages, err)
		}
	}
}

func (o *oracle) message(m []byte) error {
	num := func(from, n int) (v uint64) {
		for _, b := range m[from : from+n] {
			v = v<<8 | uint64(b)
		}
		return v
	}
	o.messages++
	o.byType[m[0]]++
	var ref uint64
	switch m[0] {
	case 'A', 'F':
		return o.add(&oracleOrder{ref: num(11, 8), stock: string(m[24:32]), side: m[19], price: uint32(num(32, 4)), shares: uint32(num(20, 4))})
	case 'P':
		o.traded += num(20, 4)
		return nil
	case 'E', 'C', 'X', 'D', 'U':
		ref = num(11, 8)
	default:
		return nil
	}
	old := o.orders[ref]
	if old == nil {
		o.unknown++
		return nil
	}
	switch m[0] {
	case 'E', 'C', 'X':
		n := uint32(num(19, 4))
		if n > old.shares {
			return fmt.Errorf("order %d has no %d shares", ref, n)
		}
		if m[0] != 'X' {
			o.executed[old.stock] += uint64(n)
		}
		if old.shares -= n; old.shares == 0 {
			delete(o.orders, ref)
		}
	case 'D':
		delete(o.orders, ref)
	case 'U':
		delete(o.orders, ref)
		return o.add(&oracleOrder{ref: num(19, 8), stock: old.stock, side: old.side, shares: uint32(num(27, 4)), price: uint32(num(31, 4))})
	}
	return nil
}

func (o *oracle) add(n *oracleOrder) error {
	if o.orders[n.ref] != nil {
		return fmt.Errorf("order %d is there already", n.ref)
	}
	o.seq++
	n.seq = o.seq
	o.orders[n.ref] = n
	return nil
}

// sorted are the orders of each side of each book in the order in which they
// would trade: by "SYMBOL  B" or "SYMBOL  S".
func (o *oracle) sorted() (keys []string, sides map[string][]*oracleOrder) {
	sides = map[string][]*oracleOrder{}
	for _, x := range o.orders {
		key := x.stock + string(x.side)
		if sides[key] == nil {
			keys = append(keys, key)
		}
		sides[key] = append(sides[key], x)
	}
	sort.Strings(keys)
	for _, side := range sides {
		sort.Slice(side, func(i, j int) bool {
			a, b := side[i], side[j]
			if a.price != b.price {
				return (a.price > b.price) == (a.side == 'B')
			}
			return a.seq < b.seq
		})
	}
	return keys, sides
}

func (o *oracle) checksum() string {
	sum := sha256.New()
	keys, sides := o.sorted()
	for _, key := range keys {
		for _, x := range sides[key] {
			line := append([]byte(key), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
			binary.BigEndian.PutUint32(line[9:], x.price)
			binary.BigEndian.PutUint64(line[13:], x.ref)
			binary.BigEndian.PutUint32(line[21:], x.shares)
			sum.Write(line)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

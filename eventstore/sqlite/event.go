package sqlite

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// columns are what event reads.
const columns = "position, id, type, schema, stream, version, tags, data, meta, time_ns, stored_ns"

// event returns the event in the row.
func (c *conn) event(s *sqlite3.Stmt) (r eventstore.Recorded, err error) {
	r.Position = eventstore.Position(s.ColumnInt64(0))
	if s.ColumnType(1) == sqlite3.BLOB {
		r.ID = uuidText(s.ColumnRawBlob(1))
	} else {
		r.ID = s.ColumnText(1)
	}
	if r.Type, err = c.text(s.ColumnInt64(2)); err != nil {
		return r, err
	}
	r.Schema = s.ColumnInt(3)
	if stream := s.ColumnInt64(4); stream != 0 { // numbers begin at 1
		if r.Stream, err = c.text(stream); err != nil {
			return r, err
		}
	}
	r.Version = uint64(s.ColumnInt64(5))
	if tags := s.ColumnRawBlob(6); len(tags) > 0 {
		// Looking a name up may move what tags points to.
		var room [16]int64
		ids, err := tagNumbers(room[:0], tags)
		if err != nil {
			return r, fmt.Errorf("corrupted: the tags of the event at position %d: %w", r.Position, err)
		}
		r.Tags = make([]string, len(ids))
		for i, id := range ids {
			if r.Tags[i], err = c.text(id); err != nil {
				return r, err
			}
		}
	}
	if data := s.ColumnRawBlob(7); len(data) > 0 {
		r.Data = append(make([]byte, 0, len(data)), data...)
	}
	if meta := s.ColumnRawText(8); len(meta) > 0 {
		if err := json.Unmarshal(meta, &r.Meta); err != nil {
			return r, fmt.Errorf("corrupted: the meta of the event at position %d: %w", r.Position, err)
		}
	}
	r.Time, r.Stored = time.Unix(0, s.ColumnInt64(9)).UTC(), time.Unix(0, s.ColumnInt64(10)).UTC()
	return r, nil
}

// tagNumbers appends what is in the column tags.
func tagNumbers(ids []int64, blob []byte) ([]int64, error) {
	for len(blob) > 0 {
		id, n := binary.Uvarint(blob)
		if n <= 0 {
			return nil, fmt.Errorf("no numbers: %x", blob)
		}
		ids, blob = append(ids, int64(id)), blob[n:]
	}
	return ids, nil
}

// uuid returns the 16 bytes of an id that is a UUID as eventstore writes them,
// or nil.
func uuid(id string) []byte {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return nil
	}
	out := make([]byte, 0, 16)
	for i := 0; i < 36; i += 2 {
		if id[i] == '-' {
			i++
		}
		hi, lo := digit(id[i]), digit(id[i+1])
		if hi > 15 || lo > 15 {
			return nil
		}
		out = append(out, hi<<4|lo)
	}
	return out
}

// digit is the value of a hexadecimal digit, more than 15 for anything else.
// Capitals are something else: the text must come back as it was.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

func uuidText(b []byte) string {
	if len(b) != 16 {
		return fmt.Sprintf("corrupted id %x", b)
	}
	var t [36]byte
	hex.Encode(t[:8], b[:4])
	hex.Encode(t[9:13], b[4:6])
	hex.Encode(t[14:18], b[6:8])
	hex.Encode(t[19:23], b[8:10])
	hex.Encode(t[24:], b[10:])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}

// idArg is an id as the column has it: 16 bytes, or text.
func idArg(id string) any {
	if b := uuid(id); b != nil {
		return b
	}
	return id
}

// metaArg is what the column meta has.
func metaArg(meta map[string]string) any {
	if len(meta) == 0 {
		return nil
	}
	b, err := json.Marshal(meta)
	if err != nil {
		panic(err) // a map of strings
	}
	return string(b)
}

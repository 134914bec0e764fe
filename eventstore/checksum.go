package eventstore

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"slices"
	"sync"
)

// Checksum is what a backend has kept of an event beside it, to find damage that
// leaves it readable.
type Checksum struct {
	Sum   uint32 // what Recorded.Checksum was when the event was stored
	Known bool   // false: it was stored by a version that kept none
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	sumRooms   = sync.Pool{New: func() any { return new(make([]byte, 0, 1024)) }}
)

// Checksum returns a CRC-32C (Castagnoli, as in RFC 3720) of everything in r. Backends
// keep it with the event, so what goes in, and how, never changes: the numbers
// (position, version, schema, and the times as nanoseconds since 1970) as 8 bytes
// each, little endian; then ID, type, stream, the tags, and the names and values of Meta
// in the order of the names, each text with its length in 4 bytes before it, and the
// tags and Meta with their number; then the data.
//
// It is against bit rot, not against people: who can write to the database can write
// another sum.
func (r *Recorded) Checksum() uint32 {
	room := sumRooms.Get().(*[]byte)
	b := (*room)[:0]
	for _, n := range []uint64{uint64(r.Position), r.Version, uint64(r.Schema), uint64(r.Time.UnixNano()), uint64(r.Stored.UnixNano())} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	text := func(s string) {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	text(r.ID)
	text(r.Type)
	text(r.Stream)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Tags)))
	for _, tag := range r.Tags {
		text(tag)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Meta)))
	if len(r.Meta) > 0 {
		for _, k := range slices.Sorted(maps.Keys(r.Meta)) {
			text(k)
			text(r.Meta[k])
		}
	}
	sum := crc32.Update(crc32.Update(0, castagnoli, b), castagnoli, r.Data)
	if cap(b) <= 1<<16 { // a larger one is left to the garbage collector
		*room = b
		sumRooms.Put(room)
	}
	return sum
}

// sums compares events with their checksums, as Check comes to them.
type sums struct {
	backend Checksums // nil: it keeps none
	after   Position  // window is of the events after it
	window  []Checksum
	unknown uint64 // events without a checksum
}

// wrong reports whether the event is another one than was stored.
func (s *sums) wrong(ctx context.Context, r *Recorded) (bool, error) {
	if s.backend == nil {
		s.unknown++
		return false, nil
	}
	if r.Position <= s.after || r.Position > s.after+Position(len(s.window)) {
		var err error
		s.after = r.Position - 1
		if s.window, err = s.backend.ChecksumsAfter(ctx, s.after, maxPage); err != nil {
			return false, err
		}
		if len(s.window) == 0 { // somebody has deleted it meanwhile
			return true, nil
		}
	}
	c := s.window[r.Position-s.after-1]
	if !c.Known {
		s.unknown++
		return false, nil
	}
	return c.Sum != r.Checksum(), nil
}

package eventstore

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// ids makes UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, then 12
// bits of the fraction of the millisecond (section 6.2, method 3), then 62
// random ones. Those of one process sort in the order in which they were made,
// also while the clock stands still or goes back; so an index of them grows at
// its end.
var ids struct {
	mu   sync.Mutex
	last uint64 // milliseconds<<12 | fraction, of the last one; under mu
}

// newID returns a new time-ordered UUID.
func newID() string {
	now := time.Now()
	ms := uint64(now.UnixMilli())
	fraction := uint64(now.Nanosecond()%int(time.Millisecond)) << 12 / uint64(time.Millisecond)
	ids.mu.Lock()
	ids.last = max(ids.last+1, ms<<12|fraction)
	stamp := ids.last
	ids.mu.Unlock()

	var id [16]byte
	rand.Read(id[8:]) // never fails
	binary.BigEndian.PutUint64(id[:], stamp>>12<<16|7<<12|stamp&0xfff)
	id[8] = id[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[:8], id[:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:], id[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

package inspector

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"sync"
	"time"
)

// feedKey says what is rendered. Two requests with the same key may share it.
type feedKey struct {
	name   string // of the page, or of the data
	access Access
	query  query
	asked  string // what a stream calls it
}

// feeds are the renderings that somebody is being sent.
type feeds struct {
	mu sync.Mutex
	by map[feedKey]*feed // under mu
}

// feed is what is shown for one key: rendered once for each sample, whoever
// asks first, and shared.
type feed struct {
	key   feedKey
	users int // under feeds.mu

	mu     sync.Mutex // over what follows, and held while it is rendered
	sample uint64
	last   *rendered // nil: none yet
	err    error
}

func (f *feeds) join(key feedKey) *feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.by[key]
	if got == nil {
		if f.by == nil {
			f.by = make(map[feedKey]*feed)
		}
		got = &feed{key: key}
		f.by[key] = got
	}
	got.users++
	return got
}

func (f *feeds) leave(got *feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if got.users--; got.users == 0 {
		delete(f.by, got.key)
	}
}

// at returns what is shown of a sample. What was rendered of a later one
// serves as well.
func (f *feed) at(sample uint64, render func() ([]byte, error)) (*rendered, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil && f.err == nil || f.sample < sample {
		data, err := render()
		f.sample, f.last, f.err = sample, &rendered{plain: data}, err
	}
	return f.last, f.err
}

// rendered is an answer, or an event of a stream. It is only read.
type rendered struct {
	plain []byte
	once  sync.Once
	small []byte // see packed
}

var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // of a level that there is: never
	}
	return w
}}

// packed returns it as a part of a deflate stream that refers to nothing before
// it and ends at a byte: so the same part can be sent in the streams of many,
// whenever they began.
func (r *rendered) packed() []byte {
	r.once.Do(func() {
		var b bytes.Buffer
		w := packers.Get().(*flate.Writer)
		w.Reset(&b)
		_, _ = w.Write(r.plain)
		_ = w.Flush()
		packers.Put(w)
		r.small = b.Bytes()
	})
	return r.small
}

// output writes rendered parts to one browser, as they are or as one gzip
// stream.
type output struct {
	w       http.ResponseWriter
	control *http.ResponseController
	gzip    bool
	sum     uint32 // of what was sent, CRC-32
	size    uint32
}

func (o *output) begin() error {
	if !o.gzip {
		return nil
	}
	return o.write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}) // RFC 1952: deflate, no time, no name, any system
}

func (o *output) send(r *rendered) error {
	if !o.gzip {
		return o.write(r.plain)
	}
	o.sum, o.size = crc32.Update(o.sum, crc32.IEEETable, r.plain), o.size+uint32(len(r.plain))
	return o.write(r.packed())
}

// end ends the gzip stream with an empty last block, and what checks it.
func (o *output) end() error {
	if !o.gzip {
		return nil
	}
	end := []byte{1, 0, 0, 0xff, 0xff}
	end = binary.LittleEndian.AppendUint32(end, o.sum)
	return o.write(binary.LittleEndian.AppendUint32(end, o.size))
}

// write sends in pieces, each of which has as long as patience says, whatever
// the server's WriteTimeout is.
func (o *output) write(data []byte) error {
	for len(data) > 0 {
		piece := data[:min(len(data), onePiece)]
		data = data[len(piece):]
		// Servers that know no deadline have their own ways with slow clients.
		_ = o.control.SetWriteDeadline(time.Now().Add(patience))
		if _, err := o.w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

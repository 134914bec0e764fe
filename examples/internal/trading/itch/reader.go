package itch

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// FormatError says what is wrong with a stream, and where.
type FormatError struct {
	Offset int64 // of the message's length, in bytes from the start of the (unpacked) stream
	Reason string
	Err    error // of the source, or nil
}

// Error names the offset.
func (e *FormatError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("itch: at byte %d: %s: %v", e.Offset, e.Reason, e.Err)
	}
	return fmt.Sprintf("itch: at byte %d: %s", e.Offset, e.Reason)
}

// Unwrap is the error of the source.
func (e *FormatError) Unwrap() error { return e.Err }

// Skipped counts what a lenient reader passed over.
type Skipped struct {
	Truncated  int64 // 1 if the stream ended inside a message
	Unknown    int64 // messages of an unknown type
	WrongSize  int64 // messages of another size than their type has
	OutOfOrder int64 // messages with an earlier time than one before them
	Damaged    int64 // messages of a time that no day has, and orders that neither buy nor sell
}

// Total is the sum of all.
func (s Skipped) Total() int64 {
	return s.Truncated + s.Unknown + s.WrongSize + s.OutOfOrder + s.Damaged
}

// Reader reads messages, each behind its length in two bytes. It allocates
// nothing once it is made. One goroutine at a time may use it.
type Reader struct {
	in      *bufio.Reader
	lenient bool
	offset  int64 // of the next length
	last    time.Duration
	skipped Skipped
}

// maxFrame is the longest thing that a length can announce, with the length.
const maxFrame = 2 + 1<<16 - 1

// NewReader reads from in. A strict reader ends with a *FormatError at the
// first message that is not as it should be; a lenient one counts and skips it.
func NewReader(in io.Reader, lenient bool) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, 4*maxFrame), lenient: lenient}
}

// Skipped is what has been skipped so far.
func (r *Reader) Skipped() Skipped { return r.skipped }

// Offset is how many bytes of the stream have been read.
func (r *Reader) Offset() int64 { return r.offset }

// Next reads a message into m. It returns io.EOF at the end, a *FormatError for
// what is wrong, and the error of the source, in a *FormatError, if it fails.
func (r *Reader) Next(m *Message) error {
	for {
		head, err := r.in.Peek(3) // the type too, unless there is none
		if len(head) < 3 {
			return r.end(head, err)
		}
		n := int(binary.BigEndian.Uint16(head))
		typ := head[2]
		frame, err := r.in.Peek(2 + n)
		if err != nil {
			return r.cut(len(frame), fmt.Sprintf("the stream ends inside a message of type %s, %d of %d bytes", name(typ), max(len(frame)-2, 0), n), err)
		}
		size := int(sizes[typ])
		switch {
		case n == 0:
			err = r.skip(&r.skipped.WrongSize, "a message of length 0, which ends a stream, is not at its end")
		case size == 0:
			err = r.skip(&r.skipped.Unknown, "type %s is unknown (length %d)", name(typ), n)
		case n != size:
			err = r.skip(&r.skipped.WrongSize, "a message of type %s has %d bytes, want %d", name(typ), n, size)
		default:
			copy(m.raw[:], frame[2:])
			side := Side(m.raw[19]) // of an A or F
			switch t := m.Time(); {
			case t >= 24*time.Hour: // after which every sound message would be late
				err = r.skip(&r.skipped.Damaged, "a message of type %s is of %v, which is no time of a day", name(typ), t)
			case t < r.last:
				err = r.skip(&r.skipped.OutOfOrder, "a message of type %s is of %v, the one before it of %v", name(typ), t, r.last)
			case side != Buy && side != Sell && (typ == TypeAddOrder || typ == TypeAddOrderMPID):
				err = r.skip(&r.skipped.Damaged, "an order of type %s is for side %s, want 'B' or 'S'", name(typ), name(byte(side)))
			default:
				r.last = t
				r.pass(2 + n)
				return nil
			}
		}
		if err != nil {
			return err
		}
		r.pass(2 + n)
	}
}

// end is what Next returns when nothing follows but head.
func (r *Reader) end(head []byte, err error) error {
	switch {
	case len(head) == 0 && errors.Is(err, io.EOF):
		return io.EOF
	case len(head) == 2 && errors.Is(err, io.EOF) && head[0] == 0 && head[1] == 0:
		r.pass(2) // the mark that the stream is complete
		return io.EOF
	}
	return r.cut(len(head), fmt.Sprintf("the stream ends inside the length of a message or behind it, %d bytes", len(head)), err)
}

// cut is what Next returns when the stream ended early, or its source failed.
func (r *Reader) cut(rest int, reason string, err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &FormatError{r.offset, "cannot read on", err}
	}
	if errors.Is(err, io.EOF) {
		err = nil // that is the reason already
	}
	if !r.lenient {
		return &FormatError{r.offset, reason, err}
	}
	if rest > 0 || err != nil {
		r.skipped.Truncated++
	}
	r.pass(rest)
	return io.EOF
}

// skip counts a bad message, or is the error of a strict reader.
func (r *Reader) skip(count *int64, format string, args ...any) error {
	if !r.lenient {
		return &FormatError{Offset: r.offset, Reason: fmt.Sprintf(format, args...)}
	}
	*count++
	return nil
}

func (r *Reader) pass(n int) {
	_, _ = r.in.Discard(n) // n bytes are there
	r.offset += int64(n)
}

// name writes a type so that a person can read it.
func name(typ byte) string {
	if typ > ' ' && typ <= '~' {
		return fmt.Sprintf("%q", typ)
	}
	return fmt.Sprintf("0x%02x", typ)
}

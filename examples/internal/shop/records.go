package shop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits on one record. encoding/csv has none: after a stray quote it reads
// the rest of the file into a single field, and every later row is gone. Here
// a record that does not end within its limits is reported, and reading goes
// on with the next line of text.
const (
	maxLineBytes   = 64 << 10
	maxRecordLines = 32
)

// RowError is a row that could not be read. The rows after it can.
type RowError struct {
	Line   int // of the file, the first is 1
	Reason string
}

func (e *RowError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// recordReader splits a text into CSV records by the rules of encoding/csv,
// with two differences: it carries on after a bad record, and it holds one
// record in memory at most.
type recordReader struct {
	in     *bufio.Reader
	line   int        // number of the last line taken
	back   []textLine // lines looked at and put back, to be taken before in
	fields []string   // reused between records
	failed error      // why in can give no more, once it cannot
}

// textLine is a line without its end, "\n" or "\r\n".
type textLine struct {
	text    string
	ended   bool // there was a line end, not only the end of the file
	tooLong bool // text is empty; the line was longer than maxLineBytes
}

func newRecordReader(in io.Reader) *recordReader {
	return &recordReader{in: bufio.NewReaderSize(in, maxLineBytes)}
}

// next returns the fields of the next record, valid until the next call, and
// the number of its first line. A *RowError concerns one record only; any
// other error is the end.
func (r *recordReader) next() (fields []string, line int, err error) {
	var first textLine
	for {
		if first, err = r.take(); err != nil {
			return nil, r.line, err
		}
		if first.text != "" || first.tooLong {
			break // empty lines are no records
		}
	}
	line = r.line
	if first.tooLong {
		return nil, line, &RowError{line, fmt.Sprintf("longer than %d bytes", maxLineBytes)}
	}
	r.fields, err = split(r.fields[:0], first.text)
	if errors.Is(err, errOpenQuote) {
		err = r.extend(first)
	}
	if err != nil {
		return nil, line, &RowError{line, err.Error()}
	}
	return r.fields, line, nil
}

// extend adds lines to a record whose quoted field is still open. If that
// leads nowhere the lines are put back: they are records of their own.
func (r *recordReader) extend(first textLine) error {
	var (
		text  = first.text
		more  []textLine
		start = r.line
	)
	giveUp := func(err error) error {
		r.back = append(more, r.back...)
		r.line = start
		return err
	}
	for last := first; last.ended && len(more) < maxRecordLines; {
		next, err := r.take()
		if err != nil {
			break // next() will find it again, behind the lines put back
		}
		more = append(more, next)
		if last = next; next.tooLong || len(text)+len(next.text) >= maxLineBytes {
			break
		}
		text += "\n" + next.text
		if !closesQuote(next.text) {
			continue // splitting again would find the same
		}
		r.fields, err = split(r.fields[:0], text)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, errOpenQuote):
			return giveUp(err)
		}
	}
	return giveUp(errOpenQuote)
}

// take returns the next line of the file.
func (r *recordReader) take() (textLine, error) {
	if len(r.back) > 0 {
		l := r.back[0]
		r.back = r.back[1:]
		r.line++
		return l, nil
	}
	if r.failed != nil {
		return textLine{}, r.failed
	}
	b, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return r.skipLine()
	}
	r.failed = err
	if err != nil && (!errors.Is(err, io.EOF) || len(b) == 0) {
		return textLine{}, err // what has been read of a broken file's last line is not a row
	}
	r.line++
	l := textLine{ended: err == nil}
	if l.ended {
		b = b[:len(b)-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	l.text = string(b)
	return l, nil
}

// skipLine passes over the rest of a line that is too long to keep.
func (r *recordReader) skipLine() (textLine, error) {
	err := bufio.ErrBufferFull
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.in.ReadSlice('\n')
	}
	r.failed = err
	if err != nil && !errors.Is(err, io.EOF) {
		return textLine{}, err
	}
	r.line++
	return textLine{ended: err == nil, tooLong: true}, nil
}

var (
	errOpenQuote  = errors.New("a quoted field is not closed")
	errBareQuote  = errors.New(`a quote in a field that is not quoted`)
	errStrayQuote = errors.New(`a quote inside a quoted field is not doubled`)
)

// split appends the fields of one record to dst.
func split(dst []string, text string) ([]string, error) {
	for {
		if !strings.HasPrefix(text, `"`) {
			field, rest, more := strings.Cut(text, ",")
			if strings.IndexByte(field, '"') >= 0 {
				return dst, errBareQuote
			}
			dst = append(dst, field)
			if !more {
				return dst, nil
			}
			text = rest
			continue
		}
		end := 1 + quoteEnd(text[1:])
		if end == 0 {
			return dst, errOpenQuote
		}
		dst = append(dst, strings.ReplaceAll(text[1:end], `""`, `"`))
		switch text = text[end+1:]; {
		case text == "":
			return dst, nil
		case text[0] != ',':
			return dst, errStrayQuote
		}
		text = text[1:]
	}
}

// closesQuote reports whether text holds a quote that ends an open field.
func closesQuote(text string) bool { return quoteEnd(text) >= 0 }

// quoteEnd is the index of the first quote that is not doubled, or -1.
func quoteEnd(text string) int {
	for i := 0; ; i += 2 {
		q := strings.IndexByte(text[i:], '"')
		if q < 0 {
			return -1
		}
		i += q
		if i+1 == len(text) || text[i+1] != '"' {
			return i
		}
	}
}

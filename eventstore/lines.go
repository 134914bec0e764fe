package eventstore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// lineReader reads the lines of an export.
type lineReader struct {
	in   *bufio.Reader
	line int // number of the last line read, from 1
}

// next returns the next line; io.EOF after the last.
func (l *lineReader) next() ([]byte, error) {
	l.line++
	var text []byte
	for {
		part, err := l.in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case err == nil && !utf8.Valid(text): // JSON would put other characters in their place
			return nil, errors.New("it is damaged: it is not UTF-8")
		case err == nil:
			return text, nil
		case errors.Is(err, io.EOF) && len(text) == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("it is cut off after %s: want a line break", plural(len(text), "byte"))
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(text) > maxLine:
			return nil, fmt.Errorf("it has more than %d bytes: %w", maxLine, ErrTooLarge)
		}
	}
}

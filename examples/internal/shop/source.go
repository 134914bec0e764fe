package shop

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
)

// Input is a file to replay: plain or gzip, named or standard input.
type Input struct {
	Name string // as the user gave it
	Size int64  // in bytes as stored; 0 if unknown

	read  atomic.Int64 // bytes taken so far, as stored
	file  *os.File
	stdin bool

	// From the first Read on, and for the one who reads.
	text io.Reader
	gzip bool
}

// OpenInput opens a file, or standard input for "-", and reads nothing yet:
// that may take as long as somebody takes to write. To open a named pipe may,
// too.
func OpenInput(name string) (*Input, error) {
	in := &Input{Name: name}
	if name == "-" {
		in.Name, in.file, in.stdin = "standard input", os.Stdin, true
	} else {
		f, err := os.Open(name)
		if err != nil {
			if path, ok := errors.AsType[*os.PathError](err); ok {
				err = path.Err
			}
			return nil, fmt.Errorf("cannot open %s: %w", name, err)
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = errors.New("it is a directory")
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		if info.Mode().IsRegular() {
			in.Size = info.Size()
		}
		in.file = f
	}
	return in, nil
}

// detect tells gzip by the first bytes, because standard input has no name.
func (in *Input) detect() error {
	raw := bufio.NewReaderSize(counter{in.file, &in.read}, 64<<10)
	magic, err := raw.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	in.gzip = string(magic) == gzipMagic
	if !in.gzip {
		if strings.HasSuffix(in.Name, ".gz") {
			return gzip.ErrHeader
		}
		in.text = raw
		return nil
	}
	z, err := gzip.NewReader(raw)
	if err != nil {
		return err
	}
	z.Multistream(false)
	in.text = &members{raw, z}
	return nil
}

// Read implements io.Reader with the text of the file.
func (in *Input) Read(p []byte) (int, error) {
	if in.text == nil {
		if err := in.detect(); err != nil {
			return 0, err
		}
	}
	return in.text.Read(p)
}

const gzipMagic = "\x1f\x8b"

// members reads the members of a gzip file one after the other. A gzip.Reader
// does so itself, but takes a few bytes of something else behind the last one
// for a header that is cut off.
type members struct {
	raw *bufio.Reader
	*gzip.Reader
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.Reader.Read(p)
		switch {
		case !errors.Is(err, io.EOF):
			return n, err
		case n > 0:
			return n, nil // it says so again
		}
		switch magic, err := m.raw.Peek(2); {
		case err != nil && !errors.Is(err, io.EOF):
			return 0, err
		case len(magic) == 0:
			return 0, io.EOF
		case string(magic) != gzipMagic:
			return 0, gzip.ErrHeader
		}
		if err := m.Reset(m.raw); err != nil {
			return 0, err
		}
		m.Multistream(false)
	}
}

// Done is the part of the file that has been read, or -1 if its size is unknown.
func (in *Input) Done() float64 {
	if in.Size == 0 {
		return -1
	}
	return float64(in.read.Load()) / float64(in.Size)
}

// Close closes a file. Standard input is not ours to close.
func (in *Input) Close() error {
	if in.stdin {
		return nil
	}
	return in.file.Close()
}

// Explain puts a reading error into words that say what to do about it.
func (in *Input) Explain(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && in.gzip:
		return fmt.Errorf("cannot read %s: the gzip file is cut off", in.Name)
	case errors.Is(err, gzip.ErrHeader) && in.gzip:
		return fmt.Errorf("cannot read %s: the gzip file is damaged, or something follows it", in.Name)
	case errors.Is(err, gzip.ErrHeader):
		return fmt.Errorf("cannot read %s: it is not a gzip file", in.Name)
	case errors.Is(err, gzip.ErrChecksum):
		return fmt.Errorf("cannot read %s: the gzip file is damaged (its checksum is wrong)", in.Name)
	}
	return fmt.Errorf("cannot read %s: %w", in.Name, err)
}

// counter counts the bytes that pass.
type counter struct {
	in io.Reader
	n  *atomic.Int64
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n.Add(int64(n))
	return n, err
}

package trading

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// input is a file to replay: plain or gzip, named or standard input.
type input struct {
	name  string // as an error should call it
	again bool   // it can be opened again
	file  *os.File
	bytes io.Reader
}

// openInput opens a file, or standard input for "-". Whether it is gzip is told
// by its first bytes, because standard input has no name.
func openInput(name string) (*input, error) {
	in := &input{name: name}
	if name == "-" {
		in.name, in.file = "standard input", os.Stdin
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("cannot open %s: %w", name, bare(err))
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = errors.New("it is a directory")
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot read %s: %w", name, bare(err))
		}
		in.file, in.again = f, info.Mode().IsRegular()
	}
	if err := in.detect(); err != nil {
		in.Close()
		return nil, fmt.Errorf("cannot read %s: %w", in.name, bare(err))
	}
	return in, nil
}

// openInputUnless is openInput, but ends with ctx: a named pipe cannot be opened
// before somebody writes to it, and any pipe may be silent. Then the input has
// nothing in it.
func openInputUnless(ctx context.Context, name string) (*input, error) {
	if info, err := os.Stat(name); name != "-" && (err != nil || info.Mode().IsRegular()) {
		return openInput(name)
	}
	type result struct {
		in  *input
		err error
	}
	opened := make(chan result)
	go func() {
		in, err := openInput(name)
		select {
		case opened <- result{in, err}:
		case <-ctx.Done():
			if err == nil {
				in.Close()
			}
		}
	}()
	select {
	case r := <-opened:
		return r.in, r.err
	case <-ctx.Done():
		return &input{name: name, bytes: strings.NewReader("")}, nil
	}
}

func (in *input) detect() error {
	raw := bufio.NewReaderSize(in.file, 1<<18)
	in.bytes = raw
	magic, err := raw.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	// A message of 8075 bytes, which is what these two bytes would announce,
	// does not exist; so they are gzip's.
	if strings.HasPrefix(string(magic), "\x1f\x8b") {
		in.bytes, err = gzip.NewReader(raw)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the gzip file is cut off")
		}
		return err
	}
	switch {
	case strings.HasSuffix(in.name, ".gz"):
		return errors.New("it is not a gzip file")
	case len(magic) == 0:
		return errors.New("it is empty")
	}
	return nil
}

// Read implements io.Reader with what is in the file, unpacked.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.bytes.Read(p)
	if errors.Is(err, gzip.ErrHeader) {
		err = fmt.Errorf("what follows the gzip data is no gzip data: %w", err)
	}
	return n, err
}

// Close closes a file. Standard input is not ours to close.
func (in *input) Close() {
	if in.file != nil && in.file != os.Stdin {
		in.file.Close()
	}
}

// bare is the reason of an error without the path, which has been named.
func bare(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

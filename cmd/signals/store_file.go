package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// mustBeStore looks for the table of a store in a file and its WAL. To open a
// database that is something else would make a store of it. It looks at the
// bytes, since a connection to SQLite would write files beside it.
func mustBeStore(ctx context.Context, file string) error {
	begin := make([]byte, 16)
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	_, err = io.ReadFull(f, begin)
	_ = f.Close()
	if err != nil || string(begin) != "SQLite format 3\x00" {
		return fmt.Errorf("%s: it is no SQLite database, or its beginning is corrupted", file)
	}
	for _, name := range []string{file, file + "-wal"} {
		found, err := mentions(ctx, name, []byte("eventstore_store"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if found {
			return nil
		}
	}
	return fmt.Errorf("%s: it is a SQLite database, but has no event store", file)
}

// mentions reports whether a file has that text.
func mentions(ctx context.Context, file string, text []byte) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	buf, kept := make([]byte, 1<<20), 0
	for ctx.Err() == nil {
		n, err := f.Read(buf[kept:])
		if n += kept; bytes.Contains(buf[:n], text) {
			return true, nil
		}
		kept = copy(buf, buf[max(0, n-len(text)+1):n])
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, ctx.Err()
}

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ncruces/go-sqlite3"
)

const diskFull = "the disk is full: make room, then open the store again"

// tight is how much free space no file of a store fits into when it grows: less
// than a page of the WAL's index.
const tight = 64 << 10

// unwritable names what of a store keeps it from being opened for writing, if
// that is what the error is about: one of its files, or the directory.
func unwritable(path string, err error) error {
	switch {
	case path == "": // it was not found out
		return nil
	case errors.Is(err, syscall.EROFS):
	case errors.Is(err, fs.ErrPermission), errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.CANTOPEN):
	default:
		return nil
	}
	for _, suffix := range []string{"", "-lock", "-wal", "-shm"} {
		f, err := os.OpenFile(path+suffix, os.O_RDWR, 0)
		switch {
		case err == nil:
			_ = f.Close()
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("the file %s cannot be written to, and a store is not opened for reading alone: make it writable, or copy the store to where it is: %w", path+suffix, err)
		}
	}
	return fmt.Errorf("the directory %s cannot be written to, and a store needs files beside it, %s-lock and others: make it writable, or have the store in another one: %w", filepath.Dir(path), filepath.Base(path), err)
}

// isCorrupted reports whether what was found in the file makes no sense.
func isCorrupted(err error) bool {
	return err != nil && (errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) || strings.Contains(err.Error(), "corrupted: "))
}

// explain says in words what SQLite's codes mean here, for a store in that file.
func explain(path string, err error) error {
	if errors.Is(err, sqlite3.IOERR) {
		// Some calls of the system have no other code for a full disk.
		if free, known := freeSpace(filepath.Dir(path)); known && free < tight {
			return fmt.Errorf("%s (%d KiB are free): %w", diskFull, free>>10, err)
		}
	}
	for code, text := range map[error]string{
		sqlite3.NOTADB:   "it is no SQLite database, or its beginning is corrupted",
		sqlite3.CORRUPT:  "it is corrupted: restore a back-up",
		sqlite3.FULL:     diskFull,
		syscall.ENOSPC:   diskFull,
		sqlite3.READONLY: "it cannot be written to: the file, its directory and the files beside it must be writable",
		sqlite3.CANTOPEN: "it cannot be opened or made: the directory must be writable",
		sqlite3.BUSY:     "another program is using the file",
		sqlite3.TOOBIG:   "too large for SQLite",
	} {
		if errors.Is(err, code) {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return err
}

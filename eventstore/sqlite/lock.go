package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// ErrLocked says that the store is open already, here or in another process.
var ErrLocked = errors.New("the store is open in another DB: one at a time can have it, in one process")

// lock is a locked file: PATH-lock, not the store itself, whose locks are
// SQLite's. The system releases it when the process ends. The file stays, but for
// one that was made for a store that could not be opened.
type lock struct {
	f    *os.File
	made bool // it was not there
}

// takeLock locks the file, and writes the number of the process into it, for
// the error of others.
func takeLock(path string) (*lock, error) {
	f, made, err := openLock(path)
	if err != nil {
		return nil, err
	}
	err = lockFile(f)
	if err == nil && !names(path, f) { // whoever had it has removed it: it locks nothing any more
		f.Close()
		return takeLock(path)
	}
	if err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		if !errors.Is(err, errHeld) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(holder))); err == nil && pid != os.Getpid() {
			return nil, fmt.Errorf("%w (process %d)", ErrLocked, pid)
		}
		return nil, ErrLocked
	}
	if f.Truncate(0) == nil { // a hint: that it cannot be written is no failure
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return &lock{f, made}, nil
}

// openLock opens the file, and reports whether it has made it.
func openLock(path string) (f *os.File, made bool, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return f, err == nil, err
	}
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	return f, false, err
}

// names reports whether path is the name of that file.
func names(path string, f *os.File) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	open, err := f.Stat()
	return err == nil && os.SameFile(there, open)
}

func (l *lock) release() error { return l.f.Close() }

// undo releases the lock, and removes a file that was made for it. While it is
// locked: who has opened it meanwhile finds out, see takeLock.
func (l *lock) undo() error {
	if l.made {
		_ = os.Remove(l.f.Name()) // Windows does not remove what is open
	}
	return l.release()
}

// errHeld: another one has the lock.
var errHeld = errors.New("held")

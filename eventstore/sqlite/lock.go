package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// ErrLocked says that the store is open already, here or in another process.
var ErrLocked = errors.New("the store is open in another DB: one at a time can have it, in one process")

// lock is a locked file: PATH-lock, not the store itself, whose locks are
// SQLite's. The system releases it when the process ends. The file stays: who
// removes it lets two in.
type lock struct{ f *os.File }

// takeLock locks the file, and writes the number of the process into it, for
// the error of others.
func takeLock(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
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
	return &lock{f}, nil
}

func (l *lock) release() error { return l.f.Close() }

// errHeld: another one has the lock.
var errHeld = errors.New("held")

//go:build unix

package cluster

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks an open file, or reports that another one has.
func lockFile(f *os.File) (free bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// newFile is a file that gets its name when it is whole. Until then it is
// NAME.part.
type newFile struct {
	*os.File
	name string
	kept bool
}

// makeFile makes one. A file that is there may be the only one of its kind, and is
// left alone.
func makeFile(name string) (*newFile, error) {
	if _, err := os.Lstat(name); err == nil {
		return nil, fmt.Errorf("%s exists: give the name of a file that is not there", name)
	}
	f, err := os.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s.part is there: another command is writing %s, or was killed; remove it then", name, name)
	}
	if err != nil {
		return nil, err
	}
	return &newFile{File: f, name: name}, nil
}

// keep makes the file durable, and gives it its name.
func (f *newFile) keep() error {
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	f.kept = true
	return os.Rename(f.Name(), f.name)
}

// discard removes the file if it has not been kept.
func (f *newFile) discard() {
	if !f.kept {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
}

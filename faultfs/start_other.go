//go:build !linux

package faultfs

import (
	"errors"
	"runtime"
)

const tempPattern = "faultfs-*"

func available() error { return errors.New("it needs Linux, this is " + runtime.GOOS) }

func removeStale() error { return nil }

func startServer(config) (*FS, error) { return nil, ErrUnavailable }

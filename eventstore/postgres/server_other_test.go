//go:build !linux

package postgres

import "syscall"

func asUser(int, int) *syscall.SysProcAttr { return nil }

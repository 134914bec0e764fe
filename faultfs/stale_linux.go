package faultfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	tempPattern = "faultfs-*"
	fsType      = "faultfs" // mounts are of type fuse.faultfs
)

// source is what the mounts of this process are called: its id and when it began,
// which no later process has in common with it.
func source() string {
	pid := os.Getpid()
	return fmt.Sprintf("%s:%d:%s", fsType, pid, startTime(pid))
}

// startTime returns when a process began, in clock ticks since the system did, or "" if
// there is no such process, or one that has ended and that its parent did not wait for.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field, a name in parentheses, may have spaces in it.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
	if fields := strings.Fields(rest); len(fields) > 19 && fields[0] != "Z" {
		return fields[19]
	}
	return ""
}

// removeStale unmounts what servers left that were killed.
func removeStale() error {
	mounts, err := mounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		fields := strings.Split(m.source, ":")
		if len(fields) != 3 {
			continue
		}
		pid, err := strconv.Atoi(fields[1])
		if err != nil || startTime(pid) == fields[2] {
			continue // alive
		}
		// Alive as well, perhaps, where this process cannot see it.
		var st syscall.Statfs_t
		if err := syscall.Statfs(m.dir, &st); !errors.Is(err, syscall.ENOTCONN) {
			continue
		}
		if err := detach(m.dir); err != nil {
			return fmt.Errorf("faultfs: unmounting %s, which a killed test run left: %w", m.dir, err)
		}
		if ok, _ := filepath.Match(tempPattern, filepath.Base(m.dir)); ok {
			_ = os.Remove(m.dir) // only if it is empty
		}
	}
	return nil
}

type mountpoint struct{ dir, source string }

// mounts returns the mounts of this file system, from proc_pid_mountinfo(5).
func mounts() ([]mountpoint, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("faultfs: %w", err)
	}
	var found []mountpoint
	for line := range strings.Lines(string(info)) {
		before, after, ok := strings.Cut(line, " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if ok && len(where) > 4 && len(what) > 1 && what[0] == "fuse."+fsType {
			found = append(found, mountpoint{unescape(where[4]), unescape(what[1])})
		}
	}
	return found, nil
}

// unescape undoes what the kernel does to blanks and backslashes.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

package faultfs

import "strings"

// Op is a set of kinds of operation: those that are counted and can fail.
type Op uint16

// The kinds of operation, each one call of the kernel: a write of more than
// 128 KiB is several.
const (
	Read     Op = 1 << iota // of the content of a file
	Write                   // of the content of a file
	Truncate                // ftruncate, truncate, open with O_TRUNC
	Allocate                // fallocate, also where it makes holes
	Sync                    // fsync, fdatasync, and a write to a file open with O_SYNC or O_DSYNC, after the Write
	SyncDir                 // fsync of a directory
	Open                    // of a file that exists
	Create                  // of a file, directory, symbolic link or socket
	Link                    // one more name for a file
	Rename                  // of anything, also over something else
	Remove                  // unlink, rmdir

	end

	// Changes is all that change something or make it durable. A single-threaded
	// program repeats them exactly, which reads, answered by caches, need not.
	Changes = Any &^ (Read | Open)
	// Any is all of them.
	Any = end - 1
)

var opNames = [...]string{"read", "write", "truncate", "allocate", "sync", "sync of a directory",
	"open", "create", "link", "rename", "remove"}

// String returns the kinds in words, separated by "|".
func (o Op) String() string {
	var names []string
	for i, name := range opNames {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, "|")
}

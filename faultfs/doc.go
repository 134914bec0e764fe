// Package faultfs is a file system for tests that forgets, tears and fails on
// command: it shows whether what a program acknowledged is really on the disk.
//
//	fs := faultfs.Start(t) // mounted until the test ends
//	for n := 1; ; n++ {
//		fs.Reset()
//		fs.Inject(faultfs.Fault{N: n, PowerOff: true})
//		acknowledged := script(fs.Dir()) // until something fails
//		hits, _ := fs.Fired()
//		fs.PowerCut(faultfs.Tear{Unit: faultfs.Sector, Seed: uint64(n)})
//		verify(t, fs.Dir(), acknowledged)
//		if len(hits) == 0 {
//			break // n is beyond the last operation
//		}
//	}
//
// What runs on it is the real program, in any language and in any number of
// processes: the tests of this package run SQLite and PostgreSQL. A control is worth as
// much as the test: without its syncs the program must lose something.
//
// # What a power cut forgets
//
//   - [FS.PowerCut] leaves of a file what fsync, fdatasync or msync of it have put on the
//     disk, or writes to a descriptor with O_SYNC or O_DSYNC, and its size
//     at that moment. Closing a file syncs nothing, nor do sync(2) and syncfs(2), which
//     the kernel does not pass on.
//   - Entries of directories are forgotten separately: what was created, renamed,
//     linked or removed is undone unless the directory was synced
//     since. A synced file whose name was not synced is gone. A name that was synced
//     without the file is an empty file.
//   - A rename is never half there. Between two directories a sync of either
//     keeps it, and what happened before it to entries of the other.
//   - Modes, owners and times are not forgotten.
//   - With a [Tear] a part of what was not synced survives: of the changes of entries
//     the first ones, as from a journal; of data each sector or page that changed,
//     and the size, by chance. What survives depends on the seed and on what the program
//     did, so the same run leaves the same. A page that was overwritten twice is
//     there as it was when last synced, or as it was at the end.
//   - Descriptors that are open at that moment stay with the machine that is off:
//     they can be read, so that a mapped page does not kill the process, and
//     everything else returns EIO. Locks are gone. What is opened afterwards
//     belongs to the machine that is on again.
//
// This is the worst that POSIX allows, and more than most file systems do: on
// ext4 a sync of a new file keeps its name as well, as it does here with [Journal].
//
// # What fails
//
//   - [FS.Inject] lets the n-th operation of some kinds, counted from then on, return an
//     error, EIO and ENOSPC among them, or switch the power off. Nothing of an operation that fails
//     has happened.
//   - After a sync that failed the next one is fine, and what the first one was to
//     put on the disk never gets there, unless it is written again. Programs go on
//     reading it, as from the page cache of Linux, until [FS.DropCaches] or a power cut.
//     A directory whose sync failed loses the changes of its entries in the same way.
//   - Operations are counted as the kernel sends them. A single-threaded program repeats
//     its [Changes] exactly. Lookups, stat, readdir, chmod, locks, close, and what the kernel writes
//     from mapped pages are not counted and do not fail.
//   - The disk has room for everything unless a [Fault] with Repeat says otherwise.
//     Content is in memory; holes cost nothing.
//
// # What works
//
// All that databases do: shared mappings, locks of flock and fcntl (the
// kernel's own), fallocate with holes, SEEK_HOLE, links, renameat2, files without a name,
// O_DIRECT, other users where root mounts it. Extended attributes, O_TMPFILE and
// device files do not. From Linux 6.6 on, reads and writes pass by the page
// cache, so that every one of them gets here; before, and with [PageCache], reads
// need not.
//
// # Mounts
//
// Mounting needs Linux, /dev/fuse, and root or a fusermount3; else [Start] skips the
// test and says why. The server is a second process of the test binary, started by
// the init of this package. It unmounts when the test ends, and also when the process of the
// tests panics or is killed. If both processes are killed the next [Mount]
// unmounts what is left. Nobody can keep it mounted by having a file open: such files
// return errors from then on.
package faultfs

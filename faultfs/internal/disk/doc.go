// Package disk is a file tree in memory that knows what a power cut would leave
// of it: the model behind faultfs, without FUSE and without faults.
//
// Each file has two contents, the one that programs see and the one that is on
// the disk; each directory has the entries that programs see and those on
// the disk. [File.Sync] and [Disk.SyncDir] move the one to the other, and
// [Disk.Cut] returns the tree that is left when only the second remains.
//
// Nothing here is safe for concurrent use: the server holds a lock around
// every call. Errors are syscall.Errno, as the kernel wants them.
package disk

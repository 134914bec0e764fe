// Package sqlite keeps an event store in a SQLite file, in pure Go: the backend
// of the eventstore package for a program that has its data to itself.
//
//	db, err := sqlite.Open("orders.db")
//	...
//	defer db.Close()
//	store := eventstore.New(db)
//
// # What is durable
//
// What Append, Update and all other calls that write have acknowledged is on the
// disk: the database is in WAL mode with synchronous=FULL, which Open reads back and
// insists on. A failed write or sync fails everybody who waits for it and leaves the
// DB broken: it answers eventstore.ErrBroken until it is closed and opened again.
// Open then does not believe the system's cache, which after a failed sync has what
// the disk has not: it writes the WAL anew, copies it into the database, and
// verifies the last events and their indexes. If the commit itself had failed, the
// error wraps eventstore.ErrOutcomeUnknown as well: its events may be found then.
// The same append again tells.
//
// This is tested on a file system that cuts the power, returns EIO and ENOSPC and
// tears sectors at every operation of a script, and with processes that are killed. A
// disk that reports a sync which it has not done is beyond it.
//
// # One process, one writer
//
// One DB at a time has a file: PATH-lock is locked as long, and Open answers
// ErrLocked to the others. Other programs can read the file, and hold up writers
// if they write to it or read for long. It must be on a local file system.
//
// One goroutine writes. Appends that wait share a transaction and its sync, so
// many appenders are many times as fast as one, and a lone one waits for nobody.
// One that fails its conditions has no effect on the others. Conditions
// are mostly decided in memory, from where the last event with each type, tag and
// stream is; the others by index, and one over two popular tags that rarely meet takes as
// long as it takes to go through the rarer one.
//
// The tags of the newest events, up to some 25,000, are searched in memory, and go to
// the table eventstore_tags together, so that appending does not become slower as it
// grows; eventstore_tagged says up to where it has all.
//
// Readers have connections of their own, up to [Readers]. None keeps a
// transaction between two pages, so a reader that pauses does not let the WAL
// grow. A Backup and a Check do have one, as long as they run.
//
// # Tables of the user's own
//
// [DB.Update] gives a transaction that appends and executes SQL, and [Project] makes
// read models that commit together with their checkpoint. The store's tables begin
// with eventstore_. SQL of users can read them, but not write them. Transactions
// cannot be ended, pragmas can only be read, and after the first Append of a
// transaction there is no way back to a savepoint. Triggers of the user's own
// tables may do what they like.
//
// # Limits
//
// An event has at most 64 MiB of data, a batch at most 256 MiB:
// eventstore.ErrTooLarge. Types, streams and tags that were once used keep their
// number. Unix and Windows only.
package sqlite

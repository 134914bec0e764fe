// Package engine is an async signal without its payload type, or one shard of a
// sharded signal: one log that every emission is appended to once, a cursor in
// it for each listener, and the goroutines that run the listeners.
//
// # The log
//
// A signal appends every accepted emission once, whatever the number of
// listeners, to a list of chunks. Positions count emissions from 0. Each
// listener has a [Reader] with a cursor, the next position that nobody has
// claimed for it. A worker claims the positions from the cursor to the end of
// the chunk, or as many as there are, under the mutex, runs the listener over
// them without it, and finishes the claim under it.
//
//	          head                                  tail
//	           |                                      |
//	chunks   [ 0 ............ 63 ] -> [ 64 ....... 127 ] -> [ 128 .. 140 |     ]
//	               ^     ^                                               ^
//	       reader A: claimed 17..63, is at 40        readers B, C: next = end
//
// A chunk counts the cursors and the claims in it. The head leaves the log when
// no cursor is left in it, and goes back to the pool when no claim is: a call
// that is stuck holds its own payload, and not what came after it. So the log
// holds what is unfinished and at most one chunk of what is finished; when all
// readers are idle, the finished payloads of the tail are cleared too, and a
// garbage collection then frees the memory of the tail itself. With Retain the last
// n positions are in the log whether or not anybody needs them, and the cursor of
// a new reader begins there.
//
// # The one word without a lock
//
// All of it is under Engine.mu but for one word of a reader, state: four times
// the number of positions that have been begun, plus one if the listener has
// been removed, plus two if its worker must look at what has changed: observers
// that have come or gone. A worker adds four before each call, and whoever
// removes the listener sets the lowest bit. Both are one atomic operation on
// one word, so they come one after the other: either the worker sees the bit
// and does not make the call, or the remover sees the call in the number, drops
// what is behind it, and leaves that one to the worker.
//
// # The workers
//
// A reader that has caught up is idle, one that has something to claim is
// ready. All idle readers have their cursor at the end of the log, so an append
// makes them all ready without touching one of them, at the same cost for one
// and for a thousand, whatever their priorities. A worker takes the first ready
// reader, claims, runs, finishes, and takes the next; without a ready reader it
// ends. There are no idle goroutines.
//
// No timer watches for listeners that block. Instead, a worker that is about
// to enter a listener while others are ready first makes sure that a spare
// worker has been started and not yet begun: if the call blocks, the spare
// takes the next reader at once, and starts another spare. While calls are
// short the spare waits for a processor, and there are few more workers than
// processors.
//
// # What the engine asks of its users
//
// It imports nothing of the root. It tells a listener and a signal what happens
// through the interfaces of package listen, never with its mutex held. The
// payload type is known to the functions in typed.go alone, which are compiled
// for each payload type: appending to the log, running a claim, and the few
// things that a [Payload] can do.
package engine

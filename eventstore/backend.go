package eventstore

import "context"

// Backend keeps the events of a Store. This is what every backend must do;
// what some can do besides are the interfaces Checkpoints, Leaser, Snapshots,
// KeyStore, Importer, Checksums and Checker, which a Store looks for with type assertions
// when they are asked for: it answers ErrUnsupported where one is missing.
// storetest.Run holds a backend to all of it.
//
// # What the Store does, so that a backend need not
//
// It checks and completes events and conditions (NewBatch), copies what comes
// from and goes to its callers, pages, follows, emits Persisted, and names
// the operation in errors. So errors of a backend begin with the backend's own
// name, wrap the sentinels of this package where they apply, and are a bare
// *ConflictError or *DuplicateError where that is what happened. What a backend
// hands to the Store it does not change afterwards, and the Store neither.
// Positions and versions in requests and conditions may be any uint64, also more
// than fits into a column. All methods may be called by any number of goroutines at once, and by several
// Stores.
//
// # Order
//
// Positions are given out at the commit, dense, so that at any moment the
// readable events are exactly 1 to the head: no reader, page, notice or head may
// show a position before every smaller one can be read. A backend with one
// writer has that for free; one with several must serialize their commits (in
// PostgreSQL: a counter row that is locked from the taking of the positions to
// the end of the transaction; a sequence has gaps and commits out of order).
//
// # Durability
//
// What Append has returned, and what any reader has seen, survives a crash of
// the machine. A failed write or sync fails every append that waits for it and
// leaves the backend broken: from then on everything is refused with
// ErrBroken until it is opened again.
//
// # Contexts
//
// A context that ends while an append waits for its turn: nothing is written,
// now or later, and the error wraps ctx.Err(). One that ends when its commit
// has begun: the error wraps ErrOutcomeUnknown, and the commit goes on. So a
// backend never hands a caller's context to what writes; where writers queue,
// whoever of the two is first, the writer that takes an append from the queue or
// the caller that takes it back, decides (one atomic compare-and-swap). A lost
// connection during a commit is ErrOutcomeUnknown as well.
//
// # Transactions of the caller
//
// A backend may append in a transaction of its caller, with methods of its own:
// NewBatch, then the same steps as Append. It has to send the notice after the
// commit, and not after a rollback, whoever commits; where it does not see the
// commit, by what the transaction leaves behind (PostgreSQL: NOTIFY). Persisted
// is not emitted.
type Backend interface {
	// Identity returns what identifies this history: made at random when the
	// store is created, kept in it, the same after reopening and in a copy.
	Identity(ctx context.Context) (string, error)

	// Append stores the batch, in this order and in one transaction: (1) look
	// the ids up; if Batch.Known says that the batch is stored, return what is
	// stored, in the order of the batch, and look at no condition; if it says
	// that it is a duplicate, return that. (2) Check the conditions against
	// what is stored, earlier batches of the same group commit included; the
	// first that fails is a *ConflictError. (3) Give each event the next
	// position, the next version of its stream, one Stored time, and store it.
	//
	// What counts is the result. It may be cheaper to insert first, and to look
	// ids up only if an insert or a condition fails: the same, as long as a
	// stored batch wins over a conflict. A batch that fails does not undo its
	// neighbours in a group commit: a failed condition is found before the
	// batch has written anything, or its writes go back to a savepoint.
	//
	// Group commit, if any, is here. A lone appender waits for nobody. What a
	// batch is answered may rest on a neighbour that the same commit is to make
	// durable: a conflict with its events, a duplicate, a batch that is known.
	// Such an answer waits for that commit too, and if it fails, says so instead:
	// nobody is told of an event that may yet be lost.
	Append(ctx context.Context, b Batch) (Appended, error)

	// Page reads. It holds no transaction, lock or connection when it has
	// returned, whatever the caller does between two pages.
	Page(ctx context.Context, r PageRequest) (Page, error)

	// Head returns the position of the last event that can be read; 0 if there
	// is none.
	Head(ctx context.Context) (Position, error)

	// Watch calls fn after each commit of events, by whatever process, until
	// stop is called; a call under way may end after that. It is a hint: it may
	// come late, twice, out of order, or for several commits together, but
	// after every commit one that began later must come within seconds. Where
	// a message of another process can be lost, the backend also looks by
	// itself now and then. Also when the backend is closed or breaks: who
	// follows then asks, and gets the error.
	//
	// fn returns soon, calls nothing of the backend, and may be called from any
	// goroutine; with no lock held that a reader could need, and not before the
	// events can be read. An idle backend without watchers uses no CPU.
	Watch(fn func(Notice)) (stop func())
}

// Appended is what Backend.Append returns.
type Appended struct {
	Events []Recorded // in the order of the batch
	Known  bool       // they were stored before, by an append of the same batch
}

// PageRequest is a range of positions, and what to look for in it.
type PageRequest struct {
	Query    Query    // valid
	After    Position // exclusive
	Until    Position // inclusive; 0: to the head
	Backward bool     // from Until down to After; else up
	Limit    int      // at most that many events; at least 1
	// MaxBytes ends the page after the event with which the data has reached
	// that many bytes; at least 1.
	MaxBytes int
}

// Page is a part of what a PageRequest asks for, as it was at one instant. It
// may be short, even empty, with More to come: a backend that had to look at
// much that did not match bounds its work so.
type Page struct {
	Events []Recorded // that match, in the order asked for; the Store owns them
	// Next is where to go on, if More: as After, or with Backward as Until.
	// Without More, forwards, it is the end of what was looked at: Until, or the
	// head if that is before Until; not less than After.
	Next Position
	More bool     // there may be further events in the range
	Head Position // of the store, at that instant
}

// Notice tells a watcher that something has changed.
type Notice struct {
	// Events are those of one or several commits, in order and without a gap,
	// if the backend has them at hand; the watcher only reads them. Followers
	// then need not ask.
	Events []Recorded
	// Key is the durable listener whose checkpoint, dead letters or lease
	// changed, if that is what happened. Keys of other processes are told if it
	// costs little: who waits for one looks by itself now and then.
	Key string
}

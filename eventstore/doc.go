// Package eventstore keeps events: what has happened, in one order, durable
// before anyone reacts, never changed. A [Store] appends them under conditions,
// reads and follows them, over a [Backend]: [Memory] here, SQLite and
// PostgreSQL in modules of their own.
//
//	store := eventstore.New(eventstore.Memory())
//	seat := eventstore.Match(eventstore.Item{Types: []string{"booked"}, Tags: []string{"seat:7"}})
//
//	_, err := store.Append(ctx, []eventstore.Event{{
//		ID: requestID, Type: "booked", Stream: "booking-31", Tags: []string{"seat:7"}, Data: data,
//	}}, eventstore.ExpectNone(seat, 0))
//
//	if conflict, ok := errors.AsType[*eventstore.ConflictError](err); ok {
//		return fmt.Errorf("seat 7 is taken: %w", conflict)
//	}
//
// # Words
//
// An event is a fact in a store. Its position is its place in the store's one
// order. A stream holds the events of one entity, and the version is an event's
// place among them. A tag is a name in an event that queries and conditions
// can use. A condition is what must hold at the instant of an append; a
// conflict says that it did not. A durable listener follows the store from a
// checkpoint, the position up to which it has finished; a projection is one
// whose read model commits with it. A dead letter is an event that one could
// not handle, kept.
//
// # Streams, or tags and conditions
//
// Who thinks in aggregates gives each its stream, and appends with
// [ExpectVersion]. Who has rules that no single stream can guard (a seat is
// booked once, two accounts together do not go below zero) gives events tags,
// reads with a query what the decision depends on, and appends with
// [ExpectNone] of that query after the last position that was read. This is the
// Dynamic Consistency Boundary of dcb.events. The two go together in one
// append.
//
// # Contract
//
// What follows holds over every backend; the package storetest tests it.
//
// # Append
//
//   - All of a batch is stored or nothing, durable before Append returns, at
//     neighbouring positions. All its conditions hold at that instant.
//   - Positions are dense, from 1, in the order of commits: nobody ever sees a
//     position before every smaller one can be seen. Versions are dense in each
//     stream, from 1.
//   - An append is idempotent by the events' IDs, and that comes before its
//     conditions: the same batch again returns what was stored, and a retry does
//     not conflict with itself. An ID that is taken by something else, or by a
//     batch that is only partly there, is a [*DuplicateError].
//   - A context that ends before the commit begins: nothing was written. One
//     that ends during the commit: [ErrOutcomeUnknown], and the same append again
//     tells. On every other error nothing was written.
//   - What callers pass in and get back is theirs; the store keeps copies.
//
// # Read and Follow
//
//   - [Store.Read] gives what was there when the range began, in either
//     direction. [Store.Follow] goes on with what comes, whoever appends it:
//     nothing is missed, nothing comes twice, and it waits without polling.
//   - Neither holds a transaction, a connection or a lock while the loop's body
//     runs: it may take its time, and call the store.
//   - Memory does not depend on how much is read.
//
// # Persisted
//
// [Store.Persisted] is emitted in the goroutine that appends, after the commit.
// What its listeners do cannot undo the append: a failure is a
// [*PersistedError] beside the events. After a crash between the two nobody is
// told; what must happen for every event belongs into a durable listener.
//
// # Durable listeners
//
//   - [Store.Listen] calls a function with every event that matches, in order,
//     from a checkpoint of its key: none is left out, whatever ends the process,
//     and none comes again but after a failure, or after a crash before the
//     checkpoint was written, which happens at least once a second. A
//     projection ([InTransaction], through the backend's Project) writes its
//     read model with its checkpoint: exactly once.
//   - A failure, a panic and a Goexit are tried again with a pause that grows,
//     for that listener and event alone. After [Attempts] the event is a dead
//     letter, stored with the checkpoint, for [Store.Redeliver] or
//     [Store.Discard]; with [StopOnFailure] the listener ends instead.
//   - Nobody waits for a listener: neither appends nor others. It reads at most
//     a page ahead.
//   - Of those with one key, in several processes, one works and the others
//     stand by and take over.
//   - A checkpoint says of which history it is: a listener whose store has another
//     event, or none, at that position (an older copy was restored, and perhaps
//     appended to) ends with a [*HistoryError] instead of leaving events out.
//   - [Store.Wait] returns when the listener has handled what was appended.
//   - [RebuildOf] runs a new key beside an old one, which it does not touch, and
//     [Rebuilding] tells the function to leave out side effects.
//   - On the store's bus they are the listeners of one signal, NAME.listeners.
//   - Stop and Close wait for the call under way, within their context. Called
//     by the listener itself, they and Wait return signals.ErrWouldDeadlock.
//   - One that waits uses no CPU, and a commit that concerns nobody who waits
//     costs the same whatever their number.
//
// # Types, models and decisions
//
//   - A [Registry] knows the Go types of events. Upcasts ([UpcastFrom]) make of
//     what older programs stored what this one understands; queries, conditions
//     and durable listeners find events by the names of today.
//   - [Load] folds the events of a [Model] into its state. [Decide] appends what
//     a function makes of the state, on the condition that nothing came that the
//     state depends on, and decides again if something did.
//   - Snapshots are never trusted over events: one that does not fit is dropped.
//   - What [Encrypted] encrypts is gone after [Store.Forget], and reads as
//     [Erased]; positions and folds go on.
//
// # Export, import, check
//
//   - [Store.Export] writes lines of JSON, [Store.Import] takes them over with
//     identity, positions, versions and times. Both go on where they were cut
//     off, and Import compares what is there already.
//   - Neither has the keys of [Encrypted]: [Store.ExportKeys] and [Store.ImportKeys]
//     move them, and an Import into a store that has none says that they are missing.
//     What was forgotten stays forgotten.
//   - [Store.Check] verifies the whole store: also, by a checksum that was stored with
//     it, that each event is what was appended. [Store.Verify] says how much it was.
//
// # Errors
//
// Errors begin with "eventstore: " and wrap [ErrClosed], [ErrBroken],
// [ErrUnsupported], [ErrTooLarge], [ErrOutcomeUnknown] or the context's error
// where that is the reason. What makes no sense (an event without a type, an
// empty query) is an error that names it, before anything is written.
package eventstore

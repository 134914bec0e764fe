// Package postgres keeps the events of an eventstore.Store in PostgreSQL, 15 or
// later, through pgx: where the user's data already is, and where several
// processes share a store.
//
//	pool, err := pgxpool.New(ctx, dsn)
//	db, err := postgres.Open(ctx, pool)
//	store := eventstore.New(db)
//
// Open makes a schema with the tables, or brings an older one up to date; a role
// that may not do so can open what another one has made, if it has rights on its
// tables: after an update also on those that are new. The pool stays the caller's:
// close the Store, then the DB, then the pool.
//
// # Order, and what it costs
//
// Positions come from one row, which is locked from the taking of the positions
// to the end of the transaction: so they are dense, in the order of commits,
// and no reader sees one before every smaller one can be read. Therefore appends of
// all processes follow each other. To make up for it, one goroutine appends for
// all callers of a DB, as many at a time as wait: they share a transaction of two
// round trips and one write to the disk. AppendTx takes the lock until the end of
// the caller's transaction: append last, and commit soon.
//
// # Durability
//
// What Append has returned is durable if the server is: Open refuses one with
// fsync = off, and what appends overrules synchronous_commit = off. With
// asynchronous replicas, a fail-over loses what the new primary had not got.
//
// A connection that is lost before the commit costs nothing: nothing was
// written, and another connection tries once more. One that is lost during the commit
// leaves the outcome open; then the same goroutine takes the lock again, which
// waits for the end of that transaction if it is still running, and looks the ids
// up. Only if that is not possible for ten seconds is the answer
// eventstore.ErrOutcomeUnknown.
//
// # Notices
//
// While somebody follows, or holds or waits for a lease, one connection of the
// pool's configuration, outside of its number, listens (LISTEN) for all of them:
// commits of other processes arrive at once, and a look every few seconds (Poll)
// finds what a lost message did not tell. The same connection holds the leases, as
// advisory locks of its session: they end with the process. A pooler between
// them must keep sessions (pgbouncer: pool_mode = session).
package postgres

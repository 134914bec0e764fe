package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// Tx is a transaction of Update, or of a projection. It is used by one goroutine
// at a time, and not after fn has returned.
type Tx struct {
	w      *writer
	ctx    context.Context // ends with the transaction
	failed error           // of the database, in a statement
	ended  bool
}

// insideKey marks a context as one of a transaction.
type insideKey struct{ db *DB }

// inUpdate reports whether the caller is inside of an Update or a projection,
// and would wait for itself.
func (db *DB) inUpdate(ctx context.Context) bool {
	owner := db.updating.Load()
	if owner == 0 {
		return false
	}
	return owner == goroutine() || ctx.Value(insideKey{db}) != nil
}

// Update runs fn in a transaction, which commits if fn returns nil and is
// durable when Update returns: what fn appends, and its own SQL, together or not
// at all. An error or a panic of fn rolls back, and is returned as it
// is. Others that write wait for it, so fn is quick.
//
// Appends, and whatever else writes to the store, fail at once if fn calls them;
// use tx. Reads of the Store see what was committed before. Persisted is not emitted; followers and durable
// listeners see the events after the commit.
//
// A context that ends before fn was called: nothing was done. One that ends
// during the commit: the error wraps eventstore.ErrOutcomeUnknown.
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	if fn == nil {
		return errors.New("sqlite: Update: the function is nil")
	}
	return db.turn(ctx, "", func(_ context.Context, tx *Tx) error { return fn(tx) })
}

// turn calls fn in a transaction of its own, in the caller's goroutine.
func (db *DB) turn(ctx context.Context, key string, fn func(context.Context, *Tx) error) error {
	if ctx == nil {
		ctx = context.Background()
	}
	j := &job{key: key, turn: make(chan struct{}), back: make(chan struct{})}
	if err := db.enqueue(ctx, j); err != nil {
		return err
	}
	select {
	case <-j.turn:
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(queued, left) {
			return fmt.Errorf("sqlite: waiting for the writer: %w", ctx.Err())
		}
		select { // it has begun, and will do nothing without us
		case <-j.turn:
		case <-j.done:
			return j.err
		}
	}
	inside, end := context.WithCancel(context.WithValue(ctx, insideKey{db}, true))
	tx := &Tx{w: db.writer, ctx: inside}
	tx.w.appended = false
	db.updating.Store(goroutine())
	returned := false
	defer func() {
		if !returned { // a panic, or the end of the goroutine
			j.refused = errors.New("sqlite: the function did not return")
			tx.end(db, end)
			close(j.back)
			<-j.done
		}
	}()
	err := fn(inside, tx)
	returned = true
	tx.end(db, end)
	if err == nil {
		err = tx.failed
	}
	j.refused, j.failed = err, tx.failed
	close(j.back)
	if err != nil {
		<-j.done // soon: there is nothing to commit
		if j.err == nil {
			return err
		}
		return j.err
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return j.leave(ctx)
	}
}

// end ends the use of the transaction, with the rows that were left open.
func (tx *Tx) end(db *DB, cancel func()) {
	tx.ended = true
	cancel()
	_ = tx.w.sql.Raw(func(any) error { // under the lock that rows close under
		for s := range tx.w.c.Stmts() {
			if s.Busy() {
				_ = s.Reset()
			}
		}
		tx.w.c.SetInterrupt(context.Background())
		return nil
	})
	db.updating.Store(0)
}

// isBroken reports whether an error of a user's statement means that the file
// cannot be relied on.
func isBroken(err error) bool {
	for _, code := range []sqlite3.ErrorCode{sqlite3.IOERR, sqlite3.FULL, sqlite3.CORRUPT, sqlite3.NOTADB} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

var errEnded = errors.New("sqlite: the transaction has ended: a Tx is not used after its function has returned")

// Append stores events as a part of the transaction: as Store.Append, but for
// when they are durable and seen.
func (tx *Tx) Append(events []eventstore.Event, conds ...eventstore.Condition) ([]eventstore.Recorded, error) {
	if tx.ended {
		return nil, errEnded
	}
	b, err := eventstore.NewBatch(events, conds...)
	if err != nil {
		return nil, fmt.Errorf("sqlite: append: %w", err)
	}
	p, err := prepare(b)
	if err != nil {
		return nil, err
	}
	var done eventstore.Appended
	tx.w.appended = true // also if it is refused: it may have written names
	err = tx.raw(func() (err error) { done, err = tx.w.append(p); return err })
	if err != nil {
		return nil, err
	}
	out := make([]eventstore.Recorded, len(done.Events))
	for i, r := range done.Events {
		out[i] = r.Clone()
	}
	return out, nil
}

// raw calls fn with the connection to itself.
func (tx *Tx) raw(fn func() error) error {
	var err error
	outer := tx.w.sql.Raw(func(any) error { err = fn(); return nil })
	if isFatal(err) {
		err = fmt.Errorf("sqlite: in an Update: %w", explain(tx.w.db.path, err))
	}
	if isFatal(err) || outer != nil {
		tx.note(errors.Join(err, outer))
	}
	return errors.Join(err, outer)
}

// note keeps a failure after which the transaction must not commit.
func (tx *Tx) note(err error) {
	if tx.failed == nil {
		tx.failed = err
	}
}

// ExecContext executes a statement, as [sql.Conn.ExecContext] does. Tables
// of the store can be read but not written, and the transaction cannot be ended.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if tx.ended {
		return nil, errEnded
	}
	tx.w.user = true
	defer func() { tx.w.user = false }()
	result, err := tx.w.sql.ExecContext(tx.within(ctx), query, args...)
	return result, tx.saw(err)
}

// QueryContext returns rows. Those that are open at the end of the transaction
// are closed.
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if tx.ended {
		return nil, errEnded
	}
	tx.w.user = true
	defer func() { tx.w.user = false }()
	rows, err := tx.w.sql.QueryContext(tx.within(ctx), query, args...) //nolint:rowserrcheck,sqlclosecheck // the caller's
	return rows, tx.saw(err)
}

// QueryRowContext returns the first row; errors come with its Scan.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if tx.ended {
		ctx = tx.ctx // which has ended: so Scan says
	}
	tx.w.user = true
	defer func() { tx.w.user = false }()
	row := tx.w.sql.QueryRowContext(tx.within(ctx), query, args...)
	_ = tx.saw(row.Err())
	return row
}

// within returns a context that ends with the transaction, too.
func (tx *Tx) within(ctx context.Context) context.Context {
	if ctx == nil {
		return tx.ctx
	}
	if ctx.Value(insideKey{tx.w.db}) != nil {
		return ctx
	}
	joined, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(tx.ctx, func() { cancel(errEnded) })
	return joined
}

// saw looks at the error of a user's statement. What only that statement
// suffers from, such as a constraint, is the user's to handle.
func (tx *Tx) saw(err error) error {
	if err == nil {
		return nil
	}
	if isBroken(err) || errors.Is(err, driver.ErrBadConn) {
		tx.note(fmt.Errorf("sqlite: in an Update: %w", explain(tx.w.db.path, err)))
	}
	if errors.Is(err, sqlite3.AUTH) && tx.w.backward {
		tx.w.backward = false
		return fmt.Errorf("sqlite: in an Update: after an Append there is no way back to a savepoint; append last: %w", err)
	}
	if errors.Is(err, sqlite3.AUTH) {
		return fmt.Errorf("sqlite: in an Update: the tables eventstore_... can only be read, and the transaction is ended by returning: %w", err)
	}
	return err
}

// authorize refuses statements of users that end the transaction, go back behind an append or write to
// the store's tables.
func (w *writer) authorize(action sqlite3.AuthorizerActionCode, arg3, arg4, schema, inner string) sqlite3.AuthorizerReturnCode {
	if !w.user {
		return sqlite3.AUTH_OK
	}
	switch action {
	case sqlite3.AUTH_TRANSACTION, sqlite3.AUTH_ATTACH, sqlite3.AUTH_DETACH:
		return sqlite3.AUTH_DENY
	case sqlite3.AUTH_SAVEPOINT:
		// What the writer knows of the store would not go back with it.
		if w.appended && strings.EqualFold(arg3, "ROLLBACK") {
			w.backward = true
			return sqlite3.AUTH_DENY
		}
	case sqlite3.AUTH_PRAGMA:
		if arg4 != "" {
			return sqlite3.AUTH_DENY
		}
	case sqlite3.AUTH_INSERT, sqlite3.AUTH_UPDATE, sqlite3.AUTH_DELETE, sqlite3.AUTH_DROP_TABLE, sqlite3.AUTH_ALTER_TABLE,
		sqlite3.AUTH_CREATE_INDEX, sqlite3.AUTH_DROP_INDEX, sqlite3.AUTH_CREATE_TRIGGER:
		if ours(arg3) || ours(arg4) {
			return sqlite3.AUTH_DENY
		}
	}
	return sqlite3.AUTH_OK
}

// ours reports whether a table or an index is the store's.
func ours(name string) bool { return strings.HasPrefix(strings.ToLower(name), "eventstore_") }

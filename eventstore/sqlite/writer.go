package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
)

// writer is the goroutine with the only connection that writes, and what it
// knows of the store. During the turn of a job, the job's caller has it.
type writer struct {
	db  *DB
	c   *conn
	sql *sql.Conn // the same connection, for the statements of users

	head    eventstore.Position // with what the transaction has appended
	lastID  string              // the largest 16 bytes of an id: a larger one is new
	names   *cache[string, int64]
	streams *cache[string, stream]
	recent  *recent
	tagging tagging

	added    []eventstore.Recorded // by the transaction
	stamp    time.Time             // Stored of what the transaction appends
	pages    int                   // in the WAL, when it last grew
	identity string                // that the transaction has given to the store, or ""
	erase    bool                  // the transaction forgets a key: the WAL must not keep it
	kept     bool                  // it does: a reader was in the way
	user     bool                  // a user's statement is being prepared: see authorize
	appended bool                  // the user's transaction has called Append
	backward bool                  // and would have gone back to a savepoint after that
}

// stream is where a stream is.
type stream struct {
	version uint64
	last    eventstore.Position
}

const (
	maxNames   = 1 << 16 // in a generation of the writer's caches
	walPages   = 4000    // from so many pages on, the WAL is copied into the database
	walTooLong = 4 * walPages
)

// run works until the queue is closed.
func (w *writer) run() {
	defer close(w.db.stopped)
	last := 1
	for {
		group := w.db.queue.take(last)
		if len(group) == 0 {
			if w.db.queue.drained() {
				return
			}
			continue
		}
		if n := len(group); n >= last {
			last = n
		} else {
			last = max(n, last*3/4)
		}
		w.group(group)
	}
}

func (q *queue) drained() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && len(q.jobs) == 0
}

// group commits jobs together and answers them. Also refusals wait for the
// commit: what they rest on may be a part of it.
func (w *writer) group(group []*job) {
	err := w.commit(group)
	if err == nil && w.identity != "" {
		identity := w.identity
		w.db.identity.Store(&identity)
	}
	if err == nil && w.erase {
		err = w.truncate()
	}
	if err == nil && len(w.added) > 0 {
		w.db.head.Store(uint64(w.head))
		added := w.added
		w.db.watchers.tell(eventstore.Notice{Events: added})
	}
	for _, j := range group {
		if err != nil {
			j.err = err
		}
		close(j.done)
		if err == nil && j.key != "" && j.err == nil {
			w.db.watchers.tell(eventstore.Notice{Key: j.key})
		}
	}
	w.added, w.identity, w.erase = nil, "", false
	if err == nil {
		w.checkpoint()
	}
}

// commit runs the jobs in a transaction. An error is that of all of them.
func (w *writer) commit(group []*job) (err error) {
	if err := w.db.broken.Load(); err != nil {
		return *err
	}
	defer func() {
		if p := recover(); p != nil { // of this package, or the driver's when memory is short
			err = w.fail("transaction", fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	w.stamp = time.Now().UTC().Round(0)
	if err := w.c.run("BEGIN IMMEDIATE"); err != nil {
		if errors.Is(err, sqlite3.BUSY) {
			return fmt.Errorf("sqlite: another program holds a write transaction in the file: %w", err)
		}
		return w.fail("begin", err)
	}
	for _, j := range group {
		if j.turn != nil {
			close(j.turn)
			<-j.back
			if isBroken(j.failed) {
				return w.fail("write", j.failed)
			}
			if j.refused != nil {
				j.err = j.refused
				return w.rollback()
			}
			continue
		}
		j.err = j.run(w)
		if isFatal(j.err) {
			return w.fail("write", j.err)
		}
	}
	if w.c.GetAutocommit() {
		w.forget()
		return errors.New("sqlite: the transaction was rolled back: a statement of it was interrupted, or rolls back on conflict")
	}
	if err := w.index(); err != nil {
		return w.fail("write", err)
	}
	if err := w.c.run("COMMIT"); err != nil {
		err = w.fail("commit", err)
		// It may be there when the store is opened again.
		return fmt.Errorf("%w: %w", err, eventstore.ErrOutcomeUnknown)
	}
	w.indexed()
	return nil
}

// rollback undoes a transaction that a caller gave up.
func (w *writer) rollback() error {
	if !w.c.GetAutocommit() {
		if err := w.c.run("ROLLBACK"); err != nil {
			return w.fail("rollback", err)
		}
	}
	w.forget()
	return nil
}

// forget drops what the writer knows of a transaction that was rolled back.
func (w *writer) forget() {
	if len(w.added) > 0 {
		w.head = eventstore.Position(w.db.head.Load())
		w.added = nil
		w.recent = newRecent(w.head)
		w.streams.clear()
		// lastID may stay: it is only an upper bound.
	}
	w.unindexed()
	w.names.clear()
	clear(w.c.texts)
}

// fail marks the store as broken. The transaction is undone as far as that can
// be; what is on disk shows when the store is opened again.
func (w *writer) fail(what string, err error) error {
	err = fmt.Errorf("sqlite: %s: %w: %w", what, explain(w.db.path, err), eventstore.ErrBroken)
	if w.db.broken.CompareAndSwap(nil, &err) {
		w.db.logger.Error("sqlite: the store is broken until it is opened again", "path", w.db.path, "error", err)
	}
	_, _ = w.c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	if !w.c.GetAutocommit() {
		_ = w.c.run("ROLLBACK")
	}
	w.added = nil
	w.db.watchers.tell(eventstore.Notice{}) // who follows asks, and gets the error
	return err
}

// checkpoint copies the WAL into the database when it is long: after the
// waiters have been answered, and with its failures seen. Readers keep no
// transaction, so it soon begins anew.
func (w *writer) checkpoint() {
	if w.kept { // perhaps the reader is gone; nobody waits for it once more
		err := w.c.BusyTimeout(0)
		if err == nil {
			err = w.truncate()
		}
		if err := errors.Join(err, w.c.BusyTimeout(busyTimeout)); err != nil && w.db.broken.Load() == nil {
			_ = w.fail("checkpoint", err)
		}
		return
	}
	if w.pages < walPages {
		return
	}
	mode := sqlite3.CHECKPOINT_PASSIVE
	if w.pages > walTooLong {
		mode = sqlite3.CHECKPOINT_RESTART
	}
	if _, _, err := w.c.WALCheckpoint("main", mode); err != nil && !errors.Is(err, sqlite3.BUSY) {
		_ = w.fail("checkpoint", err)
	}
	w.pages = 0
}

// truncate copies the WAL into the database and cuts it off. What it has when
// it is cut off is one transaction: a power cut that leaves a part of a longer
// one could bring old pages back. A reader that is in the way for longer than
// busy_timeout leaves it to the commits that follow.
func (w *writer) truncate() error {
	_, _, err := w.c.WALCheckpoint("main", sqlite3.CHECKPOINT_RESTART)
	if err == nil {
		err = w.c.run("UPDATE eventstore_store SET identity = identity")
	}
	if err == nil {
		_, _, err = w.c.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	}
	if w.kept = errors.Is(err, sqlite3.BUSY); err != nil && !w.kept {
		return w.fail("checkpoint", err)
	}
	w.pages = 0
	return nil
}

// isFatal reports whether an error comes from the database: what it has written
// is then uncertain.
func isFatal(err error) bool {
	if err == nil {
		return false
	}
	var code sqlite3.ErrorCode
	return errors.As(err, &code)
}

// newWriter takes the connection of a database/sql pool of one.
func newWriter(db *DB, path string) (w *writer, err error) {
	w = &writer{db: db, names: newCache[string, int64](maxNames), streams: newCache[string, stream](maxNames)}
	db.pool, err = driver.Open(dsn(path, ""), func(c *sqlite3.Conn) error {
		w.c = newConn(c)
		w.c.fresh = &db.fresh
		return w.c.setUp(pragmas(db.synchronous, 64<<10))
	})
	if err != nil {
		return nil, err
	}
	db.pool.SetMaxOpenConns(1)
	if w.sql, err = db.pool.Conn(context.Background()); err != nil {
		return nil, errors.Join(err, db.pool.Close())
	}
	return w, nil
}

// load reads what the writer knows of the store.
func (w *writer) load() error {
	head, _, err := w.c.int64("SELECT coalesce(max(position), 0) FROM eventstore_events")
	if err != nil {
		return err
	}
	w.head = eventstore.Position(head)
	w.db.head.Store(uint64(head))
	w.recent = newRecent(w.head)
	if err := w.loadTags(); err != nil {
		return err
	}
	_, err = w.c.row(func(s *sqlite3.Stmt) {
		if s.ColumnType(0) == sqlite3.BLOB { // blobs sort after texts
			w.lastID = string(s.ColumnRawBlob(0))
		}
	}, "SELECT max(id) FROM eventstore_events")
	if err != nil {
		return err
	}
	if err := w.c.SetAuthorizer(w.authorize); err != nil {
		return err
	}
	w.c.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error { w.pages = pages; return nil })
	return nil
}

func (w *writer) close() error {
	err := w.c.finalize()
	return errors.Join(err, w.sql.Close(), w.db.pool.Close())
}

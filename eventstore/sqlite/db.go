package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// DB is a store in a file. It is an [eventstore.Backend] that can do all that a
// backend can. All methods may be called by any number of goroutines at once.
type DB struct {
	config
	path     string
	lock     *lock
	queue    queue
	readers  readers
	watchers watchers
	leases   leases

	writer  *writer
	pool    *sql.DB // of the writer's connection
	stopped chan struct{}

	head     atomic.Uint64          // of what is committed
	fresh    freshTags              // of the newest events
	identity atomic.Pointer[string] // changed by Import
	broken   atomic.Pointer[error]  // the failure, once there was one
	updating atomic.Int64           // the goroutine that has the writer's turn, or 0

	closing   sync.Once
	closed    atomic.Bool
	closeErr  error // under closing
	closeDone chan struct{}
}

// Option configures Open.
type Option func(*config)

// config is what the options say. It does not change.
type config struct {
	maxReaders  int
	logger      *slog.Logger
	synchronous string // "full"; "normal" in a test that must lose events
	keepBack    int    // events with tags, before they go to the table: see freshTags
}

// Readers sets how many pages can be read at once, 4 without it. Each takes a
// connection, which is opened when it is needed.
func Readers(n int) Option {
	if n < 1 {
		panic(fmt.Sprintf("sqlite: Readers(%d): want at least 1", n))
	}
	return func(c *config) { c.maxReaders = n }
}

// Logger sets where the DB says what nobody would be told otherwise: that it
// broke, and that it found the traces of a crash; slog.Default() without it.
func Logger(l *slog.Logger) Option {
	if l == nil {
		panic("sqlite: Logger(nil): give a logger or leave the option out")
	}
	return func(c *config) { c.logger = l }
}

// Open opens the store in that file, and makes it if there is none. The file may
// have tables of the user's own: all of the store's begin with "eventstore_".
// Beside it are the files that SQLite makes, PATH-wal and PATH-shm, and
// PATH-lock. One DB at a time can have it open, in one process: the
// second Open is an error that wraps ErrLocked. The directory must be on a local
// file system.
//
// It writes what a crash left in PATH-wal to the disk anew, and verifies the end
// of the history. Close what it returns.
func Open(path string, opts ...Option) (_ *DB, err error) {
	db := &DB{config: config{maxReaders: 4, synchronous: "full", keepBack: freshEvents}, stopped: make(chan struct{}), closeDone: make(chan struct{})}
	for _, o := range opts {
		if o == nil {
			panic("sqlite: Open: an Option is nil; leave it out")
		}
		o(&db.config)
	}
	if db.logger == nil {
		db.logger = slog.Default()
	}
	db.queue.filled.L = &db.queue.mu
	defer func() {
		if err != nil {
			why := unwritable(db.path, err)
			if why == nil {
				why = explain(db.path, err)
			}
			err = fmt.Errorf("sqlite: open %s: %w", path, why)
		}
	}()
	if path == "" || path == ":memory:" {
		return nil, errors.New("want the name of a file; eventstore.Memory keeps events in memory")
	}
	if db.path, err = resolve(path); err != nil {
		return nil, err
	}
	if db.lock, err = takeLock(db.path + "-lock"); err != nil {
		return nil, err
	}
	w, err := db.open()
	db.writer = w
	if err != nil {
		return nil, errors.Join(err, db.lock.undo())
	}
	db.readers.open(db.path, db.maxReaders, db.synchronous, &db.fresh)
	go w.run()
	go func() {
		<-db.stopped
		db.closeErr = errors.Join(w.end(), db.readers.close(), db.lock.release())
		db.leases.end()
		close(db.closeDone)
	}()
	return db, nil
}

// resolve returns the one name of a file that may have several, so that the
// lock is the same one. Links are followed, also where the file is not there
// yet.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		info, err := os.Stat(real)
		if err == nil && !info.Mode().IsRegular() {
			return "", errors.New("it is not a file")
		}
		return real, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("its directory cannot be used: %w", err)
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// open makes the writer, with the lock held.
func (db *DB) open() (_ *writer, err error) {
	_, statErr := os.Stat(db.path)
	isNew := errors.Is(statErr, os.ErrNotExist)
	if isNew {
		// A file whose name could not be made durable is not left to an Open that
		// would believe it to be.
		defer func() {
			if err != nil {
				for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
					_ = os.Remove(db.path + suffix)
				}
			}
		}()
	}
	crashed, err := leftOver(db.path + "-wal")
	if err != nil {
		return nil, err
	}
	defer func() {
		if crashed && isCorrupted(err) {
			err = fmt.Errorf("%w; if it is a back-up in the place of another file, %[2]s-wal and %[2]s-shm are of that one: remove them, and open it again", err, db.path)
		}
	}()
	w, err := newWriter(db, db.path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_, _ = w.c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
			err = errors.Join(err, w.close())
		}
	}()
	if crashed {
		db.logger.Warn("sqlite: the store was not closed, or another program has it open: recovering", "path", db.path)
		if err := w.c.rewrite(db.path + "-wal"); err != nil {
			return nil, fmt.Errorf("recovering: %w", err)
		}
	}
	identity, err := w.c.migrate(migrations)
	if err != nil {
		return nil, err
	}
	db.identity.Store(&identity)
	if isNew {
		if err := syncDir(filepath.Dir(db.path)); err != nil {
			return nil, err
		}
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	if err := w.c.verifyEnd(w.head, crashed); err != nil {
		return nil, err
	}
	if crashed {
		// Not before: a WAL that is not of this file, but of one that a back-up has
		// taken the place of, would spoil the back-up.
		// Not TRUNCATE: of a WAL that is cut off without a sync, a power cut may
		// leave a part, whose old pages would then replace newer ones.
		if _, _, err := w.c.WALCheckpoint("main", sqlite3.CHECKPOINT_RESTART); err != nil {
			return nil, fmt.Errorf("recovering: %w", err)
		}
	}
	return w, nil
}

// end closes the connection after the last job.
func (w *writer) end() error {
	if w.db.broken.Load() == nil {
		if _, _, err := w.c.WALCheckpoint("main", sqlite3.CHECKPOINT_RESTART); err != nil && !errors.Is(err, sqlite3.BUSY) {
			_ = w.fail("checkpoint", err)
		}
	}
	return w.close()
}

// Close finishes what is queued, refuses what comes with ErrClosed, copies the
// WAL into the file and closes it. It may be called again. Close the Stores
// over it first. Inside of an Update it is an error.
func (db *DB) Close() error {
	if db.inUpdate(context.Background()) {
		return errors.New("sqlite: Close inside of an Update or a projection would wait for itself")
	}
	db.closing.Do(func() {
		db.closed.Store(true)
		db.queue.close()
	})
	<-db.closeDone
	db.watchers.tell(eventstore.Notice{})
	return db.closeErr
}

// usable returns why nothing can be done.
func (db *DB) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.broken.Load(); err != nil {
		return *err
	}
	if db.closed.Load() {
		return fmt.Errorf("sqlite: %w", eventstore.ErrClosed)
	}
	return nil
}

// Identity implements [eventstore.Backend].
func (db *DB) Identity(ctx context.Context) (string, error) {
	if err := db.usable(ctx); err != nil {
		return "", err
	}
	return *db.identity.Load(), nil
}

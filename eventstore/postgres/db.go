package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is a store in a PostgreSQL database: an eventstore.Backend that can do all
// that a backend can do. Make one with Open. All methods may be called by any
// number of goroutines at once.
type DB struct {
	config
	pool     *pgxpool.Pool
	conns    int32  // that the pool may have
	instance string // of this DB, in notifications
	writer   writer
	session  session

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup // goroutines of writer and session
}

// What a DB can do.
var _ interface {
	eventstore.Backend
	eventstore.Checkpoints
	eventstore.Leaser
	eventstore.Snapshots
	eventstore.KeyMover
	eventstore.Importer
	eventstore.Checksums
	eventstore.Checker
} = (*DB)(nil)

// Open opens the store in the pool's database, and makes or migrates its
// tables if they are missing or old. An older server than 15, one with
// fsync = off, and tables of a newer version of this package are errors.
func Open(ctx context.Context, pool *pgxpool.Pool, opts ...Option) (*DB, error) {
	if pool == nil {
		panic("postgres: Open: the pool is nil")
	}
	db := &DB{
		config:   config{schema: "eventstore", poll: 3 * time.Second, commitTimeout: 30 * time.Second, resolvable: 10 * time.Second},
		pool:     pool,
		conns:    pool.Config().MaxConns,
		instance: rand.Text(),
	}
	for _, o := range opts {
		if o == nil {
			panic("postgres: Open: an Option is nil; leave it out")
		}
		o(&db.config)
	}
	if err := db.migrate(ctx); err != nil {
		return nil, fmt.Errorf("postgres: open schema %q: %w", db.schema, err)
	}
	db.life, db.end = context.WithCancel(context.Background())
	db.writer.db, db.session.db = db, db
	return db, nil
}

// Close finishes the commit that is under way, fails what waits with
// ErrClosed, gives back the leases, wakes the watchers and refuses further
// calls with ErrClosed. It may be called again. The pool stays open.
func (db *DB) Close() error {
	db.end()
	db.writer.close()
	db.session.close()
	db.work.Wait()
	db.session.tell(eventstore.Notice{})
	return nil
}

// Identity returns what identifies this history.
func (db *DB) Identity(ctx context.Context) (id string, err error) {
	if err := db.ready(ctx); err != nil {
		return "", err
	}
	err = db.retry(ctx, func() error {
		return db.pool.QueryRow(ctx, db.sql("SELECT identity FROM {s}.store")).Scan(&id)
	})
	return id, named("identity", err)
}

// Head returns the position of the last event.
func (db *DB) Head(ctx context.Context) (head eventstore.Position, err error) {
	if err := db.ready(ctx); err != nil {
		return 0, err
	}
	err = db.retry(ctx, func() (err error) {
		head, err = db.headOver(ctx, db.pool)
		return err
	})
	return head, err
}

// over is a pool, a connection or a transaction.
type over interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func (db *DB) headOver(ctx context.Context, o over) (head eventstore.Position, err error) {
	err = o.QueryRow(ctx, db.sql("SELECT position FROM {s}.counter")).Scan(&head)
	return head, named("head", err)
}

// sql puts the schema's name where the text has {s}.
func (db *DB) sql(text string) string {
	return strings.ReplaceAll(text, "{s}", pgx.Identifier{db.schema}.Sanitize())
}

// ready returns ErrClosed after Close, and the error of a context that has
// ended.
func (db *DB) ready(ctx context.Context) error {
	if db.life.Err() != nil {
		return fmt.Errorf("postgres: %w", eventstore.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// named returns err as one of what.
func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("postgres: %s: %w", what, err)
}

// durably overrules a synchronous_commit = off for one transaction, the first
// of which in a session says what the user set.
const durably = `SELECT CASE current_setting('synchronous_commit') WHEN 'off'
	THEN set_config('synchronous_commit', 'on', true) END`

// begin is a transaction in which every statement sees what was committed
// before it began, whatever the database's default is.
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

// inTx calls fn in a transaction of its own and commits. ctx may end all but
// the commit; a connection that is lost in that is ErrOutcomeUnknown. An error
// or a panic of fn rolls back and is returned as it is.
func (db *DB) inTx(ctx context.Context, what string, fn func(ctx context.Context, tx pgx.Tx) error) error {
	if err := db.ready(ctx); err != nil {
		return err
	}
	if inside(ctx, db) {
		return fmt.Errorf("postgres: %s: inside of a transaction of this store, which it would wait for: use the transaction", what)
	}
	var tx pgx.Tx
	err := db.retry(ctx, func() (err error) {
		tx, err = db.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
		return err
	})
	if err != nil {
		return named(what, err)
	}
	uncancelled, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.commitTimeout)
	defer cancel()
	defer tx.Rollback(uncancelled) //nolint:errcheck // after a commit it does nothing, else the server does it anyway
	if _, err := tx.Exec(ctx, durably); err != nil {
		return named(what, err)
	}
	if err := fn(ctx, tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return named(what, err)
	}
	uncancelled, cancel = context.WithTimeout(context.WithoutCancel(ctx), db.commitTimeout)
	defer cancel()
	if err := tx.Commit(uncancelled); err != nil {
		if refused(err) {
			return named(what, err)
		}
		return fmt.Errorf("postgres: %s: %w: %v", what, eventstore.ErrOutcomeUnknown, err) //nolint:errorlint // the outcome is unknown: why is only said
	}
	return nil
}

// insideKey marks contexts of code that runs in a transaction of a DB.
type insideKey struct{ db *DB }

func inside(ctx context.Context, db *DB) bool { return ctx.Value(insideKey{db}) != nil }

package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/postgres"
	"example.com/signals/eventstore/sqlite"
)

// Database has the events and, beside them, what is read. It is all that is
// different between SQLite and PostgreSQL.
type Database struct {
	backend interface {
		eventstore.Backend
		eventstore.KeyStore
		eventstore.Leaser
	}
	// update runs a transaction.
	update func(ctx context.Context, fn func(tx) error) error
	// project is the backend's Project.
	project func(s *eventstore.Store, key string, apply func(context.Context, tx, eventstore.Recorded) error, opts ...eventstore.ListenOption) (*eventstore.Listener, error)
	// Close closes it. Close the stores over it first.
	Close func() error
}

// tx is a transaction. Arguments are $1, $2, in the order in which they come.
type tx interface {
	exec(ctx context.Context, query string, args ...any) error
	// each calls fn for every row.
	each(ctx context.Context, query string, args []any, fn func(scan func(...any) error) error) error
}

// OpenSQLite opens the ledger in that directory, and makes what is missing.
func OpenSQLite(dir string) (*Database, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(filepath.Join(dir, "ledger.db"))
	if err != nil {
		return nil, err
	}
	return &Database{
		backend: db,
		update: func(ctx context.Context, fn func(tx) error) error {
			return db.Update(ctx, func(t *sqlite.Tx) error { return fn(sqliteTx{t}) })
		},
		project: func(s *eventstore.Store, key string, apply func(context.Context, tx, eventstore.Recorded) error, opts ...eventstore.ListenOption) (*eventstore.Listener, error) {
			return sqlite.Project(s, key, eventstore.All(), func(ctx context.Context, t *sqlite.Tx, r eventstore.Recorded) error {
				return apply(ctx, sqliteTx{t}, r)
			}, opts...)
		},
		Close: db.Close,
	}, nil
}

// schema is that of the ledger in PostgreSQL: its own, whatever else there is.
const schema = "ledger_example"

// OpenPostgres opens the ledger in that database, in a schema of its own, and
// makes what is missing.
func OpenPostgres(ctx context.Context, dsn string) (*Database, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("ledger: -postgres wants a connection string, such as postgres://localhost/test: %w", err)
	}
	config.ConnConfig.RuntimeParams["search_path"] = schema
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	db, err := postgres.Open(ctx, pool, postgres.Schema(schema))
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("ledger: -postgres: %w", err)
	}
	return &Database{
		backend: db,
		update: func(ctx context.Context, fn func(tx) error) error {
			return pgx.BeginFunc(ctx, pool, func(t pgx.Tx) error { return fn(postgresTx{t}) })
		},
		project: func(s *eventstore.Store, key string, apply func(context.Context, tx, eventstore.Recorded) error, opts ...eventstore.ListenOption) (*eventstore.Listener, error) {
			return postgres.Project(s, key, eventstore.All(), func(ctx context.Context, t pgx.Tx, r eventstore.Recorded) error {
				return apply(ctx, postgresTx{t}, r)
			}, opts...)
		},
		Close: func() error {
			defer pool.Close()
			return db.Close()
		},
	}, nil
}

type sqliteTx struct{ *sqlite.Tx }

func (t sqliteTx) exec(ctx context.Context, query string, args ...any) error {
	_, err := t.ExecContext(ctx, query, args...)
	return err
}

func (t sqliteTx) each(ctx context.Context, query string, args []any, fn func(scan func(...any) error) error) (err error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

type postgresTx struct{ pgx.Tx }

func (t postgresTx) exec(ctx context.Context, query string, args ...any) error {
	_, err := t.Exec(ctx, query, args...)
	return err
}

func (t postgresTx) each(ctx context.Context, query string, args []any, fn func(scan func(...any) error) error) error {
	rows, err := t.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

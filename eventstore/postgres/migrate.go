package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

//go:embed schema.sql
var schemaSQL string

//go:embed schema_v2.sql
var schema2SQL string

//go:embed schema_v3.sql
var schema3SQL string

//go:embed schema_v4.sql
var schema4SQL string

// migrations[n] makes version n+1 of the tables of version n. Later ones are
// added; none is changed.
var migrations = []string{schemaSQL, schema2SQL, schema3SQL, schema4SQL}

const oldestServer = 150000 // PostgreSQL 15

// migrate checks the server and brings the tables up to date, one process at a
// time. Where nothing is to be done, reading is all it needs to be allowed.
func (db *DB) migrate(ctx context.Context) error {
	if err := db.checkServer(ctx); err != nil {
		return err
	}
	version, err := db.version(ctx, db.pool)
	if err != nil || version == len(migrations) {
		return err
	}
	return pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", db.lockNumber("migration", "")); err != nil {
			return err
		}
		version, err := db.version(ctx, tx) // another process may have been first
		if err != nil {
			return err
		}
		if version == 0 {
			if err := db.create(ctx, tx); err != nil {
				return err
			}
		}
		for ; version < len(migrations); version++ {
			if _, err := tx.Exec(ctx, db.sql(migrations[version])); err != nil {
				return fmt.Errorf("version %d of the tables: %w", version+1, err)
			}
			if version == 0 {
				_, err = tx.Exec(ctx, db.sql("INSERT INTO {s}.store (version, identity) VALUES (1, $1)"), rand.Text())
			} else {
				_, err = tx.Exec(ctx, db.sql("UPDATE {s}.store SET version = $1"), version+1)
			}
			if err != nil {
				return fmt.Errorf("version %d of the tables: %w", version+1, err)
			}
		}
		return nil
	})
}

func (db *DB) checkServer(ctx context.Context) error {
	var number int
	var name, fsync string
	err := db.pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int,
		current_setting('server_version'), current_setting('fsync')`).Scan(&number, &name, &fsync)
	switch {
	case err != nil:
		return err
	case number < oldestServer:
		return fmt.Errorf("the server is PostgreSQL %s: want 15 or later", name)
	case fsync == "off" && !db.withoutFsync:
		return errors.New("the server runs with fsync = off, so that a crash of its machine loses acknowledged events: set it to on, or use WithoutFsync in tests")
	}
	return nil
}

// version returns that of the tables, 0 if there are none; one that is newer
// than this package is an error.
func (db *DB) version(ctx context.Context, o over) (version int, err error) {
	var there bool
	// Not to_regclass, which may answer from a cache that is older than the lock.
	err = o.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'store')", db.schema).Scan(&there)
	if err != nil || !there {
		return 0, err
	}
	err = o.QueryRow(ctx, db.sql("SELECT version FROM {s}.store")).Scan(&version)
	if err == nil && version > len(migrations) {
		err = fmt.Errorf("its tables are of version %d, and this program knows versions up to %d: use a newer one", version, len(migrations))
	}
	return version, err
}

// create makes the schema if it is missing: not with IF NOT EXISTS, for which
// one needs the right to make it even where it is.
func (db *DB) create(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", db.schema).Scan(&there); err != nil || there {
		return err
	}
	_, err := tx.Exec(ctx, db.sql("CREATE SCHEMA {s}"))
	return err
}

// lockNumber returns the number of an advisory lock: a hash of what it is for.
func (db *DB) lockNumber(kind, key string) int64 {
	sum := sha256.Sum256([]byte("signals eventstore\x00" + db.schema + "\x00" + kind + "\x00" + key))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

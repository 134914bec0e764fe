package faultfs_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"example.com/signals/faultfs"
	_ "github.com/ncruces/go-sqlite3/driver"
)

const sqliteRows = 12

// openSQLite opens a database in WAL mode.
func openSQLite(t *testing.T, fs *faultfs.FS, synchronous string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(fs.Dir(), "db")+
		"?_pragma=busy_timeout(1000)&_pragma=journal_mode(wal)&_pragma=synchronous("+synchronous+")")
	must(t, err)
	db.SetMaxOpenConns(2)
	return db
}

// appendRows inserts rows, each in a transaction, until something fails, and
// returns how many were acknowledged. The database stays open: closing it would sync.
func appendRows(db *sql.DB) (acknowledged int) {
	if _, err := db.Exec("CREATE TABLE t (n INTEGER PRIMARY KEY, data BLOB)"); err != nil {
		return 0
	}
	for n := 1; n <= sqliteRows; n++ {
		if _, err := db.Exec("INSERT INTO t VALUES (?, zeroblob(3000))", n); err != nil {
			break
		}
		acknowledged = n
		if n == sqliteRows/2 {
			_, _ = db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
		}
	}
	return acknowledged
}

// rows returns how many rows there are, or an error if the database is not sound.
func rows(db *sql.DB) (int, error) {
	var sound string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&sound); err != nil || sound != "ok" {
		return 0, fmt.Errorf("integrity check: %s, %w", sound, err)
	}
	var n, last int
	if err := db.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 't'").Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	if err := db.QueryRow("SELECT count(*), coalesce(max(n), 0) FROM t").Scan(&n, &last); err != nil {
		return 0, err
	}
	if n != last {
		return n, fmt.Errorf("%d rows up to %d: a gap", n, last)
	}
	return n, nil
}

// Whatever fails first, and at whatever operation: no row that SQLite has acknowledged is
// missing after a power cut, and the database is sound.
func TestSQLiteLosesNothing(t *testing.T) {
	for name, fault := range map[string]faultfs.Fault{
		"power off": {PowerOff: true},
		"EIO":       {},
		"ENOSPC":    {Err: syscall.ENOSPC, Repeat: true, Ops: faultfs.Changes &^ (faultfs.Sync | faultfs.SyncDir)},
	} {
		t.Run(name, func(t *testing.T) {
			fs := faultfs.Start(t)
			for fault.N = 1; ; fault.N++ {
				must(t, fs.Reset())
				must(t, fs.Inject(fault))
				db := openSQLite(t, fs, "full")
				acknowledged := appendRows(db)
				hits, err := fs.Fired()
				must(t, err)
				cut(t, fs, faultfs.Tear{Unit: faultfs.Sector * (fault.N % 2), Seed: uint64(fault.N)})
				_ = db.Close() // of the machine that is off
				db = openSQLite(t, fs, "full")
				left, err := rows(db)
				if err != nil || left < acknowledged {
					t.Errorf("%d, %v: %d rows of %d acknowledged are left, %v", fault.N, hits, left, acknowledged, err)
				}
				must(t, db.Close())
				if len(hits) == 0 {
					if fault.N < 3*sqliteRows || left != sqliteRows {
						t.Errorf("the script did %d operations and left %d rows", fault.N-1, left)
					}
					break
				}
			}
		})
	}
}

// The control: it must be possible to see that something is lost.
func TestSQLiteLosesRowsWithoutASyncForEach(t *testing.T) {
	for name, opts := range modes {
		for synchronous, want := range map[string]int{"full": sqliteRows, "normal": sqliteRows / 2} {
			t.Run(name+"/"+synchronous, func(t *testing.T) {
				fs := faultfs.Start(t, opts...)
				db := openSQLite(t, fs, synchronous)
				if n := appendRows(db); n != sqliteRows {
					t.Fatalf("%d rows were acknowledged", n)
				}
				cut(t, fs, faultfs.Tear{})
				_ = db.Close()
				db = openSQLite(t, fs, "full")
				defer db.Close()
				if left, err := rows(db); err != nil || left != want {
					t.Errorf("%d rows are left, want %d (%v)", left, want, err)
				}
			})
		}
	}
}

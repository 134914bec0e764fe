package sqlite

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

//go:embed schema.sql
var schema1 string

//go:embed schema_v2.sql
var schema2 string

//go:embed schema_v3.sql
var schema3 string

//go:embed schema_v4.sql
var schema4 string

//go:embed schema_v5.sql
var schema5 string

// migrations are the steps from one version of the tables to the next: the n-th
// one makes version n+1.
var migrations = []string{schema1, schema2, schema3, schema4, schema5}

// ErrNewer says that the file was written by a newer version of this package.
var ErrNewer = errors.New("its tables are of a newer version of this package")

// migrate brings the tables to the version that this program knows, in one
// transaction, and returns the identity of the history.
func (c *conn) migrate(steps []string) (identity string, err error) {
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		return "", err
	}
	defer func() {
		if err != nil && !c.GetAutocommit() {
			err = errors.Join(err, c.run("ROLLBACK"))
		}
	}()
	tables, _, err := c.int64("SELECT count(*) FROM sqlite_schema WHERE name = 'eventstore_store'")
	if err != nil {
		return "", err
	}
	version := 0
	if tables > 0 {
		found, err := c.row(func(s *sqlite3.Stmt) { version, identity = s.ColumnInt(0), s.ColumnText(1) }, "SELECT version, identity FROM eventstore_store")
		if err != nil {
			return "", err
		}
		if !found || version < 1 || identity == "" {
			return "", errors.New("corrupted: the table eventstore_store says nothing")
		}
	}
	if version > len(steps) {
		return "", fmt.Errorf("%w: version %d, and this one knows %d", ErrNewer, version, len(steps))
	}
	if version == len(steps) {
		return identity, c.run("COMMIT")
	}
	for _, step := range steps[version:] {
		if err := c.Exec(step); err != nil {
			return "", err
		}
	}
	if identity == "" {
		b := make([]byte, 16)
		rand.Read(b) // never fails
		identity = hex.EncodeToString(b)
	}
	err = c.run("INSERT INTO eventstore_store VALUES (1, ?1, ?2) ON CONFLICT DO UPDATE SET version = ?1", len(steps), identity)
	if err != nil {
		return "", err
	}
	return identity, c.run("COMMIT")
}

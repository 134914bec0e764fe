package sqlite

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// explain says in words what SQLite's codes mean here.
func explain(err error) error {
	for code, text := range map[error]string{
		sqlite3.NOTADB:   "it is no SQLite database, or its beginning is corrupted",
		sqlite3.CORRUPT:  "it is corrupted: restore a back-up",
		sqlite3.FULL:     "the disk is full: make room, then open the store again",
		sqlite3.READONLY: "it cannot be written to: the file, its directory and the files beside it must be writable",
		sqlite3.CANTOPEN: "it cannot be opened or made: the directory must be writable",
		sqlite3.BUSY:     "another program is using the file",
		sqlite3.TOOBIG:   "too large for SQLite",
	} {
		if errors.Is(err, code) {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return err
}

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// backupPages is how many pages are copied between two looks at the context.
const backupPages = 1000

// Backup writes the store as it is at this moment, with the user's tables, to a
// new file, while others read and write. The copy is on the disk when it returns,
// and has the same identity. The WAL cannot begin anew meanwhile. A file that is
// there already is an error. No more people can read it than the store, which may
// have keys in it.
func (db *DB) Backup(ctx context.Context, path string) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if err := db.usable(ctx); err != nil {
		return err
	}
	info, err := os.Stat(db.path)
	if err != nil {
		return fmt.Errorf("sqlite: backup: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return fmt.Errorf("sqlite: backup: %w", err)
	}
	if err := errors.Join(f.Close(), db.backup(ctx, path)); err != nil {
		return errors.Join(fmt.Errorf("sqlite: backup to %s: %w", path, explain(path, err)), os.Remove(path))
	}
	return nil
}

func (db *DB) backup(ctx context.Context, path string) (err error) {
	c, err := db.readers.connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	// A read transaction: the copy is of one instant, and does not begin anew
	// with every commit.
	if err := c.Exec("BEGIN; SELECT 1 FROM eventstore_store"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Exec("ROLLBACK")) }()
	b, err := c.BackupInit("main", dsn(abs, ""))
	if err != nil {
		return err
	}
	for done := false; !done && err == nil; {
		if err = ctx.Err(); err == nil {
			done, err = b.Step(backupPages)
		}
	}
	if err := errors.Join(err, b.Close()); err != nil {
		return err
	}
	f, err := os.OpenFile(abs, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncDir(filepath.Dir(abs)))
}

package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// leftOver reports whether there is a WAL, with something in it, before anybody
// here has opened the store.
func leftOver(wal string) (bool, error) {
	info, err := os.Stat(wal)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}

// rewrite writes a WAL that was left over to the disk anew, and makes its name
// durable. After a failed sync the system's cache may have what the disk has not,
// and call it clean: SQLite would find a commit that a power cut loses, and append
// behind the hole, losing all that comes after. So it is with the name in the
// directory.
//
// It is the same file afterwards, and nobody writes to it meanwhile: another
// program may have it open. (A copy in its place would leave that one with the file
// that was removed, and the index of this one: both would be corrupted.)
func (c *conn) rewrite(wal string) (err error) {
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.run("ROLLBACK")) }()
	f, err := os.OpenFile(wal, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) { // SQLite removes one that is of no database
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.NewOffsetWriter(f, 0), io.NewSectionReader(f, 0, info.Size())); err != nil {
		return err
	}
	return errors.Join(f.Sync(), syncDir(filepath.Dir(wal)))
}

const (
	verified        = 100    // events at the end that every Open verifies
	verifiedCrashed = 10_000 // and after a crash: more than a WAL usually has
)

// verifyEnd verifies the last events: that they are there, with their ids, tags
// and streams in the indexes. Check verifies all.
func (c *conn) verifyEnd(head eventstore.Position, crashed bool) error {
	n := eventstore.Position(verified)
	if crashed {
		n = verifiedCrashed
	}
	if head == 0 {
		return nil
	}
	first, _, err := c.int64("SELECT min(position) FROM eventstore_events")
	if err != nil {
		return err
	}
	if first != 1 {
		return fmt.Errorf("corrupted: the first event is at position %d", first)
	}
	tagged, err := c.tagged()
	if err != nil {
		return err
	}
	return errors.Join(c.verify(head-min(n, head), head), c.verify(tagged-min(verified, tagged), tagged))
}

// tagged returns up to where the table of tags has all.
func (c *conn) tagged() (eventstore.Position, error) {
	n, found, err := c.int64("SELECT position FROM eventstore_tagged")
	if err == nil && (!found || n < 0) {
		err = errors.New("corrupted: the table eventstore_tagged says nothing")
	}
	return eventstore.Position(n), err
}

// verify verifies the events in (lo, hi].
func (c *conn) verify(lo, hi eventstore.Position) error {
	tagged, err := c.tagged()
	if err != nil {
		return err
	}
	at := number(lo)
	var events []place
	var bad error
	err = c.rows(func(s *sqlite3.Stmt) bool {
		at++
		if got := s.ColumnInt64(0); got != at {
			bad = fmt.Errorf("corrupted: position %d comes where %d should be", got, at)
			return false
		}
		tags, err := tagNumbers(nil, s.ColumnRawBlob(1))
		if err != nil {
			bad = fmt.Errorf("corrupted: the tags of the event at position %d: %w", at, err)
			return false
		}
		events = append(events, place{at: int64(len(tags))})
		return true
	}, "SELECT position, tags FROM eventstore_events WHERE position > ? AND position <= ? ORDER BY position", lo, hi)
	if err := errors.Join(bad, err); err != nil {
		return err
	}
	if at != number(hi) {
		return fmt.Errorf("corrupted: the events end at position %d instead of %d", at, hi)
	}
	for i, e := range events {
		p := number(lo) + int64(i) + 1
		found, _, err := c.int64(`SELECT count(*) FROM eventstore_events AS e JOIN eventstore_events AS i INDEXED BY sqlite_autoindex_eventstore_events_1 ON i.id = e.id
			WHERE e.position = ?1 AND i.position = ?1`, p)
		if err != nil {
			return err
		}
		if found != 1 {
			return fmt.Errorf("corrupted: the event at position %d is not found by its id", p)
		}
		if e.at == 0 || p > number(tagged) {
			continue
		}
		var tags []int64
		err = c.rows(func(s *sqlite3.Stmt) bool {
			tags, bad = tagNumbers(nil, s.ColumnRawBlob(0))
			return bad == nil
		}, "SELECT tags FROM eventstore_events WHERE position = ?", p)
		if err := errors.Join(bad, err); err != nil {
			return err
		}
		for _, tag := range tags {
			_, found, err := c.int64("SELECT type FROM eventstore_tags WHERE tag = ? AND position = ?", tag, p)
			if err != nil {
				return err
			}
			if !found {
				return fmt.Errorf("corrupted: the event at position %d is not found by a tag", p)
			}
		}
	}
	return nil
}

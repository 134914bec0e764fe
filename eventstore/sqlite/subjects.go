package sqlite

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// subjectKey returns the key of a subject, if there is one.
func (c *conn) subjectKey(subject string) (id string, key []byte, found bool, err error) {
	found, err = c.row(func(s *sqlite3.Stmt) { id, key = s.ColumnText(0), bytes.Clone(s.ColumnRawBlob(1)) },
		"SELECT id, key FROM eventstore_subjects WHERE subject = ?", subject)
	return id, key, found, err
}

// SubjectKey implements [eventstore.KeyStore].
func (db *DB) SubjectKey(ctx context.Context, subject string) (id string, key []byte, err error) {
	var found bool
	err = db.read(ctx, func(c *conn) (err error) { id, key, found, err = c.subjectKey(subject); return err })
	if found || err != nil {
		return id, key, err
	}
	var newID string
	var newKey []byte
	err = db.do(ctx, &job{run: func(w *writer) (err error) {
		var found bool
		if newID, newKey, found, err = w.c.subjectKey(subject); found || err != nil {
			return err
		}
		random := make([]byte, 16)
		newKey = make([]byte, 32)
		rand.Read(random) // never fails
		rand.Read(newKey)
		newID = hex.EncodeToString(random)
		return w.c.run("INSERT INTO eventstore_subjects (subject, id, key) VALUES (?, ?, ?)", subject, newID, newKey)
	}})
	if err != nil {
		return "", nil, err
	}
	return newID, newKey, nil
}

// KeyByID implements [eventstore.KeyStore].
func (db *DB) KeyByID(ctx context.Context, id string) (key []byte, err error) {
	found := false
	err = db.read(ctx, func(c *conn) (err error) {
		found, err = c.row(func(s *sqlite3.Stmt) { key = bytes.Clone(s.ColumnRawBlob(0)) }, "SELECT key FROM eventstore_subjects WHERE id = ?1 UNION ALL SELECT key FROM eventstore_old_keys WHERE id = ?1 AND key IS NOT NULL", id)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("sqlite: key %s: %w", id, eventstore.ErrErased)
	}
	return key, err
}

// ForgetSubject implements [eventstore.KeyStore]. SQLite overwrites what it
// deletes with zeros (secure_delete), and the WAL, which still has the key, is
// copied into the file and cut off: by one of the commits that follow, if a reader is
// in the way for longer than 5 s. What the device itself keeps of overwritten
// blocks, and what is in back-ups, is out of reach.
func (db *DB) ForgetSubject(ctx context.Context, subject string) error {
	return db.do(ctx, &job{run: func(w *writer) error {
		w.erase = true
		for _, query := range []string{
			"INSERT INTO eventstore_old_keys (id) SELECT id FROM eventstore_subjects WHERE subject = ?",
			"DELETE FROM eventstore_subjects WHERE subject = ?",
			"UPDATE eventstore_old_keys SET subject = NULL, key = NULL WHERE subject = ?",
		} {
			if err := w.c.run(query, subject); err != nil {
				return err
			}
		}
		return nil
	}})
}

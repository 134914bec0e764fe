package sqlite

import (
	"bytes"
	"context"
	"fmt"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// allKeys are those of today and the others, with what a SubjectKey says of them.
const allKeys = `(SELECT id, subject, key, 0 AS older FROM eventstore_subjects
	UNION ALL SELECT id, subject, key, subject IS NOT NULL FROM eventstore_old_keys)`

func subjectKeyOf(s *sqlite3.Stmt) eventstore.SubjectKey {
	return eventstore.SubjectKey{ID: s.ColumnText(0), Subject: s.ColumnText(1), Key: bytes.Clone(s.ColumnRawBlob(2)), Older: s.ColumnBool(3)}
}

// SubjectKeys implements [eventstore.KeyMover].
func (db *DB) SubjectKeys(ctx context.Context, after string, limit int) (keys []eventstore.SubjectKey, err error) {
	err = db.read(ctx, func(c *conn) error {
		keys = nil
		return c.rows(func(s *sqlite3.Stmt) bool { keys = append(keys, subjectKeyOf(s)); return true },
			"SELECT id, subject, key, older FROM "+allKeys+" WHERE id > ? ORDER BY id LIMIT ?", after, limit)
	})
	return keys, err
}

// ImportSubjectKeys implements [eventstore.KeyMover]. All is checked before
// anything is written: a job that fails does not undo its neighbours.
func (db *DB) ImportSubjectKeys(ctx context.Context, keys []eventstore.SubjectKey) (done eventstore.KeysImported, err error) {
	err = db.do(ctx, &job{run: func(w *writer) error {
		done = eventstore.KeysImported{}
		for _, k := range keys {
			own, err := w.c.keyOf(k.ID)
			if err != nil {
				return err
			}
			if !k.Forgotten() && own.Subject != "" && (own.Subject != k.Subject || !bytes.Equal(own.Key, k.Key)) {
				return fmt.Errorf("sqlite: import of keys: %s is here with another subject or key", k.ID)
			}
		}
		for _, k := range keys {
			if err := w.importKey(k, &done); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		done = eventstore.KeysImported{}
	}
	return done, err
}

// keyOf returns what is known of a key; without its ID: nothing.
func (c *conn) keyOf(id string) (k eventstore.SubjectKey, err error) {
	_, err = c.row(func(s *sqlite3.Stmt) { k = subjectKeyOf(s) }, "SELECT id, subject, key, older FROM "+allKeys+" WHERE id = ?", id)
	return k, err
}

// importKey takes over one key, or forgets it.
func (w *writer) importKey(k eventstore.SubjectKey, done *eventstore.KeysImported) error {
	own, err := w.c.keyOf(k.ID)
	here := own.ID != ""
	switch {
	case err != nil:
		return err
	case here && (own.Forgotten() || !k.Forgotten()):
		return nil
	case k.Forgotten():
		w.erase = true
		if here {
			done.Forgotten++
		}
		if err := w.c.run("DELETE FROM eventstore_subjects WHERE id = ?", k.ID); err != nil {
			return err
		}
		return w.c.run("INSERT INTO eventstore_old_keys (id) VALUES (?) ON CONFLICT DO UPDATE SET subject = NULL, key = NULL", k.ID)
	}
	done.Taken++
	_, has, err := w.c.int64("SELECT 1 FROM eventstore_subjects WHERE subject = ?", k.Subject)
	if err != nil {
		return err
	}
	table := "eventstore_subjects"
	if has || k.Older {
		table = "eventstore_old_keys"
	}
	return w.c.run("INSERT INTO "+table+" (id, subject, key) VALUES (?, ?, ?)", k.ID, k.Subject, k.Key)
}

package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// SubjectKey returns the subject's key and its id, and makes one if there is
// none.
func (db *DB) SubjectKey(ctx context.Context, subject string) (id string, key []byte, err error) {
	err = db.inTx(ctx, "subject key", func(ctx context.Context, tx pgx.Tx) error {
		find := func() error {
			return tx.QueryRow(ctx, db.sql("SELECT id, key FROM {s}.subjects WHERE subject = $1"), subject).Scan(&id, &key)
		}
		err := find()
		for errors.Is(err, pgx.ErrNoRows) { // again if it is made, and again if it is forgotten, meanwhile
			fresh := make([]byte, 32)
			rand.Read(fresh) // never fails
			_, err = tx.Exec(ctx, db.sql("INSERT INTO {s}.subjects (subject, id, key) VALUES ($1, $2, $3) ON CONFLICT (subject) DO NOTHING"),
				subject, rand.Text(), fresh)
			if err == nil {
				err = find()
			}
		}
		return named("subject key", err)
	})
	return id, key, err
}

// KeyByID returns the key with that id; ErrErased if there is none.
func (db *DB) KeyByID(ctx context.Context, id string) (key []byte, err error) {
	if err := db.ready(ctx); err != nil {
		return nil, err
	}
	err = db.retry(ctx, func() error {
		return db.pool.QueryRow(ctx, db.sql(`SELECT key FROM {s}.subjects WHERE id = $1
			UNION ALL SELECT key FROM {s}.old_keys WHERE id = $1 AND key IS NOT NULL`), id).Scan(&key)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("postgres: key %s: %w", id, eventstore.ErrErased)
	}
	return key, named("key by id", err)
}

// ForgetSubject destroys the subject's key. The server overwrites nothing in
// place: the row's space is given back at once if the role may VACUUM the table
// and no older transaction runs, else by autovacuum; and the write-ahead log, its
// archive and back-ups have the key for as long as they are kept.
func (db *DB) ForgetSubject(ctx context.Context, subject string) error {
	err := db.inTx(ctx, "forget subject", func(ctx context.Context, tx pgx.Tx) error {
		// Two statements, so that the tables are locked in the order in which an import
		// of keys locks them: one over both would lock them in either.
		rows, err := tx.Query(ctx, db.sql("DELETE FROM {s}.subjects WHERE subject = $1 RETURNING id"), subject)
		if err != nil {
			return named("forget subject", err)
		}
		gone, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err == nil {
			_, err = tx.Exec(ctx, db.sql("INSERT INTO {s}.old_keys (id) SELECT unnest($1::text[])"), orEmpty(gone))
		}
		if err == nil {
			_, err = tx.Exec(ctx, db.sql("UPDATE {s}.old_keys SET subject = NULL, key = NULL WHERE subject = $1"), subject)
		}
		return named("forget subject", err)
	})
	if err == nil {
		db.vacuumKeys(ctx)
	}
	return err
}

// vacuumKeys gives back the space of keys that are gone for every reader
// already. It does not make the file shorter: to do that it would wait five seconds
// for the next one who forgets, who waits for it.
func (db *DB) vacuumKeys(ctx context.Context) {
	for _, table := range []string{"subjects", "old_keys"} {
		_, _ = db.pool.Exec(ctx, db.sql("VACUUM (TRUNCATE false) {s}."+table))
	}
}

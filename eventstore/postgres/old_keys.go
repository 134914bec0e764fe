package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// allKeys are those of today and the others, with what a SubjectKey says of them.
const allKeys = `(SELECT id, subject, key, false AS older FROM {s}.subjects
	UNION ALL SELECT id, coalesce(subject, ''), key, subject IS NOT NULL FROM {s}.old_keys) AS k`

func scanKey(row pgx.CollectableRow) (k eventstore.SubjectKey, err error) {
	err = row.Scan(&k.ID, &k.Subject, &k.Key, &k.Older)
	return k, err
}

// SubjectKeys returns keys, and ids of keys that were forgotten, by id.
func (db *DB) SubjectKeys(ctx context.Context, after string, limit int) (keys []eventstore.SubjectKey, err error) {
	if err := db.ready(ctx); err != nil {
		return nil, err
	}
	err = db.retry(ctx, func() error {
		rows, err := db.pool.Query(ctx, db.sql("SELECT id, subject, key, older FROM "+allKeys+" WHERE id > $1 ORDER BY id LIMIT $2"), after, limit)
		if err != nil {
			return err
		}
		keys, err = pgx.CollectRows(rows, scanKey)
		return err
	})
	return keys, named("subject keys", err)
}

// ImportSubjectKeys takes keys over, and forgets those that are forgotten.
func (db *DB) ImportSubjectKeys(ctx context.Context, keys []eventstore.SubjectKey) (done eventstore.KeysImported, err error) {
	err = db.inTx(ctx, "import keys", func(ctx context.Context, tx pgx.Tx) error {
		// Nobody makes a key for a subject, or forgets one, meanwhile.
		_, err := tx.Exec(ctx, db.sql("LOCK TABLE {s}.subjects, {s}.old_keys IN SHARE ROW EXCLUSIVE MODE"))
		for _, k := range keys {
			if err == nil {
				err = db.importKey(ctx, tx, k, &done)
			}
		}
		return named("import keys", err)
	})
	if err != nil {
		return eventstore.KeysImported{}, err
	}
	if done.Forgotten > 0 {
		db.vacuumKeys(ctx)
	}
	return done, nil
}

// importKey takes over one key, or forgets it.
func (db *DB) importKey(ctx context.Context, tx pgx.Tx, k eventstore.SubjectKey, done *eventstore.KeysImported) error {
	rows, err := tx.Query(ctx, db.sql("SELECT id, subject, key, older FROM "+allKeys+" WHERE id = $1"), k.ID)
	if err != nil {
		return err
	}
	own, err := pgx.CollectOneRow(rows, scanKey)
	here := !errors.Is(err, pgx.ErrNoRows)
	switch {
	case here && err != nil:
		return err
	case here && own.Forgotten():
		return nil
	case k.Forgotten():
		if here {
			done.Forgotten++
		}
		if _, err := tx.Exec(ctx, db.sql("DELETE FROM {s}.subjects WHERE id = $1"), k.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, db.sql("INSERT INTO {s}.old_keys (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET subject = NULL, key = NULL"), k.ID)
		return err
	case here && (own.Subject != k.Subject || !bytes.Equal(own.Key, k.Key)):
		return fmt.Errorf("%s is here with another subject or key", k.ID)
	case here:
		return nil
	}
	done.Taken++
	var has bool
	if err := tx.QueryRow(ctx, db.sql("SELECT EXISTS (SELECT FROM {s}.subjects WHERE subject = $1)"), k.Subject).Scan(&has); err != nil {
		return err
	}
	table := "subjects"
	if has || k.Older {
		table = "old_keys"
	}
	_, err = tx.Exec(ctx, db.sql("INSERT INTO {s}."+table+" (id, subject, key) VALUES ($1, $2, $3)"), k.ID, k.Subject, k.Key)
	return err
}

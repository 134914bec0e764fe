package sqlite

import "context"

// SynchronousNormal opens a store that loses what it acknowledged: the control
// of the tests of durability.
func SynchronousNormal() Option { return func(c *config) { c.synchronous = "normal" } }

// KeepBack sets how many events with tags are kept back before their tags go to
// the table: a few, so that a test sees it happen.
func KeepBack(n int) Option { return func(c *config) { c.keepBack = n } }

// SetVersion changes what the store says of its tables.
func SetVersion(db *DB, version int) error {
	return db.do(context.Background(), &job{run: func(w *writer) error {
		return w.c.run("UPDATE eventstore_store SET version = ?", version)
	}})
}

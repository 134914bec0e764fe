package sqlite_test

import (
	"path/filepath"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/eventstore/storetest"
)

func open(t testing.TB, path string, opts ...sqlite.Option) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestTheBackendKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) eventstore.Backend { return open(t, filepath.Join(t.TempDir(), "events.db")) })
}

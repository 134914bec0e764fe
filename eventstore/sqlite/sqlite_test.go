package sqlite_test

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"example.com/signals/eventstore"
	"example.com/signals/eventstore/sqlite"
	"example.com/signals/eventstore/storetest"
	"example.com/signals/eventstore/storetest/heavy"
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

// The suite has few events: here their tags go to the table all the same.
func TestTheBackendKeepsTheContractWithTagsInTheTable(t *testing.T) {
	storetest.Run(t, func(t *testing.T) eventstore.Backend {
		return open(t, filepath.Join(t.TempDir(), "events.db"), sqlite.KeepBack(3))
	})
}

func TestTheBackendKeepsTheContractUnderHeavyTools(t *testing.T) {
	heavy.Run(t, func(t *testing.T) eventstore.Backend {
		return open(t, filepath.Join(t.TempDir(), "events.db"), sqlite.KeepBack(5))
	})
}

// must ends the test at an error: must(f())(t).
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// quiet is a logger that says nothing: stores break all the time here.
func quiet() sqlite.Option { return sqlite.Logger(slog.New(slog.NewTextHandler(io.Discard, nil))) }

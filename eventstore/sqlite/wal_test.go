package sqlite

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"example.com/signals/eventstore"
)

var appends = flag.Int("appends", 100_000, "events that are appended beside a reader that pauses")

// A reader that pauses in the middle of a page, and between two pages, keeps no
// transaction: the WAL is copied into the database and begins anew, however much is
// appended meanwhile.
func TestAReaderThatPausesDoesNotLetTheWALGrow(t *testing.T) {
	if testing.Short() {
		t.Skip("many events: not with -short")
	}
	db := opened(t, filepath.Join(t.TempDir(), "db"))
	store := eventstore.New(db)
	fill := func(n int) {
		for range n / 1000 {
			batch := make([]eventstore.Event, 1000)
			for i := range batch {
				batch[i] = eventstore.Event{Type: "more", Data: make([]byte, 500)}
			}
			if _, err := store.Append(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	written := func() (n int64) {
		for _, suffix := range []string{"", "-wal"} {
			info, err := os.Stat(db.path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if n = info.Size(); suffix == "" && n == 0 {
				t.Fatal("no database")
			}
		}
		return n
	}
	fill(10_000)
	limit := int64(2*walPages) * 4120
	pauses := 0
	for r, err := range store.Read(t.Context(), eventstore.All()) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Position%4000 == 10 { // pages are smaller, and end elsewhere
			pauses++
			fill(*appends / 3)
			if got := written(); got > limit {
				t.Errorf("the WAL has %d bytes beside a reader that paused %d times, want at most %d", got, pauses, limit)
			}
		}
	}
	if pauses != 3 {
		t.Errorf("%d pauses, want 3", pauses)
	}
	if all, err := os.Stat(db.path); err != nil || all.Size() < limit {
		t.Errorf("the database has %d bytes: too few for the test to see anything (%v)", all.Size(), err)
	}
}

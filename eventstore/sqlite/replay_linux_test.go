package sqlite_test

import (
	"path/filepath"
	"testing"

	"example.com/signals/eventstore"
)

// BenchmarkReplay reads events with three tags, as many as there are calls.
func BenchmarkReplay(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "db"))
	store := eventstore.New(db)
	batch := make([]eventstore.Event, 1000)
	for range 100 {
		for i := range batch {
			batch[i] = figureEvent(i, 3)
		}
		must(store.Append(b.Context(), batch))(b)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, err := range store.Read(b.Context(), eventstore.All()) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

package sqlite

import (
	"maps"
	"slices"
	"sync"

	"example.com/signals/eventstore"
)

// watchers are told what was committed. There is one process, so nothing is
// lost and nobody polls.
type watchers struct {
	mu   sync.Mutex
	last int                             // number; under mu
	fns  map[int]func(eventstore.Notice) // under mu
}

// Watch implements [eventstore.Backend].
func (db *DB) Watch(fn func(eventstore.Notice)) (stop func()) {
	w := &db.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fns == nil {
		w.fns = map[int]func(eventstore.Notice){}
	}
	w.last++
	n := w.last
	w.fns[n] = fn
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.fns, n)
	}
}

// tell calls the watchers, with no lock held.
func (w *watchers) tell(n eventstore.Notice) {
	w.mu.Lock()
	fns := slices.Collect(maps.Values(w.fns))
	w.mu.Unlock()
	for _, fn := range fns {
		fn(n)
	}
}

package sqlite

import (
	"context"
	"fmt"

	"example.com/signals/eventstore"
)

// Import implements [eventstore.Importer].
func (db *DB) Import(ctx context.Context, identity string, events []eventstore.Recorded) error {
	b := eventstore.Batch{Events: make([]eventstore.Event, len(events))}
	for i, r := range events {
		b.Events[i] = r.Event
	}
	p, err := prepare(b)
	if err != nil {
		return err
	}
	return db.do(ctx, &job{size: p.size, run: func(w *writer) error {
		if err := w.importable(identity, events, p.ids); err != nil {
			return err
		}
		if w.head == 0 {
			if err := w.c.run("UPDATE eventstore_store SET identity = ?", identity); err != nil {
				return err
			}
			w.identity = identity
		}
		for i, r := range events {
			if err := w.store(r.Clone(), p.ids[i], p.meta[i]); err != nil {
				return err
			}
		}
		return nil
	}})
}

// importable checks everything before anything is written.
func (w *writer) importable(identity string, events []eventstore.Recorded, ids []any) error {
	if has := w.identityNow(); w.head > 0 && has != identity {
		return fmt.Errorf("sqlite: import of history %s into a store with history %s: want an empty store", identity, has)
	}
	seen, versions := make(map[string]bool, len(events)), map[string]uint64{}
	for i, r := range events {
		if want := w.head + eventstore.Position(i+1); r.Position != want {
			return fmt.Errorf("sqlite: import of position %d where %d comes next", r.Position, want)
		}
		taken := seen[r.ID]
		if b, ok := ids[i].([]byte); !taken && (!ok || string(b) <= w.lastID) {
			var err error
			if _, taken, err = w.c.int64("SELECT position FROM eventstore_events WHERE id = ?", ids[i]); err != nil {
				return err
			}
		}
		if taken {
			return fmt.Errorf("sqlite: import of position %d: its id %q is taken", r.Position, r.ID)
		}
		seen[r.ID] = true
		var version uint64
		if r.Stream != "" {
			if _, ok := versions[r.Stream]; !ok {
				at, err := w.stream(r.Stream)
				if err != nil {
					return err
				}
				versions[r.Stream] = at.version
			}
			versions[r.Stream]++
			version = versions[r.Stream]
		}
		if r.Version != version {
			return fmt.Errorf("sqlite: import of position %d: version %d of stream %q where %d comes next", r.Position, r.Version, r.Stream, version)
		}
	}
	return nil
}

// identityNow is the identity with what the transaction has done.
func (w *writer) identityNow() string {
	if w.identity != "" {
		return w.identity
	}
	return *w.db.identity.Load()
}

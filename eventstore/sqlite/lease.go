package sqlite

import (
	"context"
	"sync"

	"example.com/signals/eventstore"
)

// leases are those that are held. The file has one process, so a map is enough.
type leases struct {
	mu   sync.Mutex
	held map[string]*lease // by key; under mu
}

type lease struct {
	db   *DB
	key  string
	lost chan struct{}
	once sync.Once
}

// Lease implements [eventstore.Leaser].
func (db *DB) Lease(ctx context.Context, key string) (eventstore.Lease, error) {
	for {
		if err := db.usable(ctx); err != nil {
			return nil, err
		}
		db.leases.mu.Lock()
		held := db.leases.held[key]
		if held == nil {
			l := &lease{db: db, key: key, lost: make(chan struct{})}
			if db.leases.held == nil {
				db.leases.held = map[string]*lease{}
			}
			db.leases.held[key] = l
			db.leases.mu.Unlock()
			return l, nil
		}
		db.leases.mu.Unlock()
		select {
		case <-held.lost:
		case <-ctx.Done():
		case <-db.closeDone:
		}
	}
}

func (l *lease) Lost() <-chan struct{} { return l.lost }

func (l *lease) Release() {
	l.once.Do(func() {
		l.db.leases.mu.Lock()
		delete(l.db.leases.held, l.key)
		l.db.leases.mu.Unlock()
		close(l.lost)
		l.db.watchers.tell(eventstore.Notice{Key: l.key})
	})
}

// end takes all leases away, when the DB is closed.
func (l *leases) end() {
	l.mu.Lock()
	held := l.held
	l.held = nil
	l.mu.Unlock()
	for _, one := range held {
		one.once.Do(func() { close(one.lost) })
	}
}

package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// key is what a DB knows of the lease of a key, under session.mu. The lock is
// the connection's, for as long as anybody here holds or wants the lease; who of
// those here has it is decided here. When nobody does, the key is forgotten.
type key struct {
	locked  bool // by the present connection
	holder  *lease
	waiting []*lease // in the order in which they came
}

// lease is one that is held, or waited for.
type lease struct {
	s       *session
	key     string
	granted chan struct{} // closed under session.mu
	lost    chan struct{}
	once    sync.Once
}

// Lease waits until no other DB has the key's lease, in whatever process, and
// takes it.
func (db *DB) Lease(ctx context.Context, name string) (eventstore.Lease, error) {
	if err := db.ready(ctx); err != nil {
		return nil, err
	}
	s := &db.session
	l := &lease{s: s, key: name, granted: make(chan struct{}), lost: make(chan struct{})}
	s.mu.Lock()
	if s.leases == nil {
		s.leases = map[string]*key{}
	}
	k := s.leases[name]
	if k == nil {
		k = &key{}
		s.leases[name] = k
	}
	k.waiting = append(k.waiting, l)
	k.grantLocked()
	s.startLocked()
	s.wakeLocked()
	s.mu.Unlock()
	var err error
	select {
	case <-l.granted:
		return l, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-db.life.Done():
		err = eventstore.ErrClosed
	}
	l.Release()
	return nil, fmt.Errorf("postgres: lease of key %q: %w", name, err)
}

// grantLocked gives a free lease to the first who waits.
func (k *key) grantLocked() {
	if k.locked && k.holder == nil && len(k.waiting) > 0 {
		k.holder, k.waiting = k.waiting[0], k.waiting[1:]
		close(k.holder.granted)
	}
}

// Lost is closed when the lease is, or may be, gone.
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release gives it back, or stops waiting for it.
func (l *lease) Release() {
	l.once.Do(func() {
		close(l.lost)
		l.s.mu.Lock()
		defer l.s.mu.Unlock()
		k := l.s.leases[l.key]
		if k == nil {
			return
		}
		k.waiting = slices.DeleteFunc(k.waiting, func(other *lease) bool { return other == l })
		if k.holder == l {
			k.holder = nil
		}
		k.grantLocked()
		if k.holder == nil && len(k.waiting) == 0 {
			l.s.wakeLocked() // unlock, and forget it
		}
	})
}

// lost ends the leases of a connection that is gone. Who waits goes on waiting.
func (s *session) lost() {
	s.mu.Lock()
	var gone []*lease
	for name, k := range s.leases {
		k.locked = false
		if k.holder != nil {
			gone = append(gone, k.holder)
			k.holder = nil
		}
		if len(k.waiting) == 0 {
			delete(s.leases, name)
		}
	}
	s.mu.Unlock()
	for _, l := range gone {
		l.Release()
	}
}

// leasesOver gives back what nobody wants and, if look is true, tries to lock
// what somebody waits for.
func (s *session) leasesOver(conn *pgx.Conn, look bool) error {
	s.mu.Lock()
	var free, wanted []string
	for name, k := range s.leases {
		switch {
		case k.locked && k.holder == nil && len(k.waiting) == 0:
			k.locked = false // nobody is granted it any more without trying
			free = append(free, name)
		case k.locked || len(k.waiting) > 0:
			if look && !k.locked {
				wanted = append(wanted, name)
			}
		default:
			delete(s.leases, name)
		}
	}
	s.mu.Unlock()
	if len(free)+len(wanted) == 0 {
		return nil
	}
	var b pgx.Batch
	for _, name := range free {
		b.Queue("SELECT pg_advisory_unlock($1)", s.db.lockNumber("lease", name))
		s.db.queueNotify(&b, notifyFree, s.db.instance, name)
	}
	locked := make([]bool, len(wanted))
	for i, name := range wanted {
		b.Queue("SELECT pg_try_advisory_lock($1)", s.db.lockNumber("lease", name)).
			QueryRow(func(row pgx.Row) error { return row.Scan(&locked[i]) })
	}
	ctx, cancel := context.WithTimeout(s.db.life, sessionTimeout)
	defer cancel()
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	s.mu.Lock()
	again := len(free) > 0 // to forget them
	for i, name := range wanted {
		if k := s.leases[name]; k != nil && locked[i] {
			k.locked = true
			k.grantLocked()
			again = again || k.holder == nil
		}
	}
	if again {
		s.wakeLocked()
	}
	s.mu.Unlock()
	for _, name := range free {
		s.tell(eventstore.Notice{Key: name})
	}
	return nil
}

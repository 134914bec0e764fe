package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5"
)

// session is the one connection that listens and holds leases, with its
// goroutine; both are there while there are watchers, or leases that are held or
// waited for.
type session struct {
	db *DB

	mu        sync.Mutex
	watchers  map[int]func(eventstore.Notice) // under mu
	watcher   int                             // number of the last one; under mu
	leases    map[string]*key                 // by key; under mu
	running   bool                            // the goroutine is there; under mu
	wanted    bool                            // it shall look at the leases; under mu
	interrupt context.CancelFunc              // ends its wait for a notification; nil while it does not; under mu
	told      eventstore.Position             // events up to here were told; under mu
}

// Watch calls fn after each commit, until stop is called.
func (db *DB) Watch(fn func(eventstore.Notice)) (stop func()) {
	s := &db.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watchers == nil {
		s.watchers = map[int]func(eventstore.Notice){}
	}
	s.watcher++
	n := s.watcher
	s.watchers[n] = fn
	s.startLocked()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, n)
		if s.idleLocked() {
			s.wakeLocked()
		}
	}
}

// tell calls the watchers, with no lock held.
func (s *session) tell(n eventstore.Notice) {
	s.mu.Lock()
	fns := make([]func(eventstore.Notice), 0, len(s.watchers))
	for _, fn := range s.watchers {
		fns = append(fns, fn)
	}
	s.mu.Unlock()
	for _, fn := range fns {
		fn(n)
	}
}

// stored tells the watchers of events that were committed.
func (s *session) stored(events []eventstore.Recorded) {
	s.mu.Lock()
	s.told = max(s.told, events[len(events)-1].Position)
	s.mu.Unlock()
	s.tell(eventstore.Notice{Events: events})
}

func (s *session) startLocked() {
	if !s.running && s.db.life.Err() == nil {
		s.running = true
		s.db.work.Go(s.run)
	}
}

func (s *session) idleLocked() bool { return len(s.watchers) == 0 && len(s.leases) == 0 }

// wakeLocked makes the goroutine look at what it has to do.
func (s *session) wakeLocked() {
	s.wanted = true
	if s.interrupt != nil {
		s.interrupt()
	}
}

// close wakes the goroutine, which then ends, as the DB's life has.
func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakeLocked()
}

// done reports whether nothing is left to do; then the goroutine must end.
func (s *session) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db.life.Err() == nil && !s.idleLocked() {
		return false
	}
	s.running = false
	return true
}

// run keeps the connection.
func (s *session) run() {
	const first, longest = 50 * time.Millisecond, 5 * time.Second
	wait := first
	for {
		ended, served := s.serve()
		if !ended || s.db.life.Err() != nil { // else there are none, or already those of the next goroutine
			s.lost()
		}
		if ended || s.done() {
			return
		}
		if served { // it had been up
			wait = first
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, longest)
		case <-s.db.life.Done():
		}
	}
}

// sessionTimeout bounds each statement of the connection, so that one whose
// other end is gone is noticed.
const sessionTimeout = 10 * time.Second

// serve connects and serves until the connection is lost or nothing is left to
// do (ended). served says that it got to work.
func (s *session) serve() (ended, served bool) {
	ctx, cancel := context.WithTimeout(s.db.life, sessionTimeout)
	defer cancel()
	pooled, err := s.db.pool.Acquire(ctx)
	if err != nil {
		return false, false
	}
	conn := pooled.Hijack() // it takes no place of the pool
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{s.db.schema}.Sanitize()); err != nil {
		return false, false
	}
	head, err := s.db.headOver(ctx, conn)
	if err != nil {
		return false, false
	}
	s.mu.Lock()
	s.told = max(s.told, head)
	s.mu.Unlock()
	s.tell(eventstore.Notice{}) // what came before it listened
	look := true
	for {
		if s.leasesOver(conn, look) != nil {
			return false, true
		}
		if s.done() {
			return true, true
		}
		var err error
		if look, err = s.wait(conn); err != nil {
			return false, true
		}
	}
}

// wait waits for a notification and handles it; or for wakeLocked; or for the
// time to look. It reports whether leases may have become free.
func (s *session) wait(conn *pgx.Conn) (look bool, err error) {
	ctx, cancel := context.WithTimeout(s.db.life, s.db.poll)
	defer cancel()
	s.mu.Lock()
	if s.wanted {
		s.wanted = false
		s.mu.Unlock()
		return true, nil
	}
	s.interrupt = cancel
	s.mu.Unlock()
	n, err := conn.WaitForNotification(ctx)
	s.mu.Lock()
	s.interrupt = nil
	look, s.wanted = s.wanted, false
	s.mu.Unlock()
	switch {
	case n != nil:
		free, err := s.notified(conn, n.Payload)
		return look || free, err
	case conn.IsClosed() || ctx.Err() == nil:
		return false, err
	case look:
		return true, nil
	}
	head, err := s.headOf(conn) // also tells whether the connection still works
	if err != nil {
		return false, err
	}
	return true, s.catchUp(conn, head)
}

func (s *session) headOf(conn *pgx.Conn) (eventstore.Position, error) {
	ctx, cancel := context.WithTimeout(s.db.life, sessionTimeout)
	defer cancel()
	return s.db.headOver(ctx, conn)
}

// catchUp tells of events up to the head that were not told: what another
// process appended, or a transaction of the caller. It reads them once for all
// followers, if they are few.
func (s *session) catchUp(conn *pgx.Conn, head eventstore.Position) error {
	s.mu.Lock()
	told, watched := s.told, len(s.watchers) > 0
	s.mu.Unlock()
	if head <= told || !watched {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.db.life, sessionTimeout)
	defer cancel()
	page, err := s.db.pageOver(ctx, conn, eventstore.PageRequest{Query: eventstore.All(), After: told, Limit: 256, MaxBytes: 256 << 10})
	switch {
	case err != nil:
		s.tell(eventstore.Notice{})
		return fmt.Errorf("read what is new: %w", err)
	case page.More || len(page.Events) == 0:
		s.mu.Lock()
		s.told = max(s.told, page.Head)
		s.mu.Unlock()
		s.tell(eventstore.Notice{})
	default:
		s.stored(page.Events)
	}
	return nil
}

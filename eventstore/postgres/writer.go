package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals/eventstore"
	"github.com/jackc/pgx/v5/pgxpool"
)

// writer appends for all callers of a DB: one goroutine, while there is
// something to do, takes what waits and commits it together.
type writer struct {
	db *DB

	mu      sync.Mutex
	queue   []*request // under mu
	running bool       // the goroutine is there; under mu
	closed  bool       // under mu
}

// What one transaction takes at most, but for a larger append alone.
const (
	maxGroup      = 512
	maxGroupBytes = 8 << 20
)

// request is an append that waits.
type request struct {
	batch eventstore.Batch
	bytes int
	// state goes from waiting to one of the others, once: whoever of caller and
	// writer is first.
	state  atomic.Int32
	done   chan struct{} // closed by the writer after done and err are set
	result eventstore.Appended
	err    error
}

const (
	waiting    int32 = iota
	committing       // the writer decides: the caller's context no longer counts
	withdrawn        // the caller has left: nothing is written
)

func (r *request) finish(done eventstore.Appended, err error) {
	r.result, r.err = done, err
	close(r.done)
}

// Append stores the batch, together with others that wait.
func (db *DB) Append(ctx context.Context, b eventstore.Batch) (eventstore.Appended, error) {
	if err := db.ready(ctx); err != nil {
		return eventstore.Appended{}, err
	}
	if inside(ctx, db) {
		return eventstore.Appended{}, errors.New("postgres: append inside of a transaction of this store, of which it would not be a part: use AppendTx")
	}
	bytes, err := size(b)
	if err != nil {
		return eventstore.Appended{}, err
	}
	r := &request{batch: b, bytes: bytes, done: make(chan struct{})}
	if err := db.writer.add(r); err != nil {
		return eventstore.Appended{}, err
	}
	select {
	case <-r.done:
		return r.result, r.err
	case <-ctx.Done():
	}
	if r.state.CompareAndSwap(waiting, withdrawn) {
		return eventstore.Appended{}, fmt.Errorf("postgres: waiting to append: %w", ctx.Err())
	}
	select {
	case <-r.done: // it was faster
		return r.result, r.err
	default:
		return eventstore.Appended{}, fmt.Errorf("postgres: %w (%v)", eventstore.ErrOutcomeUnknown, ctx.Err())
	}
}

func (w *writer) add(r *request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fmt.Errorf("postgres: %w", eventstore.ErrClosed)
	}
	w.queue = append(w.queue, r)
	if !w.running {
		w.running = true
		w.db.work.Go(w.run)
	}
	return nil
}

// close lets the goroutine end; what waits fails.
func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// run commits until nothing waits.
func (w *writer) run() {
	for group := w.take(); group != nil; group = w.take() {
		w.commit(group)
	}
}

// take returns what to commit next, nil at the end of the goroutine.
func (w *writer) take() (group []*request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	bytes, n := 0, 0
	for ; n < len(w.queue) && len(group) < maxGroup; n++ {
		r := w.queue[n]
		if bytes += r.bytes; bytes > maxGroupBytes && len(group) > 0 {
			break
		}
		if r.state.Load() != withdrawn {
			group = append(group, r)
		}
	}
	w.queue = append(w.queue[:0:0], w.queue[n:]...)
	if group == nil {
		w.running = false // nothing is left: what was, had been withdrawn
	}
	return group
}

// commit appends a group.
func (w *writer) commit(group []*request) {
	conn, l, err := w.begin(w.db.life, group)
	if err != nil {
		if w.db.life.Err() != nil {
			err = eventstore.ErrClosed
		}
		w.fail(group, named("append", err))
		return
	}
	var fresh []*request // that wait for the commit
	for n, r := range group {
		if !r.state.CompareAndSwap(waiting, committing) {
			continue
		}
		done, err := l.decide(n, r.batch)
		if err != nil || done.Known {
			r.finish(done, err)
			continue
		}
		r.result = done
		fresh = append(fresh, r)
	}
	if fresh == nil {
		w.rollback(conn)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.db.commitTimeout)
	err = w.db.store(ctx, conn, l, w.db.instance, "COMMIT")
	cancel()
	switch {
	case err == nil:
		conn.Release()
		w.committed(fresh, l.new)
	case refused(err):
		w.rollback(conn)
		w.fail(fresh, named("append", err))
	default:
		abandon(conn)
		w.resolve(fresh, err)
	}
}

// rollback ends a transaction that has written nothing that counts.
func (w *writer) rollback(conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), w.db.commitTimeout)
	defer cancel()
	_, _ = conn.Exec(ctx, "ROLLBACK") // if it fails, Release ends the connection
	conn.Release()
}

// abandon ends a connection of which nothing good is known.
func abandon(conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Conn().Close(ctx)
	conn.Release()
}

// begin locks the counter and reads what the group needs. Nothing has been
// written then, so a connection that turns out to be lost is replaced.
func (w *writer) begin(ctx context.Context, group []*request) (conn *pgxpool.Conn, l *look, err error) {
	batches := make([]eventstore.Batch, len(group))
	for i, r := range group {
		batches[i] = r.batch
	}
	for range 2 {
		if conn, err = w.db.pool.Acquire(ctx); err != nil {
			continue
		}
		if l, err = w.db.look(ctx, conn, batches, begin); err == nil {
			return conn, l, nil
		}
		abandon(conn)
		if refused(err) {
			break
		}
	}
	return nil, nil, err
}

// committed answers those whose events are stored, and tells the watchers:
// first, so that a look at the head by who was answered wakes nobody twice.
func (w *writer) committed(fresh []*request, events []eventstore.Recorded) {
	w.db.session.stored(events)
	for _, r := range fresh {
		r.finish(r.result, nil)
	}
}

func (w *writer) fail(group []*request, err error) {
	for _, r := range group {
		if r.state.CompareAndSwap(waiting, committing) || r.state.Load() == committing {
			r.finish(eventstore.Appended{}, err)
		}
	}
}

// resolvable is for how long a lost commit is looked up.
const resolvable = 10 * time.Second

// resolve finds out what became of a commit whose connection was lost. The
// transaction held the counter's lock, so with the lock in hand it has ended,
// and the ids tell how.
func (w *writer) resolve(fresh []*request, lost error) {
	ctx, cancel := context.WithTimeout(context.Background(), resolvable)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		conn, l, err := w.begin(ctx, fresh)
		if err == nil {
			w.rollback(conn)
			w.settle(fresh, l, lost)
			return
		}
		select {
		case <-time.After(wait):
			continue
		case <-ctx.Done():
		case <-w.db.life.Done():
		}
		w.fail(fresh, fmt.Errorf("postgres: append: %w: %v", eventstore.ErrOutcomeUnknown, lost))
		w.db.session.tell(eventstore.Notice{})
		return
	}
}

// settle answers each with what is stored of it: all or nothing.
func (w *writer) settle(fresh []*request, l *look, lost error) {
	for _, r := range fresh {
		done := eventstore.Appended{}
		for _, e := range r.batch.Events {
			if stored := l.stored[e.ID]; stored != nil {
				done.Events = append(done.Events, *stored)
			}
		}
		if len(done.Events) == len(r.batch.Events) {
			r.finish(done, nil)
			continue
		}
		r.finish(eventstore.Appended{}, fmt.Errorf("postgres: append: the connection was lost, and nothing was written: %w", lost))
	}
	w.db.session.tell(eventstore.Notice{})
}

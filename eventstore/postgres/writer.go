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
	done   chan struct{} // closed by the writer after result and err are set
	result eventstore.Appended
	err    error
}

const (
	waiting    int32 = iota
	committing       // the writer decides: the caller's context no longer counts
	withdrawn        // the caller has left: nothing is written
)

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
		return eventstore.Appended{}, fmt.Errorf("postgres: %w (%v)", eventstore.ErrOutcomeUnknown, ctx.Err()) //nolint:errorlint // the outcome is unknown: why is only said
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
	// Those behind the first that is to be stored wait for the commit as well:
	// what they are answered, a conflict too, may rest on it.
	var pending []*request
	for n, r := range group {
		if !r.state.CompareAndSwap(waiting, committing) {
			continue
		}
		r.result, r.err = l.decide(n, r.batch)
		if l.new == nil {
			close(r.done)
			continue
		}
		pending = append(pending, r)
	}
	if l.new == nil {
		w.rollback(conn)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.db.commitTimeout)
	err = w.db.store(ctx, conn, l, w.db.instance, "COMMIT")
	cancel()
	switch {
	case err == nil:
		conn.Release()
		w.committed(pending, l.new)
	case refused(err):
		w.rollback(conn)
		w.fail(pending, named("append", err))
	default:
		abandon(conn)
		w.resolve(pending, l.new, err)
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
	err = w.db.retry(ctx, func() (err error) {
		if conn, err = w.db.pool.Acquire(ctx); err != nil {
			return err
		}
		if l, err = w.db.look(ctx, conn, batches, begin); err != nil {
			abandon(conn)
		}
		return err
	})
	return conn, l, err
}

// committed tells the watchers, and answers.
func (w *writer) committed(pending []*request, events []eventstore.Recorded) {
	w.db.session.stored(events)
	for _, r := range pending {
		close(r.done)
	}
}

// fail answers those who have not left with an error.
func (w *writer) fail(group []*request, err error) {
	for _, r := range group {
		if r.state.CompareAndSwap(waiting, committing) || r.state.Load() == committing {
			r.result, r.err = eventstore.Appended{}, err
			close(r.done)
		}
	}
}

// resolve finds out what became of a commit whose connection was lost. The
// transaction held the counter's lock, so with the lock in hand it has ended,
// and one id tells how.
func (w *writer) resolve(pending []*request, events []eventstore.Recorded, lost error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.db.resolvable)
	defer cancel()
	one := []*request{{batch: eventstore.Batch{Events: []eventstore.Event{events[0].Event}}}}
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		conn, l, err := w.begin(ctx, one)
		if err == nil {
			w.rollback(conn)
			if l.stored[events[0].ID] != nil {
				w.committed(pending, events)
			} else {
				w.fail(pending, fmt.Errorf("postgres: append: the connection was lost, and nothing was written: %w", lost))
			}
			return
		}
		select {
		case <-time.After(wait):
			continue
		case <-ctx.Done():
		case <-w.db.life.Done():
		}
		w.fail(pending, fmt.Errorf("postgres: append: %w: %v", eventstore.ErrOutcomeUnknown, lost)) //nolint:errorlint // the outcome is unknown: why is only said
		w.db.session.tell(eventstore.Notice{})
		return
	}
}

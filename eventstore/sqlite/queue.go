package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"example.com/signals/eventstore"
)

// job is something for the writer to do in a transaction, together with the
// jobs that wait beside it.
type job struct {
	run  func(w *writer) error // called by the writer; an error that is not the database's refuses this job alone, which has then written nothing
	size int                   // of what it writes, about, in bytes
	key  string                // of the notice after the commit, or ""

	// A job with a turn has a transaction to itself, and its caller works in it:
	// from when turn is closed until it closes back. Then refused is read, with
	// which it rolls back, and failed, which is the database's failure in it.
	turn, back      chan struct{}
	refused, failed error

	state atomic.Int32  // queued, taken or left: whoever changes it first decides
	done  chan struct{} // closed when err is there
	err   error
}

const (
	queued int32 = iota
	taken        // by the writer
	left         // by the caller
)

// queue is what the writer has to do.
type queue struct {
	mu     sync.Mutex
	filled sync.Cond // of mu: jobs has been added to, or closed set
	jobs   []*job    // under mu
	closed bool      // under mu: no more will come
}

// Bounds of a group commit, and so of what the others wait for.
const (
	maxGroup      = 1024    // jobs
	maxGroupBytes = 4 << 20 // of data
)

// add queues a job.
func (q *queue) add(j *job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return fmt.Errorf("sqlite: %w", eventstore.ErrClosed)
	}
	q.jobs = append(q.jobs, j)
	if len(q.jobs) == 1 {
		q.filled.Signal()
	}
	return nil
}

// take waits for jobs, and takes a group, or one with a turn; none when the
// queue is closed and empty. Those that were just served together, as many as
// last, are likely to come again at once, so it yields the processor to them,
// but waits for nobody: a lone appender has last 1.
func (q *queue) take(last int) (group []*job) {
	q.mu.Lock()
	for len(q.jobs) == 0 && !q.closed {
		q.filled.Wait()
	}
	for before := 0; before < len(q.jobs) && len(q.jobs) < last; {
		before = len(q.jobs)
		q.mu.Unlock()
		runtime.Gosched()
		q.mu.Lock()
	}
	defer q.mu.Unlock()
	n, size := 0, 0
	for _, j := range q.jobs {
		if n > 0 && (j.turn != nil || n == maxGroup || size+j.size > maxGroupBytes) {
			break
		}
		n++
		size += j.size
		if j.state.CompareAndSwap(queued, taken) {
			group = append(group, j)
			if j.turn != nil {
				break
			}
		}
	}
	rest := copy(q.jobs, q.jobs[n:])
	clear(q.jobs[rest:])
	q.jobs = q.jobs[:rest]
	return group
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
}

// do queues the job and waits for its commit.
func (db *DB) do(ctx context.Context, j *job) error {
	if err := db.enqueue(ctx, j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return j.leave(ctx)
	}
}

// enqueue queues a job.
func (db *DB) enqueue(ctx context.Context, j *job) error {
	if err := db.usable(ctx); err != nil {
		return err
	}
	if db.inUpdate(ctx) {
		return fmt.Errorf("sqlite: a write inside of an Update or a projection would wait for itself: use its tx")
	}
	j.done = make(chan struct{})
	return db.queue.add(j)
}

// leave ends the waiting of a caller whose context has ended.
func (j *job) leave(ctx context.Context) error {
	if j.state.CompareAndSwap(queued, left) {
		return fmt.Errorf("sqlite: waiting for the writer: %w", ctx.Err())
	}
	select {
	case <-j.done: // it has just come
		return j.err
	default:
		return fmt.Errorf("sqlite: %w (%w)", eventstore.ErrOutcomeUnknown, ctx.Err())
	}
}

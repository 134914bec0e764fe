package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"example.com/signals/eventstore"
	"github.com/ncruces/go-sqlite3"
)

// readers are connections that only read. Between two uses none has a
// transaction.
type readers struct {
	path        string
	synchronous string
	fresh       *freshTags
	free        chan *conn    // with room for all
	done        chan struct{} // closed by close

	mu     sync.Mutex
	opened int  // under mu; at most cap(free)
	closed bool // under mu
}

func (r *readers) open(path string, n int, synchronous string, fresh *freshTags) {
	r.path, r.synchronous, r.fresh = path, synchronous, fresh
	r.free, r.done = make(chan *conn, n), make(chan struct{})
}

// take waits for a connection.
func (r *readers) take(ctx context.Context) (*conn, error) {
	select {
	case c := <-r.free:
		return c, nil
	default:
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, eventstore.ErrClosed
	}
	if r.opened < cap(r.free) {
		r.opened++
		r.mu.Unlock()
		c, err := r.connect()
		if err != nil {
			r.lost()
			return nil, err
		}
		return c, nil
	}
	r.mu.Unlock()
	select {
	case c := <-r.free:
		return c, nil
	case <-r.done:
		return nil, eventstore.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *readers) connect() (*conn, error) {
	raw, err := sqlite3.OpenFlags(dsn(r.path, ""), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	c := newConn(raw)
	c.fresh = r.fresh
	if err := errors.Join(c.setUp(pragmas(r.synchronous, 8<<10)), c.Exec("PRAGMA query_only=1")); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// lost notes that there is a connection less.
func (r *readers) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened--
}

// close closes the connections, when their pages have been read.
func (r *readers) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	close(r.done)
	var errs []error
	for {
		r.mu.Lock()
		left := r.opened
		r.mu.Unlock()
		if left == 0 {
			return errors.Join(errs...)
		}
		errs = append(errs, (<-r.free).close())
		r.lost()
	}
}

// read calls fn with a connection. ctx interrupts it.
func (db *DB) read(ctx context.Context, fn func(c *conn) error) error {
	if err := db.usable(ctx); err != nil {
		return err
	}
	c, err := db.readers.take(ctx)
	if err != nil {
		return fmt.Errorf("sqlite: read: %w", explain(db.path, err))
	}
	whole := false
	defer func() {
		if !whole { // a panic: its statements may be anywhere
			_ = c.close()
			db.readers.lost()
		}
	}()
	c.SetInterrupt(ctx)
	err = fn(c)
	c.SetInterrupt(context.Background())
	whole = true
	db.readers.free <- c
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && errors.Is(err, sqlite3.INTERRUPT) {
		return ctx.Err()
	}
	return fmt.Errorf("sqlite: read: %w", explain(db.path, err))
}

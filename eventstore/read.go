package eventstore

import (
	"context"
	"fmt"
	"iter"
)

// ReadOption says which part of what matches Read returns.
type ReadOption func(*readConfig)

type readConfig struct {
	after    Position
	until    Position
	bounded  bool // until was given
	backward bool
	limit    int
	err      error
}

// After leaves out the events up to that position, and that one; also with
// Backward.
func After(p Position) ReadOption { return func(c *readConfig) { c.after = p } }

// Until leaves out the events after that position; also with Backward.
func Until(p Position) ReadOption { return func(c *readConfig) { c.until, c.bounded = p, true } }

// Backward reads from the last event to the first.
func Backward() ReadOption { return func(c *readConfig) { c.backward = true } }

// Limit ends the reading after n events. n < 1 is an error of the Read.
func Limit(n int) ReadOption {
	return func(c *readConfig) {
		if c.limit = n; n < 1 {
			c.err = fmt.Errorf("Limit(%d): want 1 or more", n)
		}
	}
}

const (
	// firstPage and maxPage bound the events of a page: who wants the last
	// event pays for few, who wants all asks seldom.
	firstPage, maxPage = 64, 1024
	// pageBytes bounds the data of a page, but for its last event.
	pageBytes = 1 << 20
)

// Read returns the events that match q, by position, as they are when the
// range begins: what is appended meanwhile is not among them. It reads in
// pages, with a memory that does not depend on their number, and holds no
// transaction between them, so the loop may take its time and call the store.
//
// An error is the last element, with a zero Recorded: also if ctx ends, so a
// range without an error has seen everything. Each range reads anew.
func (s *Store) Read(ctx context.Context, q Query, opts ...ReadOption) iter.Seq2[Recorded, error] {
	ctx = orBackground(ctx)
	var c readConfig
	for _, o := range opts {
		o(&c)
	}
	q = s.expand(q)
	return func(yield func(Recorded, error) bool) {
		if err := s.read(ctx, q, c, func(r Recorded) bool { return yield(r, nil) }); err != nil {
			yield(Recorded{}, failed("read", err))
		}
	}
}

// read yields what Read returns, until yield returns false.
func (s *Store) read(ctx context.Context, q Query, c readConfig, yield func(Recorded) bool) error {
	if err := q.Err(); err != nil {
		return err
	}
	if c.err != nil {
		return c.err
	}
	if c.bounded && c.until <= c.after {
		return s.ready(ctx)
	}
	req := PageRequest{Query: q, After: c.after, Until: c.until, Backward: c.backward, MaxBytes: pageBytes}
	for size, left := firstPage, c.limit; ; size = min(2*size, maxPage) {
		if err := s.ready(ctx); err != nil {
			return err
		}
		if req.Limit = size; c.limit > 0 {
			req.Limit = min(size, left)
		}
		page, err := s.backend.Page(ctx, req)
		if err != nil {
			return err
		}
		for _, r := range page.Events {
			if err := s.ready(ctx); err != nil {
				return err
			}
			if !yield(r) {
				return nil
			}
		}
		left -= len(page.Events)
		if !page.More || c.limit > 0 && left == 0 {
			return nil
		}
		if req.Backward {
			req.Until = page.Next
			continue
		}
		if req.Until == 0 || req.Until > page.Head { // of the first page
			req.Until = page.Head
		}
		if req.After = page.Next; req.After >= req.Until {
			return nil
		}
	}
}

package eventstore

import (
	"context"
	"iter"
)

// Follow returns the events after that position that match q, by position,
// those that are there and then those that come, whoever appends them: none
// is missed, none comes twice. While there is nothing new it waits and uses no
// CPU. It holds no transaction, so the loop may take its time and call the
// store.
//
// The range ends when ctx ends, without an error. Any error is the last
// element, with a zero Recorded: ErrClosed after Close.
func (s *Store) Follow(ctx context.Context, q Query, after Position) iter.Seq2[Recorded, error] {
	ctx = orBackground(ctx)
	return func(yield func(Recorded, error) bool) {
		err := q.Err()
		if err == nil {
			s.tail.enter()
			defer s.tail.leave()
			err = s.follow(ctx, q, after, func(r Recorded) bool { return yield(r, nil) })
		}
		if err != nil && ctx.Err() == nil {
			yield(Recorded{}, failed("follow", err))
		}
	}
}

// follow yields what Follow returns, until yield returns false or ctx ends.
// Between tail.enter and tail.leave.
func (s *Store) follow(ctx context.Context, q Query, at Position, yield func(Recorded) bool) error {
	for size := firstPage; ; size = min(2*size, maxPage) {
		g, err := s.glance(ctx, q, at, size)
		if err != nil {
			return err
		}
		for _, r := range g.events {
			if err := s.ready(ctx); err != nil {
				return err
			}
			if g.shared {
				if !q.Matches(&r.Event) {
					continue
				}
				r = r.Clone()
			}
			if !yield(r) {
				return nil
			}
		}
		if at = g.upTo; !g.more {
			at = s.tail.wait(ctx, s.done, nil, &waiter{query: q, at: at}, g.seen)
		}
	}
}

// glance is one look at what comes after a position.
type glance struct {
	events []Recorded // in order; at most a page
	shared bool       // they are of the tail: not to be written to, and not all of them match
	upTo   Position   // there is nothing else up to here
	more   bool       // it is worth looking again
	seen   uint64     // number of notices before the look, for tail.wait
	head   Position   // of the store, if a page was read; or 0
}

// glance looks at what comes after that position. It looks into the tail or
// reads a page of up to size events. Between tail.enter and tail.leave.
func (s *Store) glance(ctx context.Context, q Query, at Position, size int) (glance, error) {
	if err := s.ready(ctx); err != nil {
		return glance{}, err
	}
	// The number of notices comes first: a commit that the look does not
	// show gives another one, and the wait ends at once.
	g := glance{upTo: at, seen: s.tail.seen()}
	events, caughtUp := s.tail.since(at)
	if caughtUp {
		return g, nil
	}
	if len(events) > 0 {
		g.events, g.shared, g.more, g.upTo = events, true, true, events[len(events)-1].Position
		return g, nil
	}
	page, err := s.backend.Page(ctx, PageRequest{Query: q, After: at, Limit: size, MaxBytes: pageBytes})
	if err != nil {
		return glance{}, err
	}
	g.events, g.upTo, g.head = page.Events, max(at, page.Next), page.Head
	g.more = page.More || len(page.Events) > 0
	return g, nil
}

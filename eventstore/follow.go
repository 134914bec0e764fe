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
	q = s.expand(q)
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
	size := firstPage
	for {
		if err := s.ready(ctx); err != nil {
			return err
		}
		// The number of notices comes first: a commit that the look does not
		// show gives another one, and the wait ends at once.
		seen := s.tail.seen()
		events, caughtUp := s.tail.since(at)
		for _, r := range events {
			if err := s.ready(ctx); err != nil {
				return err
			}
			if q.Matches(&r.Event) && !yield(r.Clone()) {
				return nil
			}
			at = r.Position
		}
		switch {
		case len(events) > 0:
			continue
		case !caughtUp:
			page, err := s.backend.Page(ctx, PageRequest{Query: q, After: at, Limit: size, MaxBytes: pageBytes})
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
			at = max(at, page.Next)
			if size = min(2*size, maxPage); page.More || len(page.Events) > 0 {
				continue
			}
		}
		at = s.tail.wait(ctx, s.done, q, at, seen)
	}
}

package eventstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
)

// maxProblems is how many problems Check describes; it counts the others.
const maxProblems = 50

// Verified says what Verify has looked at.
type Verified struct {
	Events uint64
	// WithoutChecksum is how many of them were stored by a version, or are in a backend,
	// that kept no checksum: of those it is only known that they are well-formed.
	WithoutChecksum uint64
}

// Check verifies the whole store: that positions go from 1 to the head without
// a gap, versions likewise in each stream, that every event is what was stored (by
// its checksum, if it has one) and as Append would have stored it, no id is there
// twice, checkpoints are of this history, and dead letters of events that there are;
// and, if the backend is a Checker, what that one looks for. It returns nil if all is
// well, and else an error that joins what it found. How many events have no checksum it
// logs; Verify returns it. It may run while the store is used. It reads everything
// once, and holds 8 bytes for each event and a version for each stream.
func (s *Store) Check(ctx context.Context) error {
	v, err := s.Verify(ctx)
	if v.WithoutChecksum > 0 {
		s.log(levelInfo, "eventstore: check: events without a checksum", "events", v.Events, "without", v.WithoutChecksum)
	}
	return err
}

// Verify is Check, and says what it has looked at, also with an error.
func (s *Store) Verify(ctx context.Context) (Verified, error) {
	ctx = orBackground(ctx)
	c := &checking{store: s, seed: maphash.MakeSeed(), versions: map[string]uint64{}}
	c.sums.backend, _ = s.backend.(Checksums)
	err := c.run(ctx)
	v := Verified{Events: c.events, WithoutChecksum: c.sums.unknown}
	if err != nil {
		return v, failed("check", err)
	}
	if len(c.problems) == 0 {
		return v, nil
	}
	if c.more > 0 {
		c.problems = append(c.problems, fmt.Errorf("and %s", plural(c.more, "more problem")))
	}
	return v, failed("check", errors.Join(c.problems...))
}

// checking is a Check under way.
type checking struct {
	store    *Store
	head     Position
	seed     maphash.Seed
	ids      []uint64 // a hash of each event's id
	versions map[string]uint64
	events   uint64
	sums     sums
	problems []error
	more     int
}

func (c *checking) found(format string, args ...any) {
	if len(c.problems) == maxProblems {
		c.more++
		return
	}
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

// run looks at everything. An error of it is one that ends the looking.
func (c *checking) run(ctx context.Context) (err error) {
	if err := c.store.ready(ctx); err != nil {
		return err
	}
	if c.head, err = c.store.backend.Head(ctx); err != nil {
		return err
	}
	if err := c.all(ctx); err != nil {
		return err
	}
	if err := c.sameIDs(ctx); err != nil {
		return err
	}
	if keys, ok := c.store.backend.(Checkpoints); ok {
		if err := c.checkpoints(ctx, keys); err != nil {
			return err
		}
	}
	if checker, ok := c.store.backend.(Checker); ok {
		if err := checker.Check(ctx); err != nil {
			if ended := ctx.Err(); ended != nil {
				return err
			}
			c.found("%w", err)
		}
	}
	return nil
}

// upToHead reads the events up to the head.
func (c *checking) upToHead(ctx context.Context, yield func(Recorded)) error {
	if c.head == 0 {
		return nil
	}
	return c.store.read(ctx, All(), readConfig{until: c.head, bounded: true}, func(r Recorded) bool {
		yield(r)
		return true
	})
}

func (c *checking) all(ctx context.Context) error {
	at := Position(0)
	var summing error
	err := c.upToHead(ctx, func(r Recorded) {
		c.events++
		if r.Position != at+1 {
			c.found("position %d follows %d", r.Position, at)
		}
		at = r.Position
		if wrong, err := c.sums.wrong(ctx, &r); err != nil && summing == nil {
			summing = err
		} else if wrong {
			c.found("position %d, event %q of stream %q: it is not what was stored, its checksum is another one", r.Position, r.ID, r.Stream)
		}
		if problem := malformed(&r); problem != "" {
			c.found("position %d: %s", r.Position, problem)
		}
		if r.Stream != "" {
			if want := c.versions[r.Stream] + 1; r.Version != want {
				c.found("position %d: version %d of stream %q where %d comes next", r.Position, r.Version, r.Stream, want)
			}
			c.versions[r.Stream] = r.Version
		}
		c.ids = append(c.ids, maphash.String(c.seed, r.ID))
	})
	if err == nil && at != c.head {
		c.found("the last event is at position %d, the head at %d", at, c.head)
	}
	return errors.Join(err, summing)
}

// sameIDs looks for ids that are there twice, among those whose hashes are.
func (c *checking) sameIDs(ctx context.Context) error {
	slices.Sort(c.ids)
	twice := map[uint64]bool{}
	for i := 1; i < len(c.ids); i++ {
		if c.ids[i] == c.ids[i-1] {
			twice[c.ids[i]] = true
		}
	}
	c.ids = nil
	if len(twice) == 0 {
		return nil
	}
	first := map[string]Position{}
	return c.upToHead(ctx, func(r Recorded) {
		if !twice[maphash.String(c.seed, r.ID)] {
			return
		}
		if p, ok := first[r.ID]; ok {
			c.found("position %d has the id %q of position %d", r.Position, r.ID, p)
			return
		}
		first[r.ID] = r.Position
	})
}

func (c *checking) checkpoints(ctx context.Context, keys Checkpoints) error {
	all, err := keys.Keys(ctx)
	if err != nil {
		return err
	}
	// Of now: listeners may have gone on meanwhile.
	head, err := c.store.backend.Head(ctx)
	if err != nil {
		return err
	}
	for _, k := range all {
		if foundForeign(k) {
			c.found("%s", k.Stopped)
		} else if k.Position > head {
			c.found("the checkpoint of key %q is at %d, the head at %d", k.Key, k.Position, head)
		} else if _, _, err := c.store.sameHistory(ctx, k); err != nil {
			if _, ok := errors.AsType[*HistoryError](err); !ok {
				return err
			}
			c.found("%w", err)
		}
		for after := Position(0); ; {
			letters, err := keys.DeadLetters(ctx, k.Key, after, deadPage)
			if err != nil {
				return err
			}
			for _, d := range letters {
				if after = d.Position; d.Position == 0 || d.Position > head || d.ID == "" {
					c.found("key %q has a dead letter of position %d, where there is no event", k.Key, d.Position)
				}
			}
			if len(letters) < deadPage {
				break
			}
		}
	}
	return nil
}

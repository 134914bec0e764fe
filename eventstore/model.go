package eventstore

import (
	"context"
	"errors"
	"fmt"
)

// Model is how a state is made of events: which ones, beginning with what, and
// what each of them changes. It holds no state of its own and may be shared; the
// simplest are a variable, or a function of an id.
type Model[S any] struct {
	Stream string   // of what Decide appends without a stream of its own; or ""
	Query  Query    // what the state is made of; zero: the stream
	Init   func() S // makes the state before the first event, a new one each time; nil: the zero value
	// Fold returns the state after an event: a value of a registered type, as it
	// is today after upcasts; an Erased; a Recorded, where the Registry allows
	// unknown types. It may change and return what it was given. It must depend on
	// nothing but its arguments, and leave the state alone at what it does not
	// know.
	Fold      func(S, any) S
	Snapshots SnapshotPolicy // zero: none
}

// Load returns the state that the events of a model say, and the position up to
// which they were read: that of the store's head at the beginning, so no event up
// to there is missing from the state, and ExpectNone of the model's query after
// it says that nothing relevant has come since.
//
// It reads from the model's snapshot on, if there is one to trust, and takes one
// when SnapshotPolicy says so. An event that cannot be decoded is an error that
// names it.
func Load[S any](ctx context.Context, s *Store, m Model[S]) (S, Position, error) {
	ctx = orBackground(ctx)
	l, err := load(ctx, s, &m)
	if err != nil {
		var none S
		return none, 0, failed("load", err)
	}
	s.saveSnapshot(ctx, l.taken)
	return l.state, l.head, nil
}

// loaded is a state and what it was made of.
type loaded[S any] struct {
	state S
	head  Position
	query Query  // of the model
	taken *taken // snapshot to be saved, or nil
}

func load[S any](ctx context.Context, s *Store, m *Model[S]) (l loaded[S], err error) {
	if l.query, err = m.check(); err != nil {
		return l, err
	}
	if l.head, err = s.headOf(ctx); err != nil {
		return l, err
	}
	snap, err := snapshotsOf(ctx, s, m, l.query)
	if err != nil {
		return l, err
	}
	ctx = withKeyCache(ctx)
	base, l, err := restored(ctx, snap, l)
	if err != nil {
		return l, err
	}
	for {
		if base.Position == 0 {
			var none S
			if l.state = none; m.Init != nil {
				l.state = m.Init()
			}
		}
		read, err := s.replay(ctx, l.query, base, l.head, func(v any) { l.state = m.Fold(l.state, v) })
		switch {
		case err == nil:
			l.taken, err = snap.take(ctx, l.state, read)
			return l, err
		case errors.Is(err, errNotOfThisHistory):
			if err := snap.drop(ctx, base, err); err != nil {
				return l, err
			}
			base = Snapshot{}
		default:
			return l, err
		}
	}
}

// check returns the model's query, or what is wrong with the model.
func (m *Model[S]) check() (Query, error) {
	q := m.Query
	if !q.all && len(q.items) == 0 && q.err == nil {
		if m.Stream == "" {
			return q, errors.New("the Model has neither Query nor Stream")
		}
		q = OfStream(m.Stream)
	}
	if m.Fold == nil {
		return q, errors.New("the Model has no Fold")
	}
	if err := checkName("Stream", m.Stream); err != nil {
		return q, err
	}
	return q, q.Err()
}

func (s *Store) headOf(ctx context.Context) (Position, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	return s.backend.Head(ctx)
}

// replayed says how far a replay came.
type replayed struct {
	at     Position // of the last event
	id     string   // its ID
	events int      // after the snapshot
}

// errNotOfThisHistory is what a replay ends with if the store does not have the
// snapshot's event at its position.
var errNotOfThisHistory = errors.New("the snapshot's event is not at its position")

// replay hands on the values of what matches q, after a snapshot, up to head.
func (s *Store) replay(ctx context.Context, q Query, base Snapshot, head Position, fold func(any)) (replayed, error) {
	done := replayed{at: base.Position, id: base.EventID}
	wide := s.expand(q)
	// What an event was stored as says nothing about what it is today if names
	// have changed: the query as it was asked decides again.
	filter := len(wide.items) > 0 && s.types != nil && len(s.types.readAs) > 0
	c := readConfig{after: base.Position, until: head, bounded: true}
	if base.Position > 0 {
		c.after-- // its own event comes first, and shows that this is its history
	}
	verified := base.Position == 0
	var failure error
	var event Recorded // the one at hand: one variable, or each would be allocated
	each := func(name string, v any) {
		if _, erased := v.(Erased); filter && !erased {
			e := event.Event
			if e.Type = name; !q.Matches(&e) {
				return
			}
		}
		fold(v)
	}
	err := s.read(ctx, wide, c, func(r Recorded) bool {
		if !verified {
			if r.Position != base.Position || r.ID != base.EventID {
				failure = errNotOfThisHistory
				return false
			}
			verified = true
			return true
		}
		event = r
		if failure = s.types.decode(ctx, &event, each); failure != nil {
			return false
		}
		done.at, done.id = r.Position, r.ID
		done.events++
		return true
	})
	switch {
	case err != nil:
		return done, err
	case failure != nil:
		return done, failure
	case !verified:
		return done, fmt.Errorf("%w: there is none", errNotOfThisHistory)
	}
	return done, nil
}

package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// decideRounds is how often Decide decides at most.
	decideRounds = 100
	// longestPause bounds the pause before the next round.
	longestPause = 100 * time.Millisecond
	// resolveFor is how long Decide asks what became of an append whose outcome
	// is unknown, also when the context has ended.
	resolveFor = 5 * time.Second
)

// Decide loads the model's state, lets decide say what happens, and appends
// that if nothing that the state is made of came meanwhile. It returns the events
// as stored. The elements that decide returns are
//
//   - values of registered types: events in the model's Stream;
//   - Drafts, for another stream, an ID, further tags, Meta, a time;
//   - Events as they are.
//
// None mean that there is nothing to do, which returns nothing and appends
// nothing. An error of decide is returned as it is.
//
// # What is repeated
//
// When a relevant event came meanwhile (a *ConflictError of the append),
// Decide loads again and decides again: at once the first time, then after
// random pauses of up to 100 ms. So decide may be called several times, each time
// with a state of its own, and should do nothing but decide. It ends after 100
// rounds, or when ctx or the Store ends, with an error that wraps the last
// conflict. Each conflict is somebody else's success.
//
// An append whose outcome is unknown (ErrOutcomeUnknown) is not decided again:
// the same events with the same IDs are appended again, for up to 5 seconds, also
// if ctx has ended, which either finds them stored, or stores them, or conflicts;
// then they were not stored, and only then is there another round. If there is
// still no answer, the error is an *UnknownOutcomeError with the events.
//
// Nothing else is repeated. With a *PersistedError the events are stored, and
// returned.
//
// # Idempotency
//
// A Draft whose ID comes from the request makes the request safe to repeat,
// even over a crash, as long as decide says the same again: the events are found
// stored and returned. A state that knows what it has done lets decide return
// nothing instead.
func Decide[S any](ctx context.Context, s *Store, m Model[S], decide func(S) ([]any, error)) ([]Recorded, error) {
	ctx = orBackground(ctx)
	if decide == nil {
		return nil, failed("decide", errors.New("the function is nil"))
	}
	var conflict error
	for round := range decideRounds {
		if err := s.pause(ctx, round, conflict); err != nil {
			return nil, failed("decide", err)
		}
		l, err := load(ctx, s, &m)
		if err != nil {
			return nil, failed("decide", s.withConflict(ctx, err, round, conflict))
		}
		values, err := decide(l.state)
		if err != nil || len(values) == 0 {
			s.saveSnapshot(ctx, l.taken)
			return nil, err
		}
		events, err := s.types.events(ctx, m.Stream, values)
		if err != nil {
			return nil, failed("decide", err)
		}
		stored, err := s.appendDecided(ctx, events, ExpectNone(l.query, l.head))
		s.saveSnapshot(ctx, l.taken) // last: it delays nobody else's decision
		if !isConflict(err) {
			if err != nil {
				err = failed("decide", s.withConflict(ctx, err, round, conflict))
			}
			return stored, err
		}
		conflict = err
	}
	return nil, failed("decide", fmt.Errorf("gave up after %d rounds: %w", decideRounds, conflict))
}

// pause waits before a round that is not the first.
func (s *Store) pause(ctx context.Context, round int, conflict error) error {
	err := s.ready(ctx)
	if err == nil && round > 1 {
		longest := min(time.Millisecond<<min(round, 16), longestPause)
		err = s.sleep(ctx, rand.N(longest)) //nolint:gosec // spreads the rounds of those who compete
	}
	return s.withConflict(ctx, err, round, conflict)
}

// withConflict adds the last conflict to an error that comes of the end of ctx
// or the store: it says why there were so many rounds. Not where the
// events are, or may be, stored.
func (s *Store) withConflict(ctx context.Context, err error, round int, conflict error) error {
	if err == nil || conflict == nil || s.ready(ctx) == nil || isPersisted(err) || errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	return fmt.Errorf("%w, after %s: %w", err, plural(round, "round"), conflict)
}

// sleep waits, unless ctx or the store ends.
func (s *Store) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-s.done:
	}
	return s.ready(ctx)
}

// appendDecided appends, and finds out what became of it.
func (s *Store) appendDecided(ctx context.Context, events []Event, cond Condition) ([]Recorded, error) {
	stored, err := s.Append(ctx, events, cond)
	if !errors.Is(err, ErrOutcomeUnknown) || isPersisted(err) {
		return stored, err
	}
	unknown := &UnknownOutcomeError{Events: events, Condition: cond, Err: err}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveFor)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, longestPause) {
		// The ids come before the condition: if the first append was committed,
		// this one finds it, and does not conflict with it.
		stored, err := s.Append(ctx, events, cond)
		_, duplicate := errors.AsType[*DuplicateError](err)
		switch {
		case err == nil, isConflict(err), duplicate, isPersisted(err):
			return stored, err
		case errors.Is(err, ErrClosed), errors.Is(err, ErrBroken):
			unknown.Err = err
			return nil, unknown
		}
		if s.sleep(ctx, pause) != nil {
			unknown.Err = err
			return nil, unknown
		}
	}
}

// isPersisted reports whether the events are stored in spite of the error.
func isPersisted(err error) bool {
	_, ok := errors.AsType[*PersistedError](err)
	return ok
}

// isConflict reports whether the append was in conflict: not an append of
// a listener of Persisted, whose failure comes with events that are stored.
func isConflict(err error) bool {
	_, ok := errors.AsType[*ConflictError](err)
	return ok && !isPersisted(err)
}

// UnknownOutcomeError says that Decide could not find out whether its events are
// stored: all of them are, or none. Append them again, under the same
// condition, to know: they are found stored, or stored now, or there is a
// conflict and they were not. Deciding again instead could do a thing twice. It
// wraps ErrOutcomeUnknown and the last error.
type UnknownOutcomeError struct {
	Events    []Event // with their IDs
	Condition Condition
	Err       error
}

// Error names the first event and says what to do.
func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("%s beginning with %q: %v; the last answer: %v", plural(len(e.Events), "event"), e.Events[0].ID, ErrOutcomeUnknown, e.Err)
}

// Unwrap returns ErrOutcomeUnknown and the last error.
func (e *UnknownOutcomeError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }

package eventstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// deadPage is how many dead letters are read at a time.
const deadPage = 100

// checkpoint returns where that key stands; an unknown one is a final error.
func (s *Store) checkpoint(ctx context.Context, keys Checkpoints, key string) (Checkpoint, error) {
	there, err := keys.Keys(ctx, key)
	if err != nil {
		return Checkpoint{}, err
	}
	if len(there) == 0 {
		return Checkpoint{}, &finalError{fmt.Errorf("key %q has no checkpoint", key)}
	}
	return there[0], nil
}

// checkpoints returns the backend as what keeps checkpoints, when the key has
// one.
func (s *Store) checkpoints(ctx context.Context, key string) (Checkpoints, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	keys, ok := s.backend.(Checkpoints)
	if !ok {
		return nil, fmt.Errorf("durable listeners: %w", ErrUnsupported)
	}
	_, err := s.checkpoint(ctx, keys, key)
	return keys, err
}

// DeadLetters returns the events that the listener with that key could not
// handle, by position, with its last failure. It reads in pages, as Read. An
// unknown key is an error.
func (s *Store) DeadLetters(ctx context.Context, key string) iter.Seq2[DeadLetter, error] {
	ctx = orBackground(ctx)
	return func(yield func(DeadLetter, error) bool) {
		op := fmt.Sprintf("dead letters of %q", key)
		keys, err := s.checkpoints(ctx, key)
		if err != nil {
			yield(DeadLetter{}, failed(op, err))
			return
		}
		for after := Position(0); ; {
			letters, err := keys.DeadLetters(ctx, key, after, deadPage)
			if err != nil {
				yield(DeadLetter{}, failed(op, err))
				return
			}
			for _, d := range letters {
				if err := s.ready(ctx); err != nil {
					yield(DeadLetter{}, failed(op, err))
					return
				}
				if after = d.Position; !yield(d, nil) {
					return
				}
			}
			if len(letters) < deadPage {
				return
			}
		}
	}
}

// Redeliver asks the listener with that key to try dead letters again, those at
// the positions or all: each is handed to it once more, before it goes on, as
// soon as it works, in whatever process. What succeeds is a dead letter no
// more, what fails stays one, with the new failure. A position without a dead
// letter, and an unknown key, are errors; then nothing is tried again.
func (s *Store) Redeliver(ctx context.Context, key string, positions ...Position) error {
	op := fmt.Sprintf("redeliver to %q", key)
	ctx = orBackground(ctx)
	keys, err := s.checkpoints(ctx, key)
	if err == nil {
		err = keys.Redeliver(ctx, key, positions...)
	}
	if err != nil {
		return failed(op, err)
	}
	if l := s.listeners.get(key); l != nil {
		l.changed.Store(true)
		l.wake()
	}
	return nil
}

// Discard removes dead letters of that key, those at the positions or all. The
// events stay. A position without a dead letter, and an unknown key, are
// errors; then nothing is removed.
func (s *Store) Discard(ctx context.Context, key string, positions ...Position) error {
	op := fmt.Sprintf("discard of %q", key)
	ctx = orBackground(ctx)
	keys, err := s.checkpoints(ctx, key)
	if err == nil {
		err = keys.Discard(ctx, key, positions...)
	}
	if err != nil {
		return failed(op, err)
	}
	return nil
}

// untilLook returns how long a listener must not look for dead letters that
// are to be redelivered: a look reads them all, and a busy one with many should
// do something else most of the time.
func (t *term) untilLook() time.Duration {
	if t.lastLook.IsZero() {
		return 0
	}
	return max(20*t.lookCost, 10*time.Millisecond) - time.Since(t.lastLook)
}

// redeliver tries the dead letters again that are requested.
func (t *term) redeliver() error {
	if !t.changed.Load() || t.untilLook() > 0 {
		return nil
	}
	t.changed.Store(false)
	began := time.Now()
	dead := 0
	for after := Position(0); ; {
		letters, err := t.keys.DeadLetters(t.ctx, t.key, after, deadPage)
		if err != nil {
			return err
		}
		for _, d := range letters {
			after = d.Position
			dead++
			if !d.Requested {
				continue
			}
			if t.stopping.Err() != nil {
				return nil
			}
			settled, err := t.again(d)
			if err != nil {
				return err
			}
			if settled {
				dead--
			}
		}
		if len(letters) < deadPage {
			break
		}
	}
	t.update(func(s *listenerState) { s.dead = dead })
	t.lastLook, t.lookCost = time.Now(), time.Since(began)
	return nil
}

// again hands a dead letter to the listener, and reports whether it is one no
// more.
func (t *term) again(d DeadLetter) (settled bool, err error) {
	if err := t.save(); err != nil {
		return false, err
	}
	old, err := t.old(1)
	if err != nil {
		return false, err
	}
	t.before = d.Attempts
	defer func() { t.before = 0 }()
	var failure error
	one, settle := []Recorded{d.Recorded}, Move{To: t.saved.at, Settled: []Position{d.Position}}
	if t.apply != nil {
		_, failure, err = t.commit(one, settle, old)
		if err != nil && failure == nil {
			if t.ctx.Err() != nil || errors.Is(err, errInterrupted) || !mayBeTheirs(err) {
				return false, err
			}
			failure = err
		}
		if err == nil {
			t.reached(t.at, 1)
			return true, nil
		}
	} else {
		var n int
		if n, failure = t.attempt(t.ctx, nil, one, old, func(Recorded) { t.reached(t.at, 1) }); n == 1 {
			return true, t.advance(settle, nil)
		}
	}
	if err := t.ctx.Err(); err != nil || failure == nil {
		return false, err
	}
	t.update(func(s *listenerState) { s.failures++; s.err = failure })
	now := time.Now()
	again := Dead{Position: d.Position, Err: text(failure), Attempts: d.Attempts + 1, First: d.First, Last: now}
	return false, t.advance(Move{To: t.saved.at, Dead: []Dead{again}}, nil)
}

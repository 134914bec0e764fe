package eventstore

import (
	"context"
	"errors"
)

// Append stores the events, all of them or none, if all conditions hold at the
// instant of the append, and returns them as stored. They are durable when it
// returns.
//
//   - A condition that does not hold is a *ConflictError.
//   - It is idempotent by ID: the same events again return what was stored, and
//     no condition is looked at. Give your own IDs to what you may have to
//     retry. Otherwise an ID that is taken is a *DuplicateError.
//   - If ctx ends before the commit has begun, nothing was written and the error
//     wraps ctx.Err(); if it ends during the commit, or the connection is lost,
//     the error wraps ErrOutcomeUnknown.
//   - Then listeners of Persisted run. If some fail, the events are returned
//     with a *PersistedError.
//
// Nothing is written on any other error. No events are an error.
func (s *Store) Append(ctx context.Context, events []Event, conds ...Condition) ([]Recorded, error) {
	ctx = orBackground(ctx)
	b, err := NewBatch(events, s.expandAll(conds)...)
	if err != nil {
		return nil, failed("append", err)
	}
	if err := s.ready(ctx); err != nil {
		return nil, failed("append", err)
	}
	done, err := s.backend.Append(ctx, b)
	if err != nil {
		return nil, failed("append", err)
	}
	stored := cloneAll(done.Events)
	if done.Known {
		return stored, nil
	}
	return stored, s.emit(context.WithoutCancel(ctx), stored)
}

// emit tells the listeners of Persisted, all of them of all events.
func (s *Store) emit(ctx context.Context, events []Recorded) error {
	var errs []error
	for _, r := range events {
		if err := s.persisted.TryEmitAll(ctx, r); err != nil {
			errs = append(errs, err)
		}
	}
	if errs == nil {
		return nil
	}
	return &PersistedError{errors.Join(errs...)}
}

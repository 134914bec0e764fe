package eventstore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Batch is what one append is to store: all of it or nothing, if the conditions
// hold. A backend gets it checked, complete and as a copy of its own, which it
// may keep but not write to.
type Batch struct {
	Events     []Event // as Event describes what is stored; at least one; each ID once
	Conditions []Condition
}

// NewBatch checks and completes what a caller wants to append. Store.Append
// uses it; so does a backend that appends in a transaction of its caller.
func NewBatch(events []Event, conds ...Condition) (Batch, error) {
	if len(events) == 0 {
		return Batch{}, errors.New("no events")
	}
	b := Batch{Events: make([]Event, len(events)), Conditions: slices.Clone(conds)}
	seen := make(map[string]bool, len(events))
	now := time.Now()
	for i, e := range events {
		e, err := e.normal(now)
		if err != nil {
			return Batch{}, fmt.Errorf("event %d of %d: %w", i+1, len(events), err)
		}
		if seen[e.ID] {
			return Batch{}, &DuplicateError{ID: e.ID, Reason: "it is twice in one batch"}
		}
		seen[e.ID], b.Events[i] = true, e
	}
	for i, c := range conds {
		if err := c.check(); err != nil {
			return Batch{}, fmt.Errorf("condition %d of %d: %w", i+1, len(conds), err)
		}
	}
	return b, nil
}

// Known decides whether the batch is one that is stored already. stored[i] is
// the stored event with the ID of Events[i], nil if there is none. It returns
// true if all are there and the same, false if none is there, and else a
// *DuplicateError.
func (b Batch) Known(stored []*Recorded) (bool, error) {
	var there *Recorded
	missing := ""
	for i, r := range stored {
		if r == nil {
			missing = b.Events[i].ID
			continue
		}
		there = r
		if what := b.Events[i].differs(&r.Event); what != "" {
			return false, &DuplicateError{ID: r.ID, Position: r.Position, Reason: "with other " + what}
		}
	}
	if there != nil && missing != "" {
		return false, &DuplicateError{ID: there.ID, Position: there.Position, Reason: fmt.Sprintf("event %q of the same batch is not stored", missing)}
	}
	return there != nil, nil
}

// differs names what makes e another event than the stored one of the same ID,
// or returns "". Both are as stored.
func (e *Event) differs(stored *Event) string {
	switch {
	case e.Type != stored.Type:
		return "type"
	case e.Schema != stored.Schema:
		return "schema"
	case e.Stream != stored.Stream:
		return "stream"
	case !slices.Equal(e.Tags, stored.Tags):
		return "tags"
	case !bytes.Equal(e.Data, stored.Data):
		return "data"
	}
	return ""
}

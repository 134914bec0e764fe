package eventstore

import (
	"errors"
	"fmt"
)

// The errors that callers compare with errors.Is.
var (
	// ErrOutcomeUnknown: the context ended, or the connection was lost, while
	// the commit was under way. The events are stored, all of them or none.
	// The same append with the same ids tells: it returns what was stored, or
	// stores it.
	ErrOutcomeUnknown = errors.New("the outcome is unknown: append again with the same ids")
	// ErrClosed: the Store, or its backend, has been closed.
	ErrClosed = errors.New("closed")
	// ErrBroken: a write failed, and what is on disk is uncertain until the
	// store has been opened again.
	ErrBroken = errors.New("broken by a failed write until it is opened again")
	// ErrUnsupported: the backend cannot do this.
	ErrUnsupported = errors.New("the backend does not support this")
	// ErrTooLarge: an event, or a batch, is larger than the backend takes.
	// Nothing was written.
	ErrTooLarge = errors.New("too large for the backend")
	// ErrMoved: a checkpoint is not where its listener left it, because another
	// one with the same key works.
	ErrMoved = errors.New("the checkpoint was moved by another listener with that key")
	// ErrErased: the key that the data was encrypted with has been forgotten.
	ErrErased = errors.New("erased")
	// ErrKeysMissing: Import has imported all events, but the store they are of
	// had keys, and this one has none. What is encrypted reads as Erased.
	ErrKeysMissing = errors.New("all events are imported, but the store they are of had keys, and here are none: what is encrypted reads as erased until they are imported too, with ImportKeys")
	// ErrUnknownType: a value, or a stored event, is of a type that the Registry
	// does not know.
	ErrUnknownType = errors.New("unknown type")
)

// opError is an error of an operation on a store.
type opError struct {
	op  string
	err error
}

func (e *opError) Error() string { return fmt.Sprintf("eventstore: %s: %v", e.op, e.err) }
func (e *opError) Unwrap() error { return e.err }

// failed returns err as the error of op. What names itself and what is wrong
// goes through as it is.
func failed(op string, err error) error {
	switch err.(type) { //nolint:errorlint // a wrapped one gets its op
	case *ConflictError, *DuplicateError, *PersistedError, *opError:
		return err
	}
	return &opError{op, err}
}

// plural counts things: "1 event", "2 events".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// ConflictError says that a condition of an append did not hold. Nothing was
// written.
type ConflictError struct {
	Condition Condition // one that failed; there may be others
	Position  Position  // of an event in its way: one that matches, or the last of the stream; 0 if there is none
	Version   uint64    // that the stream was at, if the condition is about a stream
}

// Error says what was expected and what was found.
func (e *ConflictError) Error() string {
	switch {
	case e.Condition.Kind == NoneAfter:
		return fmt.Sprintf("eventstore: conflict: expected %s; found one at position %d", e.Condition, e.Position)
	case e.Version == 0:
		return fmt.Sprintf("eventstore: conflict: expected %s; there is no such stream", e.Condition)
	}
	return fmt.Sprintf("eventstore: conflict: expected %s; found it at version %d, position %d", e.Condition, e.Version, e.Position)
}

// DuplicateError says that an event's ID is taken: by one with other stream,
// type, schema, tags or data (Meta and times do not count), by one of a batch of which
// only a part is stored, or twice in one batch. Nothing was written.
type DuplicateError struct {
	ID       string
	Position Position // of the stored event with that ID; 0 if it is twice in one batch
	Reason   string   // what is different
}

// Error names the ID and what is different.
func (e *DuplicateError) Error() string {
	if e.Position == 0 {
		return fmt.Sprintf("eventstore: duplicate event %q: %s", e.ID, e.Reason)
	}
	return fmt.Sprintf("eventstore: duplicate event %q: stored at position %d already, and %s", e.ID, e.Position, e.Reason)
}

// PersistedError says that the events were stored and that listeners of
// Persisted failed. Append returns the events with it. errors.Is and errors.As
// reach the failures.
type PersistedError struct{ Err error }

// Error says that the events are stored, and what failed.
func (e *PersistedError) Error() string {
	return fmt.Sprintf("eventstore: the events are stored, but listeners of Persisted failed: %v", e.Err)
}

// Unwrap returns the failures.
func (e *PersistedError) Unwrap() error { return e.Err }

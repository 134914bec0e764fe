package eventstore

import (
	"errors"
	"fmt"
)

// Condition is what must hold at the instant of an append. Those of one append
// hold together, of the store as it is before the events of that append. Make
// one with ExpectVersion, ExpectStream or ExpectNone; the fields are there to
// be looked at.
type Condition struct {
	Kind    ConditionKind
	Stream  string   // of StreamAtVersion and StreamExists
	Version uint64   // of StreamAtVersion
	Query   Query    // of NoneAfter
	After   Position // of NoneAfter
}

// ConditionKind says what a Condition demands.
type ConditionKind int

const (
	// StreamAtVersion is made by ExpectVersion.
	StreamAtVersion ConditionKind = iota + 1
	// StreamExists is made by ExpectStream.
	StreamExists
	// NoneAfter is made by ExpectNone.
	NoneAfter
)

// ExpectVersion demands that the last event of the stream has that version; 0:
// that there is no such stream.
func ExpectVersion(stream string, version uint64) Condition {
	return Condition{Kind: StreamAtVersion, Stream: stream, Version: version}
}

// ExpectStream demands that there is such a stream.
func ExpectStream(stream string) Condition { return Condition{Kind: StreamExists, Stream: stream} }

// ExpectNone demands that nothing that matches q came after that position.
func ExpectNone(q Query, after Position) Condition {
	return Condition{Kind: NoneAfter, Query: q, After: after}
}

// String prints the condition.
func (c Condition) String() string {
	switch c.Kind {
	case StreamAtVersion:
		if c.Version == 0 {
			return fmt.Sprintf("no stream %q", c.Stream)
		}
		return fmt.Sprintf("stream %q at version %d", c.Stream, c.Version)
	case StreamExists:
		return fmt.Sprintf("a stream %q", c.Stream)
	case NoneAfter:
		return fmt.Sprintf("none after position %d of: %s", c.After, c.Query)
	}
	return fmt.Sprintf("condition of unknown kind %d", int(c.Kind))
}

func (c Condition) check() error {
	switch c.Kind {
	case StreamAtVersion, StreamExists:
		if c.Stream == "" {
			return errors.New("a condition names no stream")
		}
		return checkName("Stream", c.Stream)
	case NoneAfter:
		return c.Query.Err()
	}
	return errors.New("the zero Condition means nothing: use ExpectVersion, ExpectStream or ExpectNone")
}

// OfVersion returns the conflict of a StreamAtVersion or StreamExists with the
// version that the stream is at, or nil if it holds. last is the position of
// the stream's last event.
func (c Condition) OfVersion(found uint64, last Position) *ConflictError {
	if c.Kind == StreamExists && found > 0 || c.Kind == StreamAtVersion && found == c.Version {
		return nil
	}
	return &ConflictError{Condition: c, Position: last, Version: found}
}

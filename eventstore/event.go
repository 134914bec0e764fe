package eventstore

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Position is the place of an event in the store's one order: from 1, dense,
// in the order of commits. 0 is before everything.
type Position uint64

// MaxName is the number of bytes that an event's ID, Type, Stream, each of its
// tags and each key of its Meta may have: what every backend can put into an
// index.
const MaxName = 1024

// Event is what is to be stored. What Append stores is a copy: the caller may
// go on to change its own.
//
// ID, Type, Stream, Tags and Meta are UTF-8 without NUL; Data is any bytes,
// and empty Data, Tags and Meta are the same as none.
type Event struct {
	ID     string            // unique in the store; empty: a time-ordered UUID is made
	Type   string            // required
	Schema int               // version of the type's data; 0 stands for 1
	Stream string            // the entity that the event is of, or ""
	Tags   []string          // a set: order and repetition mean nothing
	Data   []byte            // what happened, as the type's codec wrote it
	Meta   map[string]string // correlation, causation, tenant, trace
	Time   time.Time         // when it happened; zero: now. Kept to the nanosecond, in UTC
}

// Recorded is an event that is stored. Whoever gets one from a Store owns it.
type Recorded struct {
	Event             // as stored: with an ID, a Schema, sorted Tags, a Time
	Position Position // in the store
	Version  uint64   // in Stream, from 1, dense; 0 without one
	Stored   time.Time
}

// normal returns a copy of e as it is stored, with what it leaves out filled
// in, or an error that says what is wrong with it.
func (e Event) normal(now time.Time) (Event, error) {
	if e.ID == "" {
		e.ID = newID()
	}
	if err := checkName("ID", e.ID); err != nil {
		return e, err
	}
	if e.Type == "" {
		return e, fmt.Errorf("event %q has no Type", e.ID)
	}
	if err := e.checkNames(); err != nil {
		return e, fmt.Errorf("event %q: %w", e.ID, err)
	}
	if e.Schema == 0 {
		e.Schema = 1
	}
	if e.Schema < 0 || e.Schema > math.MaxInt32 {
		return e, fmt.Errorf("event %q: Schema %d: want 1 to %d, or 0 for 1", e.ID, e.Schema, math.MaxInt32)
	}
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Time = e.Time.UTC().Round(0) // without the monotonic clock
	if !time.Unix(0, e.Time.UnixNano()).Equal(e.Time) {
		return e, fmt.Errorf("event %q: Time %s: want one that fits into 64 bits of nanoseconds, 1678 to 2262", e.ID, e.Time)
	}
	e = e.Clone()
	slices.Sort(e.Tags)
	e.Tags = slices.Compact(e.Tags)
	return e, nil
}

func (e Event) checkNames() error {
	if err := checkName("Type", e.Type); err != nil {
		return err
	}
	if err := checkName("Stream", e.Stream); err != nil {
		return err
	}
	for _, tag := range e.Tags {
		if tag == "" {
			return fmt.Errorf("a tag is empty")
		}
		if err := checkName("tag", tag); err != nil {
			return err
		}
	}
	for k, v := range e.Meta {
		if err := checkName("Meta key", k); err != nil {
			return err
		}
		if err := checkText("Meta value of "+k, v); err != nil {
			return err
		}
	}
	return nil
}

// checkName reports what is wrong with a name as a part of an index.
func checkName(what, s string) error {
	if len(s) > MaxName {
		return fmt.Errorf("%s %.40q... has %d bytes: want at most %d", what, s, len(s), MaxName)
	}
	return checkText(what, s)
}

// checkText refuses what some backend's text cannot hold.
func checkText(what, s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%s %.40q: want UTF-8 without NUL", what, s)
	}
	return nil
}

// Clone returns a copy that shares nothing with e. Empty Data, Tags and Meta
// become nil.
func (e Event) Clone() Event {
	e.Tags, e.Data, e.Meta = slices.Clone(e.Tags), bytes.Clone(e.Data), maps.Clone(e.Meta)
	if len(e.Tags) == 0 {
		e.Tags = nil
	}
	if len(e.Data) == 0 {
		e.Data = nil
	}
	if len(e.Meta) == 0 {
		e.Meta = nil
	}
	return e
}

// Clone returns a copy that shares nothing with r.
func (r Recorded) Clone() Recorded {
	r.Event = r.Event.Clone()
	return r
}

func cloneAll(events []Recorded) []Recorded {
	out := make([]Recorded, len(events))
	for i, r := range events {
		out[i] = r.Clone()
	}
	return out
}

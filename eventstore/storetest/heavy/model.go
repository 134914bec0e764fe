package heavy

import (
	"errors"
	"fmt"
	"slices"

	"example.com/signals/eventstore"
)

// history is a store as one would write it down: the events in their order. It
// is not changed; append returns a longer one.
type history []eventstore.Recorded

// outcomes of an append, as the model and a store name them.
const (
	stored    = "stored"
	known     = "known"
	duplicate = "duplicate"
	conflict  = "conflict"
)

// append says what an append of events as they are stored comes to: the
// outcome, and what Append returns. Times are left out.
func (h history) append(batch []eventstore.Event, conds []eventstore.Condition) (string, []eventstore.Recorded, history) {
	var found []eventstore.Recorded
	for _, e := range batch {
		i := slices.IndexFunc(h, func(r eventstore.Recorded) bool { return r.ID == e.ID })
		if i < 0 {
			continue
		}
		if !same(h[i].Event, e) {
			return duplicate, nil, h
		}
		found = append(found, h[i])
	}
	switch len(found) {
	case 0:
	case len(batch):
		return known, found, h
	default:
		return duplicate, nil, h
	}
	for _, c := range conds {
		if !h.holds(c) {
			return conflict, nil, h
		}
	}
	next := slices.Clip(h)
	for _, e := range batch {
		r := eventstore.Recorded{Event: e, Position: eventstore.Position(len(next) + 1)}
		if e.Stream != "" {
			r.Version = next.version(e.Stream) + 1
		}
		next = append(next, r)
	}
	return stored, next[len(h):], next
}

func (h history) holds(c eventstore.Condition) bool {
	switch c.Kind {
	case eventstore.StreamAtVersion:
		return h.version(c.Stream) == c.Version
	case eventstore.StreamExists:
		return h.version(c.Stream) > 0
	}
	after := min(uint64(c.After), uint64(len(h)))
	return len(h[after:].matching(c.Query)) == 0
}

func (h history) version(stream string) (n uint64) {
	for _, r := range h {
		if r.Stream == stream {
			n++
		}
	}
	return n
}

// matching looks at each event, in the words of the documentation.
func (h history) matching(q eventstore.Query) (out history) {
	for _, r := range h {
		ok := q.IsAll()
		for _, item := range q.Items() {
			fits := item.Stream == "" || item.Stream == r.Stream
			fits = fits && (len(item.Types) == 0 || slices.Contains(item.Types, r.Type))
			for _, tag := range item.Tags {
				fits = fits && slices.Contains(r.Tags, tag)
			}
			ok = ok || fits
		}
		if ok {
			out = append(out, r)
		}
	}
	return out
}

// same reports whether one is a repetition of the other.
func same(a, b eventstore.Event) bool {
	return a.ID == b.ID && a.Type == b.Type && a.Stream == b.Stream && slices.Equal(a.Tags, b.Tags) && string(a.Data) == string(b.Data)
}

// equal compares what Append or Read returned with what the model says.
func equal(got, want []eventstore.Recorded) bool {
	return slices.EqualFunc(got, want, func(a, b eventstore.Recorded) bool {
		return same(a.Event, b.Event) && a.Position == b.Position && a.Version == b.Version
	})
}

// outcome names an Append's result as the model does; anything else is an error
// of its own.
func outcome(err error) string {
	if err == nil {
		return stored
	}
	if _, ok := errors.AsType[*eventstore.ConflictError](err); ok {
		return conflict
	}
	if _, ok := errors.AsType[*eventstore.DuplicateError](err); ok {
		return duplicate
	}
	return err.Error()
}

// text prints events for a failure.
func text(events []eventstore.Recorded) string {
	var out []string
	for _, r := range events {
		out = append(out, fmt.Sprintf("%d:%s:%s@%d%v", r.Position, r.ID, r.Stream, r.Version, r.Tags))
	}
	return fmt.Sprint(out)
}

package sqlite

import "example.com/signals/eventstore"

// recent answers from memory whether something can have come after a position.
// It belongs to the writer.
//
// seen has, for each type, tag and stream, the position of the last event with
// it, of all events after floor; what is not in it has none after floor. An
// event that matches an item has all of its tags, so it is not after the
// smallest of their last positions.
type recent struct {
	seen   *cache[term, eventstore.Position]
	floor  eventstore.Position
	middle eventstore.Position   // where the newer generation of seen began
	events []eventstore.Recorded // the last ones, without a gap
}

// term is one thing that a query can name.
type term struct {
	kind byte // 's', 't' for a tag, or 'y' for a type
	name string
}

const (
	maxSeen   = 1 << 16 // terms in a generation
	maxRecent = 256     // events that are looked at one by one
)

// newRecent knows nothing of what is up to head.
func newRecent(head eventstore.Position) *recent {
	r := &recent{seen: newCache[term, eventstore.Position](maxSeen), floor: head, middle: head}
	return r
}

// add takes a new event.
func (r *recent) add(e eventstore.Recorded) {
	r.seen.turned = func() { r.floor, r.middle = r.middle, e.Position-1 }
	r.seen.put(term{'y', e.Type}, e.Position)
	if e.Stream != "" {
		r.seen.put(term{'s', e.Stream}, e.Position)
	}
	for _, tag := range e.Tags {
		r.seen.put(term{'t', tag}, e.Position)
	}
	if len(r.events) >= 2*maxRecent {
		r.events = append(r.events[:0], r.events[maxRecent:]...)
	}
	r.events = append(r.events, e)
}

// last returns a position after which nothing has the term.
func (r *recent) last(kind byte, name string) eventstore.Position {
	if p, ok := r.seen.now[term{kind, name}]; ok {
		return p
	}
	if p, ok := r.seen.old[term{kind, name}]; ok {
		return p
	}
	return r.floor
}

// bound returns a position after which nothing matches the item.
func (r *recent) bound(item eventstore.Item, head eventstore.Position) eventstore.Position {
	if item.Stream != "" {
		head = min(head, r.last('s', item.Stream))
	}
	for _, tag := range item.Tags {
		head = min(head, r.last('t', tag))
	}
	if len(item.Types) > 0 {
		var last eventstore.Position
		for _, name := range item.Types {
			last = max(last, r.last('y', name))
		}
		head = min(head, last)
	}
	return head
}

// match returns the position of an event after that one which matches q, or 0;
// sure if there is no need to look further.
func (r *recent) match(q eventstore.Query, after, head eventstore.Position) (found eventstore.Position, sure bool) {
	if after >= head {
		return 0, true
	}
	if q.IsAll() {
		return after + 1, true
	}
	possible := false
	for _, item := range q.Items() {
		possible = possible || r.bound(item, head) > after
	}
	if !possible {
		return 0, true
	}
	if n := head - after; n <= eventstore.Position(min(len(r.events), maxRecent)) {
		for i := len(r.events) - int(n); i < len(r.events); i++ {
			if q.Matches(&r.events[i].Event) {
				return r.events[i].Position, true
			}
		}
		return 0, true
	}
	return 0, false
}

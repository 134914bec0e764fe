package eventstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Item matches the events in that stream, of any of those types, with all of
// those tags. What is left empty does not restrict; an Item with nothing in it
// is an error.
type Item struct {
	Stream string
	Types  []string
	Tags   []string
}

// Query says which events are meant. The zero Query means none, and is an
// error where it is used. A Query does not change and may be shared.
type Query struct {
	all   bool
	items []Item // normalized; never written
	err   error  // what is wrong with it, told where it is used
}

// All matches every event.
func All() Query { return Query{all: true} }

// Match matches the events that match any of the items. No items, or one that
// is empty, is an error where the query is used.
func Match(items ...Item) Query {
	q := Query{items: make([]Item, len(items))}
	if len(items) == 0 {
		q.err = errors.New("Match without items: use All to mean every event")
	}
	for i, item := range items {
		item.Types, item.Tags = asSet(item.Types), asSet(item.Tags)
		q.items[i] = item
		if err := item.check(); err != nil && q.err == nil {
			q.err = fmt.Errorf("item %d of Match: %w", i+1, err)
		}
	}
	return q
}

// OfStream matches the events of one stream.
func OfStream(name string) Query {
	if name == "" {
		return Query{err: errors.New(`OfStream(""): give the stream's name`)}
	}
	return Match(Item{Stream: name})
}

// asSet returns a sorted copy without repetitions; nil for none.
func asSet(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

func (i Item) check() error {
	if i.Stream == "" && len(i.Types) == 0 && len(i.Tags) == 0 {
		return errors.New("it is empty: use All to mean every event")
	}
	if err := checkName("Stream", i.Stream); err != nil {
		return err
	}
	for _, name := range i.Types {
		if name == "" {
			return errors.New("a type is empty")
		}
		if err := checkName("type", name); err != nil {
			return err
		}
	}
	for _, name := range i.Tags {
		if name == "" {
			return errors.New("a tag is empty")
		}
		if err := checkName("tag", name); err != nil {
			return err
		}
	}
	return nil
}

// Err says what is wrong with the query, or nil.
func (q Query) Err() error {
	if q.err == nil && !q.all && len(q.items) == 0 {
		return errors.New("the zero Query means nothing: use All, Match or OfStream")
	}
	return q.err
}

// IsAll reports whether the query is All.
func (q Query) IsAll() bool { return q.all }

// Items returns the items, none for All; their Types and Tags are sorted and
// without repetitions. The result must not be written to.
func (q Query) Items() []Item { return q.items }

// Matches reports whether the query means the event, as stored.
func (q Query) Matches(e *Event) bool {
	return q.all || slices.ContainsFunc(q.items, func(i Item) bool { return i.Matches(e) })
}

// Matches reports whether the item means the event, as stored.
func (i Item) Matches(e *Event) bool {
	if i.Stream != "" && i.Stream != e.Stream {
		return false
	}
	if len(i.Types) > 0 && !slices.Contains(i.Types, e.Type) {
		return false
	}
	for _, tag := range i.Tags {
		if !slices.Contains(e.Tags, tag) { // few: a scan beats a search
			return false
		}
	}
	return true
}

// String prints the query, different queries differently.
func (q Query) String() string {
	switch {
	case q.all:
		return "all events"
	case q.Err() != nil:
		return "no query: " + q.Err().Error()
	}
	texts := make([]string, len(q.items))
	for i, item := range q.items {
		texts[i] = item.String()
	}
	return strings.Join(texts, " or ")
}

// String prints the item.
func (i Item) String() string {
	var parts []string
	if i.Stream != "" {
		parts = append(parts, fmt.Sprintf("stream %q", i.Stream))
	}
	if len(i.Types) > 0 {
		parts = append(parts, fmt.Sprintf("type %s", quoted(i.Types, "|")))
	}
	if len(i.Tags) > 0 {
		parts = append(parts, fmt.Sprintf("tags %s", quoted(i.Tags, "+")))
	}
	return strings.Join(parts, " ")
}

func quoted(names []string, between string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(texts, between)
}

package eventstore_test

import (
	"slices"
	"testing"

	"example.com/signals/eventstore"
)

func TestQueriesPrintThemselves(t *testing.T) {
	for want, q := range map[string]eventstore.Query{
		`all events`:   eventstore.All(),
		`stream "a b"`: eventstore.OfStream("a b"),
		`stream "s" type "x"|"y" tags "t"+"u" or tags "a\" or"`: eventstore.Match(
			eventstore.Item{Stream: "s", Types: []string{"y", "x", "y"}, Tags: []string{"u", "t"}}, eventstore.Item{Tags: []string{`a" or`}}),
		`no query: the zero Query means nothing: use All, Match or OfStream`: {},
		`no query: item 2 of Match: it is empty: use All to mean every event`: eventstore.Match(
			eventstore.Item{Stream: "s"}, eventstore.Item{}),
		`no query: Match without items: use All to mean every event`:       eventstore.Match(),
		`no query: OfStream(""): give the stream's name`:                   eventstore.OfStream(""),
		`no query: item 1 of Match: type "\xff": want UTF-8 without NUL`:   eventstore.Match(eventstore.Item{Types: []string{"\xff"}}),
		`no query: item 1 of Match: Stream "\x00": want UTF-8 without NUL`: eventstore.Match(eventstore.Item{Stream: "\x00"}),
		`no query: item 1 of Match: a type is empty`:                       eventstore.Match(eventstore.Item{Types: []string{""}}),
		`no query: item 1 of Match: a tag is empty`:                        eventstore.Match(eventstore.Item{Tags: []string{""}}),
		`no query: item 1 of Match: tag "\x00": want UTF-8 without NUL`:    eventstore.Match(eventstore.Item{Tags: []string{"\x00"}}),
	} {
		if got := q.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestQueriesDoNotChangeWithWhatTheyWereMadeOf(t *testing.T) {
	items := []eventstore.Item{{Types: []string{"a"}, Tags: []string{"t"}}}
	q := eventstore.Match(items...)
	items[0].Types[0], items[0].Tags[0] = "x", "x"
	items[0].Stream = "x"
	if got, want := q.String(), `type "a" tags "t"`; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

func TestQueriesMatchStoredEvents(t *testing.T) {
	e := &eventstore.Event{Type: "a", Stream: "s", Tags: []string{"t", "u"}}
	for want, queries := range map[bool][]eventstore.Query{
		true: {
			eventstore.All(), eventstore.OfStream("s"), eventstore.Match(eventstore.Item{Types: []string{"b", "a"}, Tags: []string{"u", "t"}}),
			eventstore.Match(eventstore.Item{Stream: "x"}, eventstore.Item{Tags: []string{"u"}}),
		},
		false: {
			{}, eventstore.OfStream("x"), eventstore.Match(eventstore.Item{Types: []string{"b"}, Stream: "s"}),
			eventstore.Match(eventstore.Item{Tags: []string{"t", "v"}}),
		},
	} {
		if i := slices.IndexFunc(queries, func(q eventstore.Query) bool { return q.Matches(e) != want }); i >= 0 {
			t.Errorf("%s: want %v", queries[i], want)
		}
	}
}

func TestConditionsPrintThemselves(t *testing.T) {
	for want, c := range map[string]eventstore.Condition{
		`no stream "x"`:           eventstore.ExpectVersion("x", 0),
		`stream "x" at version 3`: eventstore.ExpectVersion("x", 3),
		`a stream "x"`:            eventstore.ExpectStream("x"),
		`none after position 7 of: type "a" or stream "s"`: eventstore.ExpectNone(
			eventstore.Match(eventstore.Item{Types: []string{"a"}}, eventstore.Item{Stream: "s"}), 7),
		`condition of unknown kind 0`: {},
	} {
		if got := c.String(); got != want {
			t.Errorf("got %s; want %s", got, want)
		}
	}
}

package storetest

import (
	"math"
	"strings"

	"example.com/signals/eventstore"
)

var conditionCases = []testCase{
	{"Version", func(h *harness) {
		h.append(event("a", "x"), event("a", "y"), event("a", "x"))
		for _, c := range []struct {
			stream  string
			expect  uint64
			found   uint64
			at      eventstore.Position
			message string
		}{
			{"x", 0, 2, 3, `eventstore: conflict: expected no stream "x"; found it at version 2, position 3`},
			{"x", 1, 2, 3, `eventstore: conflict: expected stream "x" at version 1; found it at version 2, position 3`},
			{"x", 3, 2, 3, `eventstore: conflict: expected stream "x" at version 3; found it at version 2, position 3`},
			{"x", math.MaxUint64, 2, 3, `eventstore: conflict: expected stream "x" at version 18446744073709551615; found it at version 2, position 3`},
			{"z", 1, 0, 0, `eventstore: conflict: expected stream "z" at version 1; there is no such stream`},
		} {
			cond := eventstore.ExpectVersion(c.stream, c.expect)
			conflict := h.conflict(one("a", "x"), cond)
			equal(h, "conflict", conflict, eventstore.ConflictError{Condition: cond, Position: c.at, Version: c.found})
			equal(h, "message", conflict.Error(), c.message)
		}
		_, err := h.store.Append(h.ctx, one("a", "x"), eventstore.ExpectVersion("x", 2), eventstore.ExpectVersion("z", 0))
		h.ok(err)
	}},
	{"Stream", func(h *harness) {
		h.append(event("a", "x"))
		cond := eventstore.ExpectStream("y")
		conflict := h.conflict(one("a", "y"), eventstore.ExpectStream("x"), cond)
		equal(h, "conflict", conflict, eventstore.ConflictError{Condition: cond})
		_, err := h.store.Append(h.ctx, one("a", "y"), eventstore.ExpectStream("x"))
		h.ok(err)
	}},
	{"AConditionMayBeAboutAnotherStream", func(h *harness) {
		h.append(event("a", "x"))
		_, err := h.store.Append(h.ctx, []eventstore.Event{event("a", "y"), event("a", "z")}, eventstore.ExpectVersion("x", 1))
		h.ok(err)
		h.conflict(one("a", "x"), eventstore.ExpectVersion("x", 1), eventstore.ExpectVersion("z", 0))
	}},
	{"None", func(h *harness) {
		h.append(event("a", "x", "t", "u"), event("b", "x", "t"), event("a", "y", "u"), event("c", "z"))
		item := func(stream string, types, tags []string) eventstore.Query {
			return eventstore.Match(eventstore.Item{Stream: stream, Types: types, Tags: tags})
		}
		for _, c := range []struct {
			q      eventstore.Query
			after  eventstore.Position
			oneOf  []eventstore.Position // nil: it holds
			second bool                  // of two items
		}{
			{q: eventstore.All(), after: 4},
			{q: eventstore.All(), after: 2, oneOf: []eventstore.Position{3, 4}},
			{q: eventstore.OfStream("x"), after: 2},
			{q: eventstore.OfStream("x"), after: 1, oneOf: []eventstore.Position{2}},
			{q: eventstore.OfStream("nobody")},
			{q: item("", []string{"a"}, nil), after: 3},
			{q: item("", []string{"a", "b"}, nil), after: 1, oneOf: []eventstore.Position{2, 3}},
			{q: item("", nil, []string{"t", "u"}), after: 1},
			{q: item("", nil, []string{"t", "u"}), oneOf: []eventstore.Position{1}},
			{q: item("", nil, []string{"t", "unheard of"})},
			{q: item("y", []string{"a"}, []string{"u"}), after: 1, oneOf: []eventstore.Position{3}},
			{q: item("x", []string{"b"}, []string{"u"})},
			{q: eventstore.Match(eventstore.Item{Types: []string{"nothing"}}, eventstore.Item{Stream: "z"}), after: 3, oneOf: []eventstore.Position{4}},
			{q: eventstore.Match(eventstore.Item{Types: []string{"nothing"}}, eventstore.Item{Stream: "z"}), after: 4},
			{q: eventstore.All(), after: 1 << 40},
			{q: eventstore.OfStream("x"), after: math.MaxUint64},
		} {
			cond := eventstore.ExpectNone(c.q, c.after)
			if c.oneOf != nil {
				conflict := h.conflict(one("d", "w"), cond)
				equal(h, "condition", conflict.Condition.String(), cond.String())
				found := false
				for _, p := range c.oneOf {
					found = found || p == conflict.Position
				}
				h.check(found, "%s: position %d; want one of %v", cond, conflict.Position, c.oneOf)
				continue
			}
			// With one that fails, to leave the store as it is.
			last := eventstore.ExpectVersion("w", 9)
			equal(h, cond.String(), h.conflict(one("d", "w"), cond, last).Condition, last)
		}
	}},
	{"TheBatchItselfIsNotInItsWay", func(h *harness) {
		q := eventstore.Match(eventstore.Item{Tags: []string{"seat-7"}})
		batch := []eventstore.Event{event("booked", "s", "seat-7"), event("paid", "s", "seat-7")}
		conds := []eventstore.Condition{eventstore.ExpectNone(q, 0), eventstore.ExpectVersion("s", 0)}
		_, err := h.store.Append(h.ctx, batch, conds...)
		h.ok(err)
		h.conflict(batch, conds[0])
		h.conflict(batch, conds[1])
	}},
	{"AfterManyEvents", func(h *harness) {
		h.fill(700)
		rare := eventstore.Match(eventstore.Item{Tags: []string{"rare", "even"}})
		at := h.append(event("a", "r", "rare", "even"))[0].Position
		h.fill(700)
		equal(h, "conflict", h.conflict(one("a", ""), eventstore.ExpectNone(rare, 0)).Position, at)
		equal(h, "conflict", h.conflict(one("a", ""), eventstore.ExpectNone(rare, at-1)).Position, at)
		_, err := h.store.Append(h.ctx, one("a", ""), eventstore.ExpectNone(rare, at))
		h.ok(err)
	}},
	{"RefusesWhatMakesNoSense", func(h *harness) {
		for i, bad := range []eventstore.Condition{
			{}, eventstore.ExpectVersion("", 1), eventstore.ExpectStream(""), eventstore.ExpectStream("\xff"),
			eventstore.ExpectNone(eventstore.Query{}, 0), eventstore.ExpectNone(eventstore.Match(), 0),
			eventstore.ExpectNone(eventstore.Match(eventstore.Item{}), 0), eventstore.ExpectNone(eventstore.OfStream(""), 0),
		} {
			_, err := h.store.Append(h.ctx, one("a", ""), bad)
			h.check(err != nil, "condition %d was accepted", i)
			h.check(strings.HasPrefix(err.Error(), "eventstore: append: condition 1 of 1: "), "error %q", err)
		}
		equal(h, "head", h.head(), 0)
	}},
}

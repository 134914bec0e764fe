package storetest

import (
	"context"
	"errors"
	"time"

	"example.com/signals/eventstore"
)

// named is a batch that can be told when it comes again.
func named() []eventstore.Event {
	return []eventstore.Event{
		{ID: "n1", Type: "a", Stream: "x", Tags: []string{"t", "u"}, Data: []byte("1")},
		{ID: "n2", Type: "b", Stream: "y", Data: []byte("2")},
	}
}

var idempotencyCases = []testCase{
	{"TheSameBatchAgainReturnsWhatIsStored", func(h *harness) {
		h.append(event("a", "x"))
		stored := h.append(named()...)
		h.append(event("a", "x"))
		emitted := 0
		h.store.Persisted().Subscribe(func(context.Context, eventstore.Recorded) error {
			emitted++
			return nil
		})
		again := named()
		again[0].Tags = []string{"u", "t", "u"}
		again[0].Schema = 1
		again[1].Meta = map[string]string{"other": "meta"}
		again[1].Time = time.Unix(1, 0)
		equal(h, "the second time", h.append(again...), stored)
		equal(h, "emitted the second time", emitted, 0)
		equal(h, "head", h.head(), 4)
	}},
	{"ThatCheckComesBeforeTheConditions", func(h *harness) {
		conds := []eventstore.Condition{
			eventstore.ExpectVersion("x", 0), eventstore.ExpectNone(eventstore.Match(eventstore.Item{Types: []string{"a"}}), 0),
		}
		stored, err := h.store.Append(h.ctx, named(), conds...)
		h.ok(err)
		again, err := h.store.Append(h.ctx, named(), conds...)
		h.ok(err)
		equal(h, "the second time", again, stored)
		other := named()
		other[0].Data = []byte("other")
		h.duplicate(other, "n1", 1, conds...)
	}},
	{"AnotherEventWithTheSameID", func(h *harness) {
		h.append(named()...)
		for what, change := range map[string]func(e *eventstore.Event){
			"type":   func(e *eventstore.Event) { e.Type = "b" },
			"schema": func(e *eventstore.Event) { e.Schema = 2 },
			"stream": func(e *eventstore.Event) { e.Stream = "" },
			"tags":   func(e *eventstore.Event) { e.Tags = e.Tags[:1] },
			"data":   func(e *eventstore.Event) { e.Data = nil },
		} {
			batch := named()
			change(&batch[0])
			equal(h, "reason", h.duplicate(batch, "n1", 1).Reason, "with other "+what)
		}
	}},
	{"TheSameIDWithARightVersion", func(h *harness) {
		h.append(named()...)
		h.duplicate([]eventstore.Event{{ID: "n1", Type: "later", Stream: "x"}}, "n1", 1, eventstore.ExpectVersion("x", 1))
	}},
	{"ABatchOfWhichOnlyAPartIsStored", func(h *harness) {
		h.append(named()[:1]...)
		h.duplicate(named(), "n1", 1)
		h.duplicate([]eventstore.Event{named()[1], named()[0]}, "n1", 1)
	}},
	{"PartsOfBatchesInAnyOrder", func(h *harness) {
		stored := h.append(named()...)
		extra := h.append(eventstore.Event{ID: "n3", Type: "c"})
		equal(h, "one of two", h.append(named()[1]), stored[1:])
		equal(h, "of two batches", h.append(eventstore.Event{ID: "n3", Type: "c"}, named()[0]), []eventstore.Recorded{extra[0], stored[0]})
	}},
	{"TwiceInOneBatch", func(h *harness) {
		h.duplicate([]eventstore.Event{named()[0], named()[0]}, "n1", 0)
	}},
}

// duplicate appends, which must be refused because of that ID.
func (h *harness) duplicate(events []eventstore.Event, id string, at eventstore.Position, conds ...eventstore.Condition) eventstore.DuplicateError {
	h.Helper()
	before := h.head()
	_, err := h.store.Append(h.ctx, events, conds...)
	dup, ok := errors.AsType[*eventstore.DuplicateError](err)
	h.check(ok, "error %v; want a *DuplicateError", err)
	equal(h, "duplicate", []any{dup.ID, dup.Position}, []any{id, at})
	equal(h, "head", h.head(), before)
	return *dup
}

package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/signals/eventstore"
)

var appendCases = []testCase{
	{"ReturnsAndReadsWhatWasStored", func(h *harness) {
		when := time.Date(2011, 12, 9, 12, 50, 1, 123456789, time.FixedZone("", 3600))
		before := time.Now().Add(-time.Second)
		stored := h.append(eventstore.Event{
			ID: "order-1", Type: "placed", Schema: 3, Stream: "order", Tags: []string{"b", "a", "b"},
			Data: []byte("\x00\xffbytes"), Meta: map[string]string{"tenant": "x", "empty": "", "ü": "日本"}, Time: when,
		})
		want := eventstore.Recorded{
			Event: eventstore.Event{
				ID: "order-1", Type: "placed", Schema: 3, Stream: "order", Tags: []string{"a", "b"},
				Data: []byte("\x00\xffbytes"), Meta: map[string]string{"tenant": "x", "empty": "", "ü": "日本"}, Time: when.UTC(),
			},
			Position: 1, Version: 1, Stored: stored[0].Stored,
		}
		equal(h, "what Append returned", stored, []eventstore.Recorded{want})
		equal(h, "what Read returned", h.all(eventstore.All()), stored)
		h.check(stored[0].Stored.After(before) && stored[0].Stored.Before(time.Now().Add(time.Second)), "stored at %v", stored[0].Stored)
		equal(h, "location of Stored", stored[0].Stored.Location(), time.UTC)
	}},
	{"FillsInWhatIsLeftOut", func(h *harness) {
		before := time.Now().Add(-time.Second)
		stored := h.append(eventstore.Event{Type: "a", Data: []byte{}, Tags: []string{}, Meta: map[string]string{}}, eventstore.Event{Type: "a"})
		for _, r := range stored {
			h.check(len(r.ID) == 36 && r.Schema == 1 && r.Version == 0 && r.Time.After(before), "%+v", r)
			h.check(r.Data == nil && r.Tags == nil && r.Meta == nil, "not nil: %#v", r)
		}
		h.check(stored[0].ID < stored[1].ID, "ids %s, %s do not follow each other", stored[0].ID, stored[1].ID)
		equal(h, "what Read returned", h.all(eventstore.All()), stored)
	}},
	{"PositionsAndVersionsAreDense", func(h *harness) {
		h.append(event("a", "x"), event("a", "y"), event("a", ""))
		h.conflict(one("a", "x"), eventstore.ExpectVersion("x", 7))
		stored := h.append(event("a", "x"), event("a", "x"), event("a", "y"))
		equal(h, "positions", positions(stored), []eventstore.Position{4, 5, 6})
		equal(h, "versions", []uint64{stored[0].Version, stored[1].Version, stored[2].Version}, []uint64{2, 3, 2})
		equal(h, "head", h.head(), 6)
		equal(h, "what Read returned", h.all(eventstore.All())[3:], stored)
	}},
	{"EventsOfABatchHaveOneStoredTime", func(h *harness) {
		stored := h.append(events(20)...)
		for _, r := range stored {
			equal(h, "stored", r.Stored, stored[0].Stored)
		}
	}},
	{"WhatCallersChangeIsNotStored", func(h *harness) {
		in := []eventstore.Event{{Type: "a", Tags: []string{"t"}, Data: []byte("d"), Meta: map[string]string{"k": "v"}}}
		stored, err := h.store.Append(h.ctx, in)
		h.ok(err)
		spoil := func(e eventstore.Event) { e.Tags[0], e.Data[0], e.Meta["k"] = "x", 'x', "x" }
		spoil(in[0])
		spoil(stored[0].Event)
		for range 2 {
			r := h.all(eventstore.All())[0]
			equal(h, "stored event", []any{r.Tags, r.Data, r.Meta}, []any{[]string{"t"}, []byte("d"), map[string]string{"k": "v"}})
			spoil(r.Event)
		}
	}},
	{"LargeAndMany", func(h *harness) {
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		name := strings.Repeat("n", eventstore.MaxName)
		many := make([]string, 50)
		for i := range many {
			many[i] = fmt.Sprintf("tag%02d", i)
		}
		stored := h.append(
			eventstore.Event{ID: name, Type: name, Stream: name, Tags: []string{name}, Data: big, Meta: map[string]string{name: string(big)}},
			eventstore.Event{Type: "a", Tags: many},
		)
		equal(h, "what Read returned", h.all(eventstore.All()), stored)
		equal(h, "by its tags", positions(h.all(eventstore.Match(eventstore.Item{Tags: many}))), []eventstore.Position{2})
		equal(h, "by its names", positions(h.all(eventstore.Match(eventstore.Item{Stream: name, Types: []string{name}, Tags: []string{name}}))), []eventstore.Position{1})
	}},
	{"NamesAreNotPatterns", func(h *harness) {
		names := []string{"a", "A", "á", "a ", "%", "_", "a'b", `a"b`, `a\`, "a,b", "{a}", "NULL", "日本", "\u200b", "a\nb"}
		for _, name := range names {
			h.append(eventstore.Event{ID: name, Type: name, Stream: name, Tags: []string{name}})
		}
		for i, name := range names {
			want := []eventstore.Position{eventstore.Position(i + 1)}
			equal(h, "stream "+name, positions(h.all(eventstore.OfStream(name))), want)
			equal(h, "type "+name, positions(h.all(eventstore.Match(eventstore.Item{Types: []string{name}}))), want)
			equal(h, "tag "+name, positions(h.all(eventstore.Match(eventstore.Item{Tags: []string{name}}))), want)
		}
	}},
	{"RefusesWhatMakesNoSense", func(h *harness) {
		h.append(event("a", "x"))
		for _, bad := range []eventstore.Event{
			{},
			{Stream: "x"},
			{Type: "a", Schema: -1},
			{Type: "a", Tags: []string{""}},
			{Type: "a\x00"},
			{Type: "a", Stream: "\xff"},
			{Type: "a", ID: strings.Repeat("i", eventstore.MaxName+1)},
			{Type: "a", Meta: map[string]string{"k": "\x00"}},
			{Type: "a", Meta: map[string]string{"\x00": "v"}},
			{Type: "a", Time: time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)},
		} {
			_, err := h.store.Append(h.ctx, []eventstore.Event{event("a", "x"), bad})
			h.check(err != nil, "%+v was accepted", bad)
			h.check(strings.HasPrefix(err.Error(), "eventstore: append: event "), "error %q", err)
		}
		_, err := h.store.Append(h.ctx, nil)
		h.check(err != nil, "no events were accepted")
		equal(h, "head", h.head(), 1)
	}},
	{"AnEndedContextWritesNothing", func(h *harness) {
		ctx, cancel := context.WithCancel(h.ctx)
		cancel()
		_, err := h.store.Append(ctx, one("a", "x"))
		h.is(err, context.Canceled)
		_, err = h.backend.Append(ctx, must(eventstore.NewBatch(one("a", "x"))))
		h.is(err, context.Canceled)
		h.check(!errors.Is(err, eventstore.ErrOutcomeUnknown), "an unknown outcome of what never began")
		equal(h, "head", h.head(), 0)
	}},
	{"ListenersOfPersistedSeeWhatIsStored", func(h *harness) {
		var seen []eventstore.Recorded
		h.store.Persisted().Subscribe(func(ctx context.Context, r eventstore.Recorded) error {
			got, err := collect(h.store.Read(ctx, eventstore.All(), eventstore.After(r.Position-1), eventstore.Limit(1)))
			h.ok(err)
			equal(h, "event in the store", got, []eventstore.Recorded{r})
			seen = append(seen, r)
			if r.Type == "a" {
				_, err = h.store.Append(ctx, one("b", ""))
				h.ok(err)
			}
			return nil
		})
		h.append(event("a", ""), event("c", ""))
		equal(h, "order of emission", positions(seen), []eventstore.Position{1, 3, 2})
	}},
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

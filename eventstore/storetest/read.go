package storetest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"example.com/signals/eventstore"
)

var readCases = []testCase{
	{"AnEmptyStore", func(h *harness) {
		equal(h, "events", h.all(eventstore.All()), nil)
		equal(h, "backwards", h.all(eventstore.OfStream("x"), eventstore.Backward(), eventstore.Limit(1)), nil)
		equal(h, "head", h.head(), 0)
	}},
	{"OptionsAreAbsolute", func(h *harness) {
		h.append(events(10)...)
		for _, c := range []struct {
			opts []eventstore.ReadOption
			want []eventstore.Position
		}{
			{[]eventstore.ReadOption{eventstore.After(7)}, []eventstore.Position{8, 9, 10}},
			{[]eventstore.ReadOption{eventstore.Until(2)}, []eventstore.Position{1, 2}},
			{[]eventstore.ReadOption{eventstore.After(3), eventstore.Until(5)}, []eventstore.Position{4, 5}},
			{[]eventstore.ReadOption{eventstore.After(3), eventstore.Until(5), eventstore.Backward()}, []eventstore.Position{5, 4}},
			{[]eventstore.ReadOption{eventstore.After(3), eventstore.Limit(2)}, []eventstore.Position{4, 5}},
			{[]eventstore.ReadOption{eventstore.Until(8), eventstore.Limit(2), eventstore.Backward()}, []eventstore.Position{8, 7}},
			{[]eventstore.ReadOption{eventstore.After(5), eventstore.Until(5)}, []eventstore.Position{}},
			{[]eventstore.ReadOption{eventstore.Until(0)}, []eventstore.Position{}},
			{[]eventstore.ReadOption{eventstore.After(10)}, []eventstore.Position{}},
			{[]eventstore.ReadOption{eventstore.After(99), eventstore.Backward()}, []eventstore.Position{}},
			{[]eventstore.ReadOption{eventstore.After(math.MaxUint64)}, []eventstore.Position{}},
			{[]eventstore.ReadOption{eventstore.After(9), eventstore.Until(math.MaxUint64)}, []eventstore.Position{10}},
			{[]eventstore.ReadOption{eventstore.After(8), eventstore.Until(99)}, []eventstore.Position{9, 10}},
			{[]eventstore.ReadOption{eventstore.Until(99), eventstore.Backward(), eventstore.Limit(1)}, []eventstore.Position{10}},
		} {
			equal(h, "positions", positions(h.all(eventstore.All(), c.opts...)), c.want)
		}
	}},
	{"ManyPages", func(h *harness) {
		all := h.fill(3000)
		equal(h, "forwards", h.all(eventstore.All()), all)
		backwards := slices.Clone(all)
		slices.Reverse(backwards)
		equal(h, "backwards", h.all(eventstore.All(), eventstore.Backward()), backwards)
		odd := eventstore.Match(eventstore.Item{Types: []string{"A"}, Tags: []string{"odd", "t3"}})
		equal(h, "a query", h.all(odd), matching(all, odd))
	}},
	{"EveryCombination", func(h *harness) {
		all := h.fill(300)
		random := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			q := randomQuery(random)
			var opts []eventstore.ReadOption
			want := matching(all, q)
			after, until := eventstore.Position(random.IntN(320)), eventstore.Position(random.IntN(320))
			if random.IntN(2) == 0 {
				opts = append(opts, eventstore.After(after))
				want = slices.DeleteFunc(want, func(r eventstore.Recorded) bool { return r.Position <= after })
			}
			if random.IntN(2) == 0 {
				opts = append(opts, eventstore.Until(until))
				want = slices.DeleteFunc(want, func(r eventstore.Recorded) bool { return r.Position > until })
			}
			if random.IntN(2) == 0 {
				opts = append(opts, eventstore.Backward())
				slices.Reverse(want)
			}
			if n := random.IntN(40); n > 0 {
				opts = append(opts, eventstore.Limit(n))
				want = want[:min(n, len(want))]
			}
			got := h.all(q, opts...)
			h.check(slices.EqualFunc(got, want, same), "%s, %d options, after %d, until %d: got %v; want %v",
				q, len(opts), after, until, positions(got), positions(want))
		}
	}},
	{"WhatComesMeanwhileIsNotAmongThem", func(h *harness) {
		h.fill(200)
		for _, opts := range [][]eventstore.ReadOption{nil, {eventstore.Until(1 << 40)}, {eventstore.Backward()}} {
			n, head := 0, h.head()
			for r, err := range h.store.Read(h.ctx, eventstore.All(), opts...) {
				h.ok(err)
				h.check(r.Position <= head, "position %d came after the range began, at %d", r.Position, head)
				n++
				h.append(event("more", "")) // from inside of the loop
			}
			equal(h, "events", n, int(head))
		}
	}},
	{"ARangeMayEndAndBeginAgain", func(h *harness) {
		all := h.fill(100)
		seq := h.store.Read(h.ctx, eventstore.All())
		for range 3 {
			for r, err := range seq {
				h.ok(err)
				if r.Position == 70 {
					break
				}
			}
		}
		equal(h, "events", must(collect(seq)), all)
	}},
	{"AnEndedContextIsAnError", func(h *harness) {
		h.fill(200)
		ctx, cancel := context.WithCancel(h.ctx)
		defer cancel()
		n := 0
		var last error
		for _, err := range h.store.Read(ctx, eventstore.All()) {
			if last = err; err == nil {
				n++
			}
			cancel()
		}
		equal(h, "events before the error", n, 1)
		h.is(last, context.Canceled)
	}},
	{"RefusesWhatMakesNoSense", func(h *harness) {
		h.fill(1)
		for _, q := range []eventstore.Query{
			{}, eventstore.Match(), eventstore.Match(eventstore.Item{Stream: "x"}, eventstore.Item{}), eventstore.OfStream(""),
			eventstore.Match(eventstore.Item{Types: []string{""}}), eventstore.Match(eventstore.Item{Tags: []string{"\xff"}}),
		} {
			got, err := collect(h.store.Read(h.ctx, q))
			h.check(err != nil && got == nil, "%s: %v, %v", q, got, err)
			got, err = collect(h.store.Follow(h.ctx, q, 0))
			h.check(err != nil && got == nil, "%s: %v, %v", q, got, err)
		}
		_, err := collect(h.store.Read(h.ctx, eventstore.All(), eventstore.Limit(0)))
		h.check(err != nil, "Limit(0) was accepted")
	}},
	{"ClosedStore", func(h *harness) {
		h.ok(h.store.Close(h.ctx))
		_, err := h.store.Append(h.ctx, one("a", ""))
		h.is(err, eventstore.ErrClosed)
		_, err = collect(h.store.Read(h.ctx, eventstore.All()))
		h.is(err, eventstore.ErrClosed)
		_, err = collect(h.store.Follow(h.ctx, eventstore.All(), 0))
		h.is(err, eventstore.ErrClosed)
		_, err = h.store.Head(h.ctx)
		h.is(err, eventstore.ErrClosed)
		equal(h, "the backend's head", must(h.backend.Head(h.ctx)), 0) // it is still open
	}},
}

// matching is what Read is compared with: a look at each event, in the words
// of the documentation.
func matching(events []eventstore.Recorded, q eventstore.Query) (out []eventstore.Recorded) {
	for _, r := range events {
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

// randomQuery returns a query for what fill appends.
func randomQuery(random *rand.Rand) eventstore.Query {
	if random.IntN(8) == 0 {
		return eventstore.All()
	}
	pick := func(names ...string) (out []string) {
		for _, name := range names {
			if random.IntN(3) == 0 {
				out = append(out, name)
			}
		}
		return out
	}
	items := make([]eventstore.Item, 1+random.IntN(3))
	for i := range items {
		item := eventstore.Item{
			Types: pick("A", "B", "nothing"),
			Tags:  pick("even", "odd", fmt.Sprintf("t%d", random.IntN(6))),
		}
		if random.IntN(3) == 0 || item.Types == nil && item.Tags == nil {
			item.Stream = fmt.Sprintf("s%d", random.IntN(8))
		}
		items[i] = item
	}
	return eventstore.Match(items...)
}

// same compares two stored events by what cannot be the same by accident.
func same(a, b eventstore.Recorded) bool {
	return a.Position == b.Position && a.ID == b.ID && string(a.Data) == string(b.Data) && slices.Equal(a.Tags, b.Tags) &&
		a.Stream == b.Stream && a.Version == b.Version && a.Time.Equal(b.Time) && a.Stored.Equal(b.Stored)
}

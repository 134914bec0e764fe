package storetest

import (
	"context"
	"sync"

	"example.com/signals/eventstore"
)

var followCases = []testCase{
	{"CatchesUpAndGoesLive", func(h *harness) {
		h.fill(300)
		f := h.follow(eventstore.All(), 0)
		for i := range 300 {
			equal(h, "position", f.next().Position, eventstore.Position(i+1))
		}
		for range 200 {
			want := h.append(event("live", "x"))[0]
			equal(h, "live", f.next(), want)
		}
		f.end()
	}},
	{"AFollowerWithAQueryGetsOnlyThat", func(h *harness) {
		q := eventstore.Match(eventstore.Item{Tags: []string{"mine"}})
		h.append(event("a", ""), event("a", "", "mine"))
		f := h.follow(q, 0)
		equal(h, "position", f.next().Position, 2)
		h.append(event("a", ""), event("a", ""))
		h.append(event("a", ""), event("a", "", "mine"), event("a", ""))
		equal(h, "position", f.next().Position, 6)
		for range 50 {
			h.append(event("a", ""))
		}
		h.append(event("a", "", "mine"))
		equal(h, "position", f.next().Position, 58)
		f.end()
	}},
	{"AfterAPosition", func(h *harness) {
		h.append(events(5)...)
		behind, at, ahead := h.follow(eventstore.All(), 3), h.follow(eventstore.All(), 5), h.follow(eventstore.All(), 7)
		equal(h, "position", behind.next().Position, 4)
		h.append(events(5)...)
		equal(h, "position", behind.next().Position, 5)
		equal(h, "position", at.next().Position, 6)
		equal(h, "position", ahead.next().Position, 8)
		behind.end()
		at.end()
		ahead.end()
	}},
	{"EventsOfAnotherStoreOverTheBackend", func(h *harness) {
		f := h.follow(eventstore.All(), 0)
		other := eventstore.New(h.backend)
		for range 100 {
			stored, err := other.Append(h.ctx, one("a", ""))
			h.ok(err)
			equal(h, "event", f.next(), stored[0])
		}
		h.ok(other.Close(h.ctx))
		f.end()
	}},
	{"TheLoopMayAppend", func(h *harness) {
		h.append(event("a", ""))
		n := 0
		for r, err := range h.store.Follow(h.ctx, eventstore.All(), 0) {
			h.ok(err)
			if n++; n == 1000 {
				break
			}
			equal(h, "position", r.Position, eventstore.Position(n))
			h.append(event("a", ""))
		}
		equal(h, "head", h.head(), 1000)
	}},
	{"WhatAFollowerChangesIsItsOwn", func(h *harness) {
		a, b := h.follow(eventstore.All(), 0), h.follow(eventstore.All(), 0)
		for range 20 {
			h.append(event("a", "", "t"))
			r := a.next()
			r.Tags[0], r.Data[0] = "x", 'x'
			r = b.next()
			h.check(r.Tags[0] == "t" && r.Data[0] == '{', "%+v", r)
		}
		a.end()
		b.end()
	}},
	{"EndsWithItsContext", func(h *harness) {
		ctx, cancel := context.WithCancel(h.ctx)
		done := make(chan error, 1)
		go func() {
			_, err := collect(h.store.Follow(ctx, eventstore.All(), 0))
			done <- err
		}()
		cancel()
		h.ok(await(h, "end of the range", done))
	}},
	{"EndsWithTheStore", func(h *harness) {
		h.append(event("a", ""))
		began := make(chan struct{})
		done := make(chan error, 1)
		go func() {
			var last error
			for _, err := range h.store.Follow(h.ctx, eventstore.All(), 0) {
				if last = err; err == nil {
					close(began)
				}
			}
			done <- last
		}()
		await(h, "first event", began)
		h.ok(h.store.Close(h.ctx))
		h.is(await(h, "end of the range", done), eventstore.ErrClosed)
	}},
	{"ManyFollowersWhileManyAppend", func(h *harness) {
		const appenders, each = 4, 50
		queries := []eventstore.Query{
			eventstore.All(), eventstore.OfStream("s3"), eventstore.Match(eventstore.Item{Tags: []string{"odd"}}, eventstore.Item{Types: []string{"B"}}),
		}
		var followers []*follower
		for i := range 12 {
			followers = append(followers, h.follow(queries[i%len(queries)], 0))
		}
		var group sync.WaitGroup
		for range appenders {
			group.Go(func() {
				for _, e := range events(each) {
					h.append(e)
				}
			})
		}
		group.Wait()
		all := h.all(eventstore.All())
		equal(h, "events", len(all), appenders*each)
		for i, f := range followers {
			for _, want := range matching(all, queries[i%len(queries)]) {
				equal(h, "followed", f.next(), want)
			}
			f.end()
		}
	}},
}

// follower is a goroutine that follows.
type follower struct {
	h      *harness
	cancel context.CancelFunc
	events chan eventstore.Recorded
	done   chan error
}

func (h *harness) follow(q eventstore.Query, after eventstore.Position) *follower {
	ctx, cancel := context.WithCancel(h.ctx)
	f := &follower{h: h, cancel: cancel, events: make(chan eventstore.Recorded), done: make(chan error, 1)}
	go func() {
		for r, err := range h.store.Follow(ctx, q, after) {
			if err != nil {
				f.done <- err
				return
			}
			select {
			case f.events <- r:
			case <-ctx.Done():
			}
		}
		f.done <- nil
	}()
	return f
}

// next waits for the next event.
func (f *follower) next() eventstore.Recorded {
	f.h.Helper()
	return await(f.h, "the next event of a follower", f.events)
}

// end ends it.
func (f *follower) end() {
	f.h.Helper()
	f.cancel()
	f.h.ok(await(f.h, "the end of a follower", f.done))
}

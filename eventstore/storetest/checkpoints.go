package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"example.com/signals/eventstore"
)

// able returns the backend as what it can do besides, or skips the test.
func able[T any](h *harness) T {
	h.Helper()
	v, ok := h.backend.(T)
	if !ok {
		h.Skipf("the backend is no %s", strings.TrimPrefix(fmt.Sprintf("%T", new(T)), "*"))
	}
	return v
}

var checkpointCases = []testCase{
	{"OpenKeepsWhatIsThere", func(h *harness) {
		b := able[eventstore.Checkpoints](h)
		h.append(events(9)...)
		before := time.Now().Add(-time.Second)
		c, err := b.OpenKey(h.ctx, "k", 5)
		h.ok(err)
		h.check(c.Updated.After(before) && c.Updated.Location() == time.UTC, "updated %v", c.Updated)
		c.Updated = time.Time{}
		equal(h, "new", c, eventstore.Checkpoint{Key: "k", Position: 5})
		c, err = b.OpenKey(h.ctx, "k", 2)
		h.ok(err)
		equal(h, "position of the second", c.Position, 5)
		_, err = b.OpenKey(h.ctx, "a", 0)
		h.ok(err)
		equal(h, "all", keysOf(must(b.Keys(h.ctx))), "a@0 k@5")
		equal(h, "some", keysOf(must(b.Keys(h.ctx, "k", "nobody"))), "k@5")
		h.ok(b.DeleteKey(h.ctx, "a"))
		h.ok(b.DeleteKey(h.ctx, "nobody"))
		equal(h, "left", keysOf(must(b.Keys(h.ctx))), "k@5")
	}},
	{"OneOfThoseWhoOpenAKeyMakesIt", func(h *harness) {
		b := able[eventstore.Checkpoints](h)
		h.append(events(20)...)
		found := make([]eventstore.Position, 8)
		var group sync.WaitGroup
		for i := range found {
			group.Go(func() { found[i] = must(b.OpenKey(h.ctx, "k", eventstore.Position(i))).Position })
		}
		group.Wait()
		for _, p := range found {
			equal(h, "position", p, found[0])
		}
	}},
	{"AMoveBeginsWhereTheLastEnded", func(h *harness) {
		b := able[eventstore.Checkpoints](h)
		h.append(events(9)...)
		h.is(b.Advance(h.ctx, eventstore.Move{Key: "k", To: 3}, nil), eventstore.ErrMoved)
		must(b.OpenKey(h.ctx, "k", 0))
		must(b.OpenKey(h.ctx, "other", 0))
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 0, To: 3}, nil))
		h.is(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 0, To: 3}, nil), eventstore.ErrMoved)
		h.is(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 4, To: 5}, nil), eventstore.ErrMoved)
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 3, To: 3, Stopped: "why"}, nil))
		c := must(b.Keys(h.ctx, "k"))[0]
		equal(h, "stopped", []any{c.Position, c.Stopped}, []any{eventstore.Position(3), "why"})
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 3, To: 9}, nil))
		equal(h, "stopped", must(b.Keys(h.ctx, "k"))[0].Stopped, "")
		equal(h, "all", keysOf(must(b.Keys(h.ctx))), "k@9 other@0")
	}},
	{"OfConcurrentMovesOneWins", func(h *harness) {
		b := able[eventstore.Checkpoints](h)
		const racers, rounds = 4, 10
		h.append(events(rounds)...)
		must(b.OpenKey(h.ctx, "k", 0))
		for round := range eventstore.Position(rounds) {
			errs := make([]error, racers)
			var group sync.WaitGroup
			for i := range errs {
				group.Go(func() {
					errs[i] = b.Advance(h.ctx, eventstore.Move{Key: "k", From: round, To: round + 1}, nil)
				})
			}
			group.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
					continue
				}
				h.is(err, eventstore.ErrMoved)
			}
			equal(h, "winners", won, 1)
		}
	}},
	{"DeadLetters", func(h *harness) {
		b := able[eventstore.Checkpoints](h)
		stored := h.append(events(9)...)
		must(b.OpenKey(h.ctx, "k", 0))
		must(b.OpenKey(h.ctx, "other", 0))
		first, last := time.Unix(1, 1).UTC(), time.Unix(2, 2).UTC()
		dead := func(p eventstore.Position, text string) eventstore.Dead {
			return eventstore.Dead{Position: p, Err: text, Attempts: 3, First: first, Last: last}
		}
		letter := func(p eventstore.Position, text string, requested bool) eventstore.DeadLetter {
			return eventstore.DeadLetter{Recorded: stored[p-1], Key: "k", Err: text, Attempts: 3, First: first, Last: last, Requested: requested}
		}
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", To: 5, Dead: []eventstore.Dead{dead(4, "four"), dead(2, "two"), dead(5, "")}}, nil))
		equal(h, "letters", must(b.DeadLetters(h.ctx, "k", 0, 9)), []eventstore.DeadLetter{letter(2, "two", false), letter(4, "four", false), letter(5, "", false)})
		equal(h, "a page", must(b.DeadLetters(h.ctx, "k", 2, 1)), []eventstore.DeadLetter{letter(4, "four", false)})
		equal(h, "of another", must(b.DeadLetters(h.ctx, "other", 0, 9)), nil)
		equal(h, "number", must(b.Keys(h.ctx, "k"))[0].Dead, 3)

		err := b.Redeliver(h.ctx, "k", 2, 3)
		h.check(err != nil && strings.Contains(err.Error(), "3"), "error %v does not name position 3", err)
		equal(h, "none is requested", must(b.DeadLetters(h.ctx, "k", 0, 1)), []eventstore.DeadLetter{letter(2, "two", false)})
		h.ok(b.Redeliver(h.ctx, "k", 2))
		equal(h, "requested", must(b.DeadLetters(h.ctx, "k", 0, 2)), []eventstore.DeadLetter{letter(2, "two", true), letter(4, "four", false)})
		h.ok(b.Redeliver(h.ctx, "k"))
		h.ok(b.Discard(h.ctx, "k", 5))

		// 2 failed again, 4 succeeded, 5 was discarded while it failed again.
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 5, To: 6, Dead: []eventstore.Dead{dead(2, "again"), dead(5, "again")}, Settled: []eventstore.Position{4, 8}}, nil))
		equal(h, "letters", must(b.DeadLetters(h.ctx, "k", 0, 9)), []eventstore.DeadLetter{letter(2, "again", false)})
		h.check(b.Discard(h.ctx, "k", 2, 4) != nil, "a discard of what is not there")
		h.check(b.Discard(h.ctx, "nobody", 2) != nil, "a discard of nobody's")
		equal(h, "number", must(b.Keys(h.ctx, "k"))[0].Dead, 1)
		h.ok(b.Discard(h.ctx, "k"))
		h.ok(b.Redeliver(h.ctx, "k"))
		equal(h, "letters", must(b.DeadLetters(h.ctx, "k", 0, 9)), nil)

		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 6, To: 7, Dead: []eventstore.Dead{dead(7, "seven")}}, nil))
		h.ok(b.DeleteKey(h.ctx, "k"))
		must(b.OpenKey(h.ctx, "k", 0))
		equal(h, "letters of a new key", must(b.DeadLetters(h.ctx, "k", 0, 9)), nil)
	}},
	{"WhatApplyDoesIsPartOfTheMove", func(h *harness) {
		b := able[eventstore.Checkpoints](h)
		h.append(events(9)...)
		must(b.OpenKey(h.ctx, "k", 0))
		calls := 0
		apply := func(_ context.Context, tx any) error {
			calls++
			h.check(tx != nil, "no transaction")
			return nil
		}
		err := b.Advance(h.ctx, eventstore.Move{Key: "k", To: 1}, apply)
		if errors.Is(err, eventstore.ErrUnsupported) {
			equal(h, "after a refusal", keysOf(must(b.Keys(h.ctx))), "k@0")
			equal(h, "calls", calls, 0)
			return
		}
		h.ok(err)
		h.is(b.Advance(h.ctx, eventstore.Move{Key: "k", To: 1}, apply), eventstore.ErrMoved)
		equal(h, "calls", calls, 1)
		boom := errors.New("boom")
		dead := []eventstore.Dead{{Position: 2, Err: "x"}}
		h.is(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 1, To: 2, Dead: dead}, func(context.Context, any) error { return boom }), boom)
		func() {
			defer func() { equal[any](h, "panic", recover(), "boom") }()
			_ = b.Advance(h.ctx, eventstore.Move{Key: "k", From: 1, To: 2, Dead: dead}, func(context.Context, any) error { panic("boom") })
		}()
		equal(h, "after failures", keysOf(must(b.Keys(h.ctx))), "k@1")
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", From: 1, To: 2, Dead: dead}, apply))
		equal(h, "at the end", keysOf(must(b.Keys(h.ctx))), "k@2")
		h.append(event("a", "")) // the writer has survived
	}},
	{"AnEndedContextChangesNothing", func(h *harness) {
		b := able[eventstore.Checkpoints](h)
		h.append(events(3)...)
		must(b.OpenKey(h.ctx, "k", 0))
		h.ok(b.Advance(h.ctx, eventstore.Move{Key: "k", To: 1, Dead: []eventstore.Dead{{Position: 1}}}, nil))
		ctx, cancel := context.WithCancel(h.ctx)
		cancel()
		_, err := b.OpenKey(ctx, "new", 0)
		h.is(err, context.Canceled)
		h.is(b.Advance(ctx, eventstore.Move{Key: "k", From: 1, To: 2}, nil), context.Canceled)
		h.is(b.Discard(ctx, "k", 1), context.Canceled)
		h.is(b.DeleteKey(ctx, "k"), context.Canceled)
		equal(h, "checkpoints", keysOf(must(b.Keys(h.ctx))), "k@1")
		equal(h, "dead letters", len(must(b.DeadLetters(h.ctx, "k", 0, 9))), 1)
	}},
	{"ChangesOfAKeyAreTold", func(h *harness) {
		b := able[eventstore.Checkpoints](h)
		h.append(events(3)...)
		told := make(chan struct{}, 1000)
		stop := h.backend.Watch(func(n eventstore.Notice) {
			if n.Key == "k" {
				told <- struct{}{}
			}
		})
		defer stop()
		for _, change := range []func() error{
			func() error { _, err := b.OpenKey(h.ctx, "k", 0); return err },
			func() error {
				return b.Advance(h.ctx, eventstore.Move{Key: "k", To: 1, Dead: []eventstore.Dead{{Position: 1}}}, nil)
			},
			func() error { return b.Redeliver(h.ctx, "k", 1) },
			func() error { return b.Discard(h.ctx, "k", 1) },
			func() error { return b.DeleteKey(h.ctx, "k") },
		} {
			h.ok(change())
			await(h, "a notice of the key", told)
		}
	}},
}

// keysOf prints checkpoints.
func keysOf(checkpoints []eventstore.Checkpoint) string {
	texts := make([]string, len(checkpoints))
	for i, c := range checkpoints {
		texts[i] = fmt.Sprintf("%s@%d", c.Key, c.Position)
	}
	return strings.Join(texts, " ")
}

var leaseCases = []testCase{
	{"OneWorksTheOtherStandsBy", func(h *harness) {
		b := able[eventstore.Leaser](h)
		first, err := b.Lease(h.ctx, "k")
		h.ok(err)
		other, err := b.Lease(h.ctx, "other")
		h.ok(err)
		ctx, cancel := context.WithCancel(h.ctx)
		gaveUp := make(chan error, 1)
		go func() {
			_, err := b.Lease(ctx, "k")
			gaveUp <- err
		}()
		got := make(chan eventstore.Lease, 1)
		go func() { got <- must(b.Lease(h.ctx, "k")) }()
		cancel()
		h.is(await(h, "who gave up", gaveUp), context.Canceled)
		select {
		case <-got:
			h.Fatal("two leases of one key")
		case <-first.Lost():
			h.Fatal("the lease is lost")
		default:
		}
		first.Release()
		await(h, "end of the lease", first.Lost())
		second := await(h, "the next lease", got)
		first.Release() // again: not the other one's
		select {
		case <-second.Lost():
			h.Fatal("the lease is lost")
		default:
		}
		second.Release()
		other.Release()
	}},
	{"TheHoldersOfALeaseNeverOverlap", func(h *harness) {
		b := able[eventstore.Leaser](h)
		var mu sync.Mutex
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 10 {
					l := must(b.Lease(h.ctx, "k"))
					h.check(mu.TryLock(), "two hold the lease")
					mu.Unlock()
					l.Release()
				}
			})
		}
		group.Wait()
	}},
}

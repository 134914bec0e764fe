package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"example.com/signals/eventstore"
)

// soon makes retries quick.
var soon = eventstore.Backoff(time.Millisecond, 2*time.Millisecond)

var errBoom = errors.New("boom")

// failureCases are what durable listeners do when something goes wrong.
var failureCases = []testCase{
	{"WhatFailsIsTriedAgainForThatListenerAlone", func(h *harness) {
		h.keeps()
		calls := map[eventstore.Position]int{}
		failing := h.listenTo(h.store, "failing", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error {
			if calls[r.Position]++; r.Position%3 == 0 && calls[r.Position] < 3 {
				return errBoom
			}
			return nil
		}, soon)
		other := h.listen(h.store, "other", eventstore.All())
		stored := h.append(events(10)...)
		h.ok(h.store.Wait(h.ctx, "failing", 10))
		h.ok(h.store.Wait(h.ctx, "other", 10))
		equal(h, "failing", failing.seen(), stored)
		equal(h, "other", other.seen(), stored)
		for p := range eventstore.Position(10) {
			equal(h, fmt.Sprintf("calls with %d", p+1), calls[p+1], map[bool]int{true: 3, false: 1}[(p+1)%3 == 0])
		}
		equal(h, "failures", failing.Stats().Failures, uint64(6))
	}},
	{"AStuckListenerHoldsUpNobody", func(h *harness) {
		h.keeps()
		release := make(chan struct{})
		h.listenTo(h.store, "stuck", eventstore.All(), func(context.Context, eventstore.Recorded) error { <-release; return nil })
		h.listenTo(h.store, "failing", eventstore.All(), func(context.Context, eventstore.Recorded) error { return errBoom }, eventstore.Backoff(time.Hour, time.Hour))
		other := h.listen(h.store, "other", eventstore.All())
		h.fill(50)
		h.ok(h.store.Wait(h.ctx, "other", 50))
		equal(h, "number", len(other.seen()), 50)
		close(release)
	}},
	{"WhatFailsTooOftenIsADeadLetter", func(h *harness) {
		h.keeps()
		var healed atomic.Bool
		l := h.listenTo(h.store, "k", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error {
			if r.Position%4 == 0 && !healed.Load() {
				return fmt.Errorf("boom\x00\xff %d", r.Position)
			}
			return nil
		}, soon, eventstore.Attempts(3))
		before := time.Now().Add(-time.Second)
		stored := h.append(events(9)...)
		h.ok(h.store.Wait(h.ctx, "k", 9))
		equal(h, "handled", positions(l.seen()), []eventstore.Position{1, 2, 3, 5, 6, 7, 9})
		letters := h.letters("k")
		equal(h, "number", len(letters), 2)
		for i, d := range letters {
			equal(h, "event", d.Recorded, stored[4*i+3])
			equal(h, "key, attempts, requested", []any{d.Key, d.Attempts, d.Requested}, []any{"k", 3, false})
			h.check(strings.HasPrefix(d.Err, "boom") && strings.HasSuffix(d.Err, fmt.Sprint(d.Position)), "failure %q", d.Err)
			h.check(d.First.After(before) && !d.Last.Before(d.First), "from %v to %v", d.First, d.Last)
		}
		equal(h, "dead", l.Stats().Dead, 2)

		h.ok(h.store.Redeliver(h.ctx, "k", 8)) // fails again
		h.until("a fourth attempt", func() bool {
			d := h.letters("k")
			return d[0].Attempts == 3 && d[1].Attempts == 4 && !d[1].Requested && d[1].First.Equal(letters[1].First)
		})
		healed.Store(true)
		h.ok(h.store.Redeliver(h.ctx, "k", 4))
		h.until("the redelivery", func() bool { return len(h.letters("k")) == 1 })
		equal(h, "handled", l.seen()[7], stored[3])
		h.stop(l)
		h.check(h.store.Discard(h.ctx, "k", 4) != nil, "4 is a dead letter still")
		h.ok(h.store.Redeliver(h.ctx, "k")) // nobody works
		again := h.listen(h.store, "k", eventstore.All())
		h.until("the redelivery", func() bool { return len(h.letters("k")) == 0 })
		equal(h, "handled", again.seen(), stored[7:8])
		h.until("the stats", func() bool { return again.Stats().Dead == 0 })
		h.stop(again)
		equal(h, "checkpoint", keysOf(must(h.store.Checkpoints(h.ctx))), "k@9")
	}},
	{"DiscardRemovesDeadLetters", func(h *harness) {
		h.keeps()
		h.listenTo(h.store, "k", eventstore.All(), func(context.Context, eventstore.Recorded) error { return errBoom }, eventstore.Attempts(1))
		h.append(events(250)...)
		h.ok(h.store.Wait(h.ctx, "k", 250))
		equal(h, "number", len(h.letters("k")), 250)
		h.ok(h.store.Discard(h.ctx, "k", 3, 4))
		equal(h, "number", len(h.letters("k")), 248)
		h.ok(h.store.Discard(h.ctx, "k"))
		equal(h, "number", len(h.letters("k")), 0)
	}},
	{"OrItStops", func(h *harness) {
		h.keeps()
		l := h.listenTo(h.store, "k", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error {
			if r.Position == 3 {
				return errBoom
			}
			return nil
		}, soon, eventstore.Attempts(2), eventstore.StopOnFailure())
		waiting := make(chan error, 1)
		go func() { waiting <- h.store.Wait(h.ctx, "k", 5) }()
		h.append(events(5)...)
		await(h, "end of the listener", l.Done())
		h.is(l.Err(), errBoom)
		h.is(await(h, "a Wait that had begun", waiting), errBoom)
		h.is(h.store.Wait(h.ctx, "k", 5), errBoom)
		h.ok(h.store.Wait(h.ctx, "k", 2))
		other := eventstore.New(h.backend)
		err := other.Wait(h.ctx, "k", 5)
		h.check(err != nil && strings.Contains(err.Error(), "position 3") && strings.Contains(err.Error(), "boom"), "error %v", err)
		equal(h, "checkpoint", keysOf(must(h.store.Checkpoints(h.ctx))), "k@2")
		equal(h, "dead letters", len(h.letters("k")), 0)
		again := h.listen(other, "k", eventstore.All())
		h.ok(h.store.Wait(h.ctx, "k", 5))
		equal(h, "tried again", positions(again.seen()), []eventstore.Position{3, 4, 5})
		h.ok(other.Close(h.ctx))
		equal(h, "stopped", must(h.store.Checkpoints(h.ctx))[0].Stopped, "")
	}},
	{"APanicAndAGoexitAreFailures", func(h *harness) {
		h.keeps()
		calls := 0
		l := h.listenTo(h.store, "k", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error {
			switch calls++; calls {
			case 2:
				panic("boom")
			case 3:
				runtime.Goexit()
			case 4:
				panic(nil)
			}
			return nil
		}, soon)
		stored := h.append(events(3)...)
		h.ok(h.store.Wait(h.ctx, "k", 3))
		equal(h, "handled", l.seen(), stored)
		equal(h, "failures", l.Stats().Failures, uint64(3))
		h.stop(l)
	}},
}

// until waits for what cannot be waited for otherwise.
func (h *harness) until(what string, holds func() bool) {
	h.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-h.ctx.Done():
			h.Fatalf("still waiting: %s", what)
		}
	}
}

func (h *harness) letters(key string) (out []eventstore.DeadLetter) {
	h.Helper()
	for d, err := range h.store.DeadLetters(h.ctx, key) {
		h.ok(err)
		out = append(out, d)
	}
	return out
}

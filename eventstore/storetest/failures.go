package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals"
	"example.com/signals/eventstore"
)

// soon makes retries quick.
var soon = eventstore.Backoff(time.Millisecond, 2*time.Millisecond)

var errBoom = errors.New("boom")

// failureCases are what durable listeners do when something goes wrong, and
// how they wait, stand by, are rebuilt and end.
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
				panic(nil) //nolint:govet // on purpose
			}
			return nil
		}, soon)
		stored := h.append(events(3)...)
		h.ok(h.store.Wait(h.ctx, "k", 3))
		equal(h, "handled", l.seen(), stored)
		equal(h, "failures", l.Stats().Failures, uint64(3))
		h.stop(l)
	}},
	// Caught up, reported before a projection ran.
	{"WaitWaitsForTheCall", func(h *harness) {
		h.keeps()
		calls, release := make(chan eventstore.Position), make(chan struct{})
		h.listenTo(h.store, "k", eventstore.Match(eventstore.Item{Types: []string{"mine"}}), func(_ context.Context, r eventstore.Recorded) error {
			calls <- r.Position
			<-release
			return nil
		})
		waiting := make(chan error, 1)
		wait := func(p eventstore.Position) {
			go func() { waiting <- h.store.Wait(h.ctx, "k", p) }()
		}
		h.append(event("mine", ""), event("other", ""))
		equal(h, "call", await(h, "the call", calls), 1)
		short, cancel := context.WithTimeout(h.ctx, 20*time.Millisecond)
		defer cancel()
		h.is(h.store.Wait(short, "k", 1), context.DeadlineExceeded)
		wait(1)
		release <- struct{}{}
		h.ok(await(h, "Wait", waiting))
		h.ok(h.store.Wait(h.ctx, "k", 2)) // which passes it by
		wait(4)
		h.append(event("other", ""), event("other", ""))
		h.ok(await(h, "Wait for what passes by", waiting))

		other := eventstore.New(h.backend)
		h.ok(other.Wait(h.ctx, "k", 4)) // of another process, as it were
		go func() { waiting <- other.Wait(h.ctx, "k", 6) }()
		h.append(event("other", ""), event("other", ""))
		h.ok(await(h, "Wait of another store for what passes by", waiting))
		go func() { waiting <- other.Wait(h.ctx, "k", 7) }()
		h.ok(other.Close(h.ctx))
		h.is(await(h, "Wait of a closed store", waiting), eventstore.ErrClosed)
	}},
	{"CallsFromInsideDoNotDeadlock", func(h *harness) {
		h.keeps()
		errs := make(chan error, 5)
		var l *listener
		listening := make(chan struct{})
		l = h.listenTo(h.store, "k", eventstore.All(), func(ctx context.Context, r eventstore.Recorded) error {
			<-listening
			errs <- h.store.Wait(ctx, "k", r.Position)
			errs <- h.store.Wait(context.Background(), "k", r.Position)
			errs <- h.store.Close(context.Background())
			errs <- l.Stop(ctx)
			errs <- l.Stop(context.Background())
			return nil
		})
		close(listening)
		h.append(events(2)...)
		for range 5 {
			h.is(await(h, "a call from inside", errs), signals.ErrWouldDeadlock)
		}
		await(h, "end of the listener", l.Done())
		equal(h, "handled", len(l.seen()), 1)
		equal(h, "checkpoint", keysOf(must(h.store.Checkpoints(h.ctx))), "k@1")
		h.ok(l.Err())
	}},
	{"CloseWaitsForTheCall", func(h *harness) {
		h.keeps()
		begun, cancelled := make(chan struct{}), make(chan struct{})
		l := h.listenTo(h.store, "k", eventstore.All(), func(ctx context.Context, _ eventstore.Recorded) error {
			close(begun)
			<-ctx.Done()
			close(cancelled)
			return ctx.Err()
		})
		h.append(events(1)...)
		await(h, "the call", begun)
		ctx, cancel := context.WithTimeout(h.ctx, 10*time.Millisecond)
		defer cancel()
		err := h.store.Close(ctx)
		h.is(err, context.DeadlineExceeded)
		h.check(strings.Contains(err.Error(), `"k"`), "error %v", err)
		await(h, "end of the call's context", cancelled)
		await(h, "end of the listener", l.Done())
		h.ok(h.store.Close(h.ctx))
	}},
	{"OneWorksAndTheOtherTakesOver", func(h *harness) {
		h.keeps()
		able[eventstore.Leaser](h)
		var working sync.Mutex
		fn := func(context.Context, eventstore.Recorded) error {
			h.check(working.TryLock(), "two work")
			defer working.Unlock()
			return nil
		}
		h.append(events(10)...)
		first := h.listenTo(h.store, "k", eventstore.All(), fn)
		h.ok(h.store.Wait(h.ctx, "k", 10))
		other := eventstore.New(h.backend)
		second := h.listenTo(other, "k", eventstore.All(), fn)
		h.append(events(10)...)
		h.ok(other.Wait(h.ctx, "k", 20))
		equal(h, "standby", []bool{first.Stats().Standby, second.Stats().Standby}, []bool{false, true})
		waiting := make(chan error, 1)
		go func() { waiting <- other.Wait(h.ctx, "k", 30) }()
		h.stop(first)
		h.append(events(10)...)
		h.ok(await(h, "Wait across the take-over", waiting))
		equal(h, "standby", second.Stats().Standby, false)
		equal(h, "handled", append(first.seen(), second.seen()...), h.all(eventstore.All()))
		h.ok(other.Close(h.ctx))
	}},
	// Rebuilding one projection erases another.
	{"ARebuildTouchesNobodyElse", func(h *harness) {
		h.keeps()
		old := h.listenTo(h.store, "old", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error {
			if r.Position == 4 {
				return errBoom
			}
			h.check(r.Position < 11, "the old one still works")
			return nil
		}, eventstore.Attempts(1))
		h.append(events(10)...)
		h.ok(h.store.Wait(h.ctx, "old", 10))
		h.stop(old)
		before := must(h.store.Checkpoints(h.ctx, "old"))
		letters := h.letters("old")
		h.append(events(5)...)
		effects := []eventstore.Position{}
		fresh := h.listenTo(h.store, "new", eventstore.All(), func(ctx context.Context, r eventstore.Recorded) error {
			if !eventstore.Rebuilding(ctx) {
				effects = append(effects, r.Position)
			}
			if r.Position == 5 {
				return errBoom
			}
			return nil
		}, eventstore.RebuildOf("old"), eventstore.Attempts(1))
		h.ok(h.store.Wait(h.ctx, "new", 15))
		h.ok(h.store.Redeliver(h.ctx, "new"))
		h.until("the redelivery", func() bool { d := h.letters("new"); return d[0].Attempts == 2 })
		h.stop(fresh)
		equal(h, "handled", len(fresh.seen()), 14)
		equal(h, "with side effects", effects, []eventstore.Position{11, 12, 13, 14, 15})
		equal(h, "checkpoint", must(h.store.Checkpoints(h.ctx, "old")), before)
		equal(h, "dead letters", h.letters("old"), letters)
		h.ok(h.store.DeleteCheckpoint(h.ctx, "old"))
		equal(h, "left", keysOf(must(h.store.Checkpoints(h.ctx))), "new@15")
		equal(h, "left", len(h.letters("new")), 1)
	}},
	{"AProjectionGoesWithItsCheckpoint", func(h *harness) {
		h.keeps()
		h.append(events(20)...)
		calls := 0
		l, err := h.store.Listen("k", eventstore.All(), nil, soon, eventstore.Attempts(3),
			eventstore.InTransaction(func(_ context.Context, tx any, r eventstore.Recorded) error {
				h.check(tx != nil, "no transaction")
				if calls++; r.Position == 7 {
					panic("boom")
				}
				return nil
			}))
		if errors.Is(err, eventstore.ErrUnsupported) {
			equal(h, "keys", must(h.store.Checkpoints(h.ctx)), nil)
			return
		}
		h.ok(err)
		h.ok(h.store.Wait(h.ctx, "k", 20))
		equal(h, "checkpoint", keysOf(must(h.store.Checkpoints(h.ctx))), "k@20")
		equal(h, "dead letters", len(h.letters("k")), 1)
		equal(h, "calls", calls, 6+1+6+2+13) // all at once; those before it; it alone; the others
		equal(h, "attempts", h.letters("k")[0].Attempts, 3)
		h.ok(l.Stop(h.ctx))
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

package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"example.com/signals"
	"example.com/signals/eventstore"
)

// takeoverCases are how durable listeners are waited for, end, take over from
// each other, and are rebuilt.
var takeoverCases = []testCase{
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

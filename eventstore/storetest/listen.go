package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/signals"
	"example.com/signals/eventstore"
)

// listenCases are what durable listeners promise, over every backend that has
// checkpoints.
var listenCases = []testCase{
	{"GetsWhatIsThereAndWhatComes", func(h *harness) {
		h.keeps()
		q := eventstore.Match(eventstore.Item{Tags: []string{"odd"}}, eventstore.Item{Stream: "s3"})
		h.fill(300)
		l := h.listen(h.store, "k", q)
		for _, e := range events(100) {
			h.append(e)
		}
		all := h.all(eventstore.All())
		h.ok(h.store.Wait(h.ctx, "k", h.head()))
		equal(h, "events", l.seen(), matching(all, q))
		stats := l.Stats()
		equal(h, "position, lag", []any{stats.Position, stats.Lag, stats.Standby}, []any{h.head(), uint64(0), false})
		equal(h, "deliveries, failures", []uint64{stats.Deliveries, stats.Failures}, []uint64{uint64(len(matching(all, q))), 0})
		h.stop(l)
		equal(h, "checkpoint", keysOf(must(h.store.Checkpoints(h.ctx))), fmt.Sprintf("k@%d", h.head()))
		h.ok(l.Err())
	}},
	{"ANewKeyBeginsWhereItIsTold", func(h *harness) {
		h.keeps()
		h.append(events(10)...)
		start := h.listen(h.store, "start", eventstore.All())
		three := h.listen(h.store, "three", eventstore.All(), eventstore.FromPosition(3))
		head := h.listen(h.store, "head", eventstore.All(), eventstore.FromHead())
		h.append(events(2)...)
		for l, want := range map[*listener]eventstore.Position{start: 1, three: 4, head: 11} {
			h.ok(h.store.Wait(h.ctx, l.Key(), 12))
			equal(h, "first of "+l.Key(), l.seen()[0].Position, want)
			equal(h, "number of "+l.Key(), len(l.seen()), int(13-want))
		}
		_, err := h.store.Listen("beyond", eventstore.All(), nothing, eventstore.FromPosition(13))
		h.check(err != nil && strings.Contains(err.Error(), "13") && strings.Contains(err.Error(), "12"), "error %v", err)
		h.stop(start)
		again := h.listen(h.store, "start", eventstore.All(), eventstore.FromPosition(99)) // it has been somewhere
		h.append(events(1)...)
		h.ok(h.store.Wait(h.ctx, "start", 13))
		equal(h, "goes on", positions(again.seen()), []eventstore.Position{13})
	}},
	{"AKeyGoesOnWhereItWas", func(h *harness) {
		h.keeps()
		h.fill(100)
		l := h.listen(h.store, "k", eventstore.All())
		h.ok(h.store.Wait(h.ctx, "k", 50))
		h.stop(l)
		h.fill(100)
		other := eventstore.New(h.backend)
		again := h.listen(other, "k", eventstore.All())
		h.ok(other.Wait(h.ctx, "k", 200))
		equal(h, "events", append(l.seen(), again.seen()...), h.all(eventstore.All()))
		h.ok(other.Close(h.ctx))
	}},
	// Known from other stores: a checkpoint that is taken during catch-up
	// skips events.
	{"StoppedAndStartedWhileItCatchesUpAndOthersAppend", func(h *harness) {
		h.keeps()
		h.fill(1000)
		q := eventstore.Match(eventstore.Item{Types: []string{"A"}}, eventstore.Item{Tags: []string{"t1"}})
		var appending sync.WaitGroup
		for range 2 {
			appending.Go(func() {
				for range 20 {
					h.append(events(13)...)
				}
			})
		}
		var seen []eventstore.Recorded
		for i := range 30 {
			l := h.listen(h.store, "k", q)
			_ = h.store.Wait(h.ctx, "k", eventstore.Position(40*i))
			h.stop(l)
			seen = append(seen, l.seen()...)
		}
		appending.Wait()
		l := h.listen(h.store, "k", q)
		h.ok(h.store.Wait(h.ctx, "k", h.head()))
		equal(h, "events", append(seen, l.seen()...), matching(h.all(eventstore.All()), q))
	}},
	// A live buffer that overflows loses the switch.
	{"WhatComesDuringALongCallIsNotLost", func(h *harness) {
		h.keeps()
		begun, release := make(chan struct{}), make(chan struct{})
		l := h.listenTo(h.store, "k", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error {
			if r.Position == 3 {
				close(begun)
				<-release
			}
			return nil
		})
		h.append(events(3)...)
		await(h, "the long call", begun)
		h.fill(2500)
		h.append(eventstore.Event{Type: "big", Data: make([]byte, 2<<20)})
		h.append(events(3)...)
		close(release)
		h.ok(h.store.Wait(h.ctx, "k", h.head()))
		equal(h, "positions", positions(l.seen()), positions(h.all(eventstore.All())))
	}},
	// A late commit at an earlier position is skipped.
	{"ManyAppendAndNoPositionIsSkipped", func(h *harness) {
		h.keeps()
		l := h.listen(h.store, "k", eventstore.All())
		var appending sync.WaitGroup
		for range 6 {
			appending.Go(func() {
				for _, e := range events(40) {
					h.append(e, event("more", ""))
				}
			})
		}
		appending.Wait()
		h.ok(h.store.Wait(h.ctx, "k", 480))
		for i, r := range l.seen() {
			equal(h, "position", r.Position, eventstore.Position(i+1))
		}
		equal(h, "number", len(l.seen()), 480)
	}},
	// Saved, but never published.
	{"WhatNobodyWasToldOfIsDelivered", func(h *harness) {
		h.keeps()
		told := 0
		h.store.Persisted().Subscribe(func(context.Context, eventstore.Recorded) error { told++; return nil })
		// The process ends between the commit and the emission of Persisted.
		must(h.backend.Append(h.ctx, must(eventstore.NewBatch(events(2)))))
		l := h.listen(h.store, "k", eventstore.All())
		h.ok(h.store.Wait(h.ctx, "k", 2))
		equal(h, "told, delivered", []int{told, len(l.seen())}, []int{0, 2})
	}},
	{"TheListenerMayAppendAndRead", func(h *harness) {
		h.keeps()
		l := h.listenTo(h.store, "k", eventstore.All(), func(ctx context.Context, r eventstore.Recorded) error {
			got, err := collect(h.store.Read(ctx, eventstore.All(), eventstore.After(r.Position-1), eventstore.Limit(1)))
			equal(h, "read", got, []eventstore.Recorded{r})
			if err == nil && r.Position < 100 {
				_, err = h.store.Append(ctx, one("next", ""))
			}
			return err
		})
		h.append(event("first", ""))
		h.ok(h.store.Wait(h.ctx, "k", 100))
		equal(h, "number", len(l.seen()), 100)
	}},
	{"WhatAListenerChangesIsItsOwn", func(h *harness) {
		h.keeps()
		tries := 0
		h.listenTo(h.store, "k", eventstore.All(), func(_ context.Context, r eventstore.Recorded) error {
			h.check(r.Tags[0] == "t" && r.Data[0] == '{', "%+v", r)
			r.Tags[0], r.Data[0] = "x", 'x'
			if tries++; tries%2 == 1 {
				return errors.New("again")
			}
			return nil
		}, eventstore.Backoff(time.Millisecond, time.Millisecond))
		other := h.listen(h.store, "other", eventstore.All())
		stored := h.append(event("a", "", "t"), event("b", "", "t"))
		h.ok(h.store.Wait(h.ctx, "k", 2))
		h.ok(h.store.Wait(h.ctx, "other", 2))
		equal(h, "other", other.seen(), stored)
	}},
	{"MisuseIsAnError", func(h *harness) {
		h.keeps()
		l := h.listen(h.store, "k", eventstore.All())
		_, err := h.store.Listen("k", eventstore.All(), nothing)
		h.is(err, signals.ErrKeyTaken)
		h.stop(l)
		for _, listen := range []func() (*eventstore.Listener, error){
			func() (*eventstore.Listener, error) { return h.store.Listen("", eventstore.All(), nothing) },
			func() (*eventstore.Listener, error) { return h.store.Listen("a\x00", eventstore.All(), nothing) },
			func() (*eventstore.Listener, error) { return h.store.Listen("a", eventstore.Query{}, nothing) },
			func() (*eventstore.Listener, error) { return h.store.Listen("a", eventstore.All(), nil) },
			func() (*eventstore.Listener, error) {
				return h.store.Listen("a", eventstore.All(), nothing, eventstore.Attempts(0))
			},
			func() (*eventstore.Listener, error) {
				return h.store.Listen("a", eventstore.All(), nothing, eventstore.Backoff(2, 1))
			},
			func() (*eventstore.Listener, error) {
				return h.store.Listen("a", eventstore.All(), nothing, eventstore.RebuildOf("nobody"))
			},
			func() (*eventstore.Listener, error) { return h.store.Listen("a", eventstore.All(), nothing, nil) },
		} {
			_, err := listen()
			h.check(err != nil && strings.HasPrefix(err.Error(), "eventstore: listen "), "error %v", err)
		}
		equal(h, "keys", keysOf(must(h.store.Checkpoints(h.ctx))), "k@0")
		for _, err := range []error{
			h.store.Redeliver(h.ctx, "nobody"), h.store.Discard(h.ctx, "nobody"), h.store.DeleteCheckpoint(h.ctx, "nobody"),
			h.store.Wait(h.ctx, "nobody", 0), h.store.Redeliver(h.ctx, "k", 1),
		} {
			h.check(err != nil && strings.HasPrefix(err.Error(), "eventstore: "), "error %v", err)
		}
		h.ok(h.store.DeleteCheckpoint(h.ctx, "k"))
		h.ok(h.store.Close(h.ctx))
		_, err = h.store.Listen("k", eventstore.All(), nothing)
		h.is(err, eventstore.ErrClosed)
	}},
	// Goroutines left by open and close.
	{"NothingIsLeftByOpeningAndClosing", func(h *harness) {
		h.keeps()
		h.append(events(3)...)
		count := func() int {
			buf := make([]byte, 1<<20)
			return strings.Count(string(buf[:runtime.Stack(buf, true)]), "eventstore.(*Listener)") +
				strings.Count(string(buf[:runtime.Stack(buf, true)]), "eventstore.(*runner)")
		}
		before := count()
		for range 20 {
			store := eventstore.New(h.backend)
			for i := range 5 {
				must(store.Listen(fmt.Sprint("k", i), eventstore.All(), nothing))
			}
			h.ok(store.Wait(h.ctx, "k0", 3))
			h.ok(store.Close(h.ctx))
		}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for count() > before {
			select {
			case <-tick.C:
			case <-h.ctx.Done():
				h.Fatalf("%d goroutines are left; there were %d", count(), before)
			}
		}
	}},
}

func nothing(context.Context, eventstore.Recorded) error { return nil }

// keeps skips the test if the backend has no checkpoints.
func (h *harness) keeps() {
	h.Helper()
	able[eventstore.Checkpoints](h)
}

// listener is a durable listener that keeps what it has handled.
type listener struct {
	*eventstore.Listener
	mu  sync.Mutex
	got []eventstore.Recorded // handled without a failure; under mu
}

func (l *listener) seen() []eventstore.Recorded {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

func (h *harness) listen(store *eventstore.Store, key string, q eventstore.Query, opts ...eventstore.ListenOption) *listener {
	h.Helper()
	return h.listenTo(store, key, q, nothing, opts...)
}

func (h *harness) listenTo(store *eventstore.Store, key string, q eventstore.Query, fn func(context.Context, eventstore.Recorded) error, opts ...eventstore.ListenOption) *listener {
	h.Helper()
	l := &listener{}
	var err error
	l.Listener, err = store.Listen(key, q, func(ctx context.Context, r eventstore.Recorded) error {
		keep := r.Clone()
		err := fn(ctx, r)
		if err == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.got = append(l.got, keep)
		}
		return err
	}, opts...)
	h.ok(err)
	return l
}

func (h *harness) stop(l *listener) {
	h.Helper()
	h.ok(l.Stop(h.ctx))
	await(h, "end of a listener", l.Done())
}

package eventstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"example.com/signals/eventstore"
)

// hints is a backend whose notices are the test's to send.
type hints struct {
	eventstore.Backend
	mu       sync.Mutex
	fn       func(eventstore.Notice)
	watching int
	pages    atomic.Int64 // number of calls of Page
	looked   func()       // if set, called when a page has been read
}

func (h *hints) Watch(fn func(eventstore.Notice)) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fn = fn
	h.watching++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.watching--
	}
}

func (h *hints) send(n eventstore.Notice) {
	h.mu.Lock()
	fn := h.fn
	h.mu.Unlock()
	fn(n)
}

func (h *hints) Page(ctx context.Context, r eventstore.PageRequest) (eventstore.Page, error) {
	h.pages.Add(1)
	page, err := h.Backend.Page(ctx, r)
	if h.looked != nil {
		h.looked()
	}
	return page, err
}

// commit appends past the store, without a notice.
func (h *hints) commit(t *testing.T, kinds ...string) []eventstore.Recorded {
	t.Helper()
	events := make([]eventstore.Event, len(kinds))
	for i, kind := range kinds {
		events[i] = eventstore.Event{Type: kind, Data: make([]byte, 10)}
	}
	b, err := eventstore.NewBatch(events)
	if err != nil {
		t.Fatal(err)
	}
	done, err := h.Append(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return done.Events
}

// followed collects the positions that a follower is given.
type followed struct {
	mu  sync.Mutex
	got []eventstore.Position
}

func (f *followed) run(ctx context.Context, store *eventstore.Store, q eventstore.Query) {
	for r, err := range store.Follow(ctx, q, 0) {
		f.mu.Lock()
		if err == nil {
			f.got = append(f.got, r.Position)
		} else {
			f.got = append(f.got, 0)
		}
		f.mu.Unlock()
	}
}

func (f *followed) is(t *testing.T, want ...eventstore.Position) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if fmt.Sprint(f.got) != fmt.Sprint(want) {
		t.Fatalf("followed %v; want %v", f.got, want)
	}
}

func TestFollowersUnderstandNoticesThatAreLateDoubleOrEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		backend := &hints{Backend: eventstore.Memory()}
		store := eventstore.New(backend)
		var f followed
		go f.run(ctx, store, eventstore.All())
		synctest.Wait()

		one := backend.commit(t, "a", "b")
		two := backend.commit(t, "c")
		backend.send(eventstore.Notice{Events: two}) // before the other
		synctest.Wait()
		f.is(t, 1, 2, 3)
		backend.send(eventstore.Notice{Events: one}) // late
		backend.send(eventstore.Notice{Events: two}) // again
		backend.send(eventstore.Notice{})            // for nothing
		backend.send(eventstore.Notice{Key: "k"})    // of no concern
		synctest.Wait()
		f.is(t, 1, 2, 3)

		backend.commit(t, "d") // of another process, say
		backend.send(eventstore.Notice{})
		synctest.Wait()
		f.is(t, 1, 2, 3, 4)

		three := backend.commit(t, "e", "f")
		four := backend.commit(t, "g")
		backend.send(eventstore.Notice{Events: append(three, four...)}) // together
		synctest.Wait()
		f.is(t, 1, 2, 3, 4, 5, 6, 7)

		pages := backend.pages.Load()
		for range 50 {
			backend.send(eventstore.Notice{Events: backend.commit(t, "h")})
			synctest.Wait()
		}
		if n := backend.pages.Load(); n != pages {
			t.Errorf("a follower that had caught up read %d pages", n-pages)
		}
		cancel()
		synctest.Wait()
		if len(f.got) != 57 || backend.watching != 0 {
			t.Errorf("%d events, %d watches", len(f.got), backend.watching)
		}
	})
}

func TestWhatDoesNotMatchWakesNobodyAndIsNotReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		backend := &hints{Backend: eventstore.Memory()}
		store := eventstore.New(backend)
		var f followed
		go f.run(ctx, store, eventstore.Match(eventstore.Item{Types: []string{"mine"}}))
		synctest.Wait()
		pages := backend.pages.Load()
		for range 3000 { // more than the ring holds
			backend.send(eventstore.Notice{Events: backend.commit(t, "other")})
		}
		backend.send(eventstore.Notice{Events: backend.commit(t, "mine")})
		synctest.Wait()
		f.is(t, 3001)
		if n := backend.pages.Load(); n != pages {
			t.Errorf("%d pages were read", n-pages)
		}
	})
}

func TestFollowersThatFallBehindReadPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &hints{Backend: eventstore.Memory()}
		store := eventstore.New(backend)
		backend.commit(t, "a")
		n := eventstore.Position(0)
		for r, err := range store.Follow(t.Context(), eventstore.All(), 0) {
			if n++; err != nil || r.Position != n {
				t.Fatalf("event %d: position %d, %v", n, r.Position, err)
			}
			if n == 1 {
				for range 5000 { // while this one is busy
					backend.send(eventstore.Notice{Events: backend.commit(t, "a")})
				}
			}
			if n == 5001 {
				break
			}
		}
	})
}

func TestAnOldWatchsNoticesAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &hints{Backend: eventstore.Memory()}
		store := eventstore.New(backend)
		first := backend.commit(t, "a")
		for _, err := range store.Follow(t.Context(), eventstore.All(), 0) {
			if err != nil {
				t.Error(err)
			}
			break
		}
		old := backend.fn
		backend.commit(t, "b")
		ctx, cancel := context.WithCancel(t.Context())
		var f followed
		go f.run(ctx, store, eventstore.All())
		old(eventstore.Notice{Events: first})
		synctest.Wait()
		f.is(t, 1, 2)
		backend.send(eventstore.Notice{Events: backend.commit(t, "c")})
		synctest.Wait()
		f.is(t, 1, 2, 3)
		cancel()
	})
}

func TestACommitBetweenTheLookAndTheWaitIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		backend := &hints{Backend: eventstore.Memory()}
		backend.looked = func() {
			backend.looked = nil
			backend.send(eventstore.Notice{Events: backend.commit(t, "a")})
		}
		var f followed
		go f.run(ctx, eventstore.New(backend), eventstore.All())
		synctest.Wait()
		f.is(t, 1)
		cancel()
	})
}

// Notices in any order, joined, doubled or without events, while followers
// come and go: each sees every event once, in order.
func TestFollowersMissNothingWhateverTheNotices(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			ctx, cancel := context.WithCancel(t.Context())
			backend := &hints{Backend: eventstore.Memory()}
			store := eventstore.New(backend)
			var all, few followed
			go all.run(ctx, store, eventstore.All())
			go few.run(ctx, store, eventstore.Match(eventstore.Item{Types: []string{"k0"}}))
			synctest.Wait()
			var wantAll, wantFew []eventstore.Position
			var late []eventstore.Notice
			for range 200 {
				kind := fmt.Sprintf("k%d", random.IntN(4))
				events := backend.commit(t, kind)
				wantAll = append(wantAll, events[0].Position)
				if kind == "k0" {
					wantFew = append(wantFew, events[0].Position)
				}
				n := eventstore.Notice{Events: events}
				if random.IntN(6) == 0 {
					n.Events = nil
				}
				late = append(late, n)
				random.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
				for len(late) > 0 && random.IntN(3) > 0 {
					backend.send(late[0])
					if random.IntN(5) > 0 {
						late = late[1:]
					}
					if random.IntN(2) == 0 {
						synctest.Wait()
					}
				}
			}
			for _, n := range late {
				backend.send(n)
			}
			synctest.Wait()
			all.is(t, wantAll...)
			few.is(t, wantFew...)
			cancel()
		})
	}
}

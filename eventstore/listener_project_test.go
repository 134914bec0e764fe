package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals/eventstore"
)

// ledger is a backend whose transactions hold one table of the user's: how
// often each position was applied.
type ledger struct {
	*faulty
	mu       sync.Mutex // held during a transaction
	applied  map[eventstore.Position]int
	onCommit func(tx *ledgerTx) (before, after error) // if set: it does not commit; it commits and says this
}

type ledgerTx struct{ applied []eventstore.Position }

func newLedger() *ledger {
	return &ledger{faulty: newFaulty(), applied: map[eventstore.Position]int{}}
}

func (b *ledger) Advance(ctx context.Context, m eventstore.Move, apply func(context.Context, any) error) error {
	if apply == nil {
		return b.faulty.Advance(ctx, m, nil)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at, err := b.Keys(ctx, m.Key)
	if err != nil {
		return err
	}
	if len(at) == 0 || at[0].Position != m.From {
		return eventstore.ErrMoved
	}
	tx := &ledgerTx{}
	if err := apply(ctx, tx); err != nil {
		return fmt.Errorf("ledger: rolled back: %w", err)
	}
	var before, after error
	if b.onCommit != nil {
		before, after = b.onCommit(tx)
	}
	if before != nil {
		return before
	}
	if err := b.faulty.Advance(ctx, m, nil); err != nil {
		return err
	}
	for _, p := range tx.applied {
		b.applied[p]++
	}
	return after
}

// project makes a projection that counts, after what fail says.
func project(t *testing.T, store *eventstore.Store, fail func(eventstore.Recorded) error, opts ...eventstore.ListenOption) *eventstore.Listener {
	t.Helper()
	l, err := store.Listen("k", eventstore.All(), nil, append(opts, eventstore.InTransaction(func(_ context.Context, tx any, r eventstore.Recorded) error {
		tx.(*ledgerTx).applied = append(tx.(*ledgerTx).applied, r.Position)
		return fail(r)
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func deadOf(t *testing.T, store *eventstore.Store) (out []eventstore.Position) {
	t.Helper()
	for d, err := range store.DeadLetters(t.Context(), "k") {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d.Position)
	}
	return out
}

// Whatever fails, each event is in the read model once, or is a dead letter and
// is not.
func TestAProjectionAppliesExactlyOnce(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3)) // under the ledger's lock, but for the test's own
			const n = 400
			backend := newLedger()
			backend.onCommit = func(*ledgerTx) (before, after error) {
				switch random.IntN(10) {
				case 0:
					return errors.New("connection lost before"), nil
				case 1:
					return nil, fmt.Errorf("lost: %w", eventstore.ErrOutcomeUnknown)
				}
				return nil, nil
			}
			store := eventstore.New(backend, quiet)
			defer mustClose(t, store)
			l := project(t, store, func(r eventstore.Recorded) error {
				switch {
				case r.Position%50 == 0:
					return errBoom
				case random.IntN(100) == 0:
					panic("now and then")
				case random.IntN(100) == 0:
					runtime.Goexit()
				}
				return nil
			}, eventstore.Attempts(6))
			for i := 0; i < n; i += 40 {
				mustAppend(t, store, slices.Repeat([]string{"a"}, 40)...)
				pass(time.Second)
			}
			pass(time.Hour)
			if s := l.Stats(); s.Position != n {
				t.Fatalf("%+v", s)
			}
			dead := deadOf(t, store)
			backend.mu.Lock()
			defer backend.mu.Unlock()
			for p := eventstore.Position(1); p <= n; p++ {
				want := 1
				if slices.Contains(dead, p) {
					want = 0
				}
				if backend.applied[p] != want || p%50 == 0 && want == 1 {
					t.Errorf("position %d was applied %d times; dead letters %v", p, backend.applied[p], dead)
				}
			}
		})
	}
}

// An event that can be applied but not committed is that event's failure, not
// the database's.
func TestAnEventThatCannotBeCommittedIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := newLedger()
		backend.onCommit = func(tx *ledgerTx) (before, after error) {
			if slices.Contains(tx.applied, 5) {
				return errors.New("a deferred constraint"), nil
			}
			return nil, nil
		}
		store := eventstore.New(backend, quiet)
		defer mustClose(t, store)
		mustAppend(t, store, slices.Repeat([]string{"a"}, 9)...)
		l := project(t, store, func(eventstore.Recorded) error { return nil }, eventstore.Attempts(2))
		if err := store.Wait(t.Context(), "k", 9); err != nil {
			t.Fatal(err)
		}
		if dead := deadOf(t, store); len(dead) != 1 || dead[0] != 5 || len(backend.applied) != 8 {
			t.Fatalf("dead letters %v, applied %v", dead, backend.applied)
		}
		backend.onCommit = nil
		if err := store.Redeliver(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if dead := deadOf(t, store); len(dead) > 0 || backend.applied[5] != 1 || l.Stats().Dead != 0 {
			t.Errorf("dead letters %v, applied %v, %+v", dead, backend.applied, l.Stats())
		}
	})
}

// While the database does not answer, no event is given up.
func TestAnOutageMakesNoDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := newLedger()
		down := errors.New("no connection")
		backend.onCommit = func(*ledgerTx) (before, after error) { return down, nil }
		backend.onAdvance = func(eventstore.Move) error { return down }
		store := eventstore.New(backend, quiet)
		defer mustClose(t, store)
		mustAppend(t, store, "a", "b", "c")
		l := project(t, store, func(eventstore.Recorded) error { return nil }, eventstore.Attempts(1))
		pass(time.Hour)
		if s := l.Stats(); s.Position != 0 || s.Err == nil {
			t.Errorf("%+v", s)
		}
		backend.mu.Lock()
		backend.onCommit, backend.onAdvance = nil, nil
		backend.mu.Unlock()
		pass(time.Minute)
		if want := map[eventstore.Position]int{1: 1, 2: 1, 3: 1}; !maps.Equal(backend.applied, want) || deadOf(t, store) != nil {
			t.Errorf("applied %v, dead letters %v", backend.applied, deadOf(t, store))
		}
	})
}

func TestAProjectionOfALongHistorySharesTransactions(t *testing.T) {
	backend := newLedger()
	store := eventstore.New(backend, quiet)
	defer mustClose(t, store)
	mustAppend(t, store, slices.Repeat([]string{"a"}, 2000)...)
	l := project(t, store, func(eventstore.Recorded) error { return nil })
	if err := store.Wait(t.Context(), "k", 2000); err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := backend.advances.Load(); n > 40 || len(backend.applied) != 2000 {
		t.Errorf("%d transactions for %d events", n, len(backend.applied))
	}
}

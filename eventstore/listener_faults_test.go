package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/signals/eventstore"
)

// Whatever fails when the checkpoint is written, no event is left out.
func TestFaultsOfTheBackendLoseNothing(t *testing.T) {
	for _, fault := range []error{eventstore.ErrMoved, eventstore.ErrOutcomeUnknown, errors.New("connection lost")} {
		synctest.Test(t, func(t *testing.T) {
			backend := newFaulty()
			store := eventstore.New(backend, quiet)
			defer mustClose(t, store)
			n := 0
			backend.onAdvance = func(eventstore.Move) error {
				if n++; n%3 > 0 {
					return fmt.Errorf("faulty: %w", fault)
				}
				return nil
			}
			var got []eventstore.Position
			listen(t, store, "k", func(_ context.Context, r eventstore.Recorded) error {
				got = append(got, r.Position)
				return nil
			})
			for range 20 {
				mustAppend(t, store, "a")
				pass(time.Second)
			}
			pass(time.Minute)
			for i, p := range got {
				if i > 0 && p > got[i-1]+1 || i == 0 && p != 1 {
					t.Fatalf("%v: %d comes after %v", fault, p, got[:i])
				}
			}
			if c, err := store.Checkpoints(t.Context()); err != nil || c[0].Position != 20 || got[len(got)-1] != 20 {
				t.Errorf("%v: checkpoints %v, %v; the last is %d", fault, c, err, got[len(got)-1])
			}
		})
	}
}

func TestAListenerOverABrokenBackendEnds(t *testing.T) {
	backend := newFaulty()
	store := eventstore.New(backend, quiet)
	defer mustClose(t, store)
	backend.onAdvance = func(eventstore.Move) error { return fmt.Errorf("faulty: %w", eventstore.ErrBroken) }
	l := listen(t, store, "k", func(context.Context, eventstore.Recorded) error { return nil })
	mustAppend(t, store, "a")
	<-l.Done()
	if err := l.Err(); !errors.Is(err, eventstore.ErrBroken) || !strings.Contains(err.Error(), `listener "k"`) {
		t.Errorf("error %v", err)
	}
}

// losing is a lease that the test can lose.
type losing struct {
	eventstore.Lease
	lost chan struct{}
}

func (l losing) Lost() <-chan struct{} { return l.lost }

func TestALostLeaseEndsTheCallAndAnotherTermBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := newFaulty()
		store := eventstore.New(backend, quiet)
		defer mustClose(t, store)
		leases := 0
		lost := make(chan struct{})
		backend.onLease = func(l eventstore.Lease) eventstore.Lease {
			if leases++; leases == 1 {
				return losing{l, lost}
			}
			return l
		}
		calls := 0
		l := listen(t, store, "k", func(ctx context.Context, _ eventstore.Recorded) error {
			if calls++; calls == 1 {
				close(lost)
				<-ctx.Done()
				return ctx.Err()
			}
			return ctx.Err()
		}, eventstore.Attempts(1))
		mustAppend(t, store, "a")
		if err := store.Wait(t.Context(), "k", 1); err != nil {
			t.Fatal(err)
		}
		if s := l.Stats(); calls != 2 || leases != 2 || s.Dead != 0 || s.Deliveries != 1 || s.Standby {
			t.Errorf("%d calls, %d leases, %+v", calls, leases, s)
		}
	})
}

func TestACheckpointBeyondTheHeadIsNoticed(t *testing.T) {
	backend := eventstore.Memory()
	if _, err := backend.(eventstore.Checkpoints).OpenKey(t.Context(), "k", 7); err != nil {
		t.Fatal(err)
	}
	store := eventstore.New(backend, quiet)
	defer mustClose(t, store)
	l := listen(t, store, "k", func(context.Context, eventstore.Recorded) error { return nil })
	<-l.Done()
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("error %v", err)
	}
	// Also by who waits afterwards, and when the head has passed that position.
	if err := store.Wait(t.Context(), "k", 1); err == nil || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("Wait returned %v", err)
	}
	for range 8 {
		mustAppend(t, store, "a")
	}
	again := listen(t, store, "k", func(context.Context, eventstore.Recorded) error {
		t.Error("it goes on in another history")
		return nil
	})
	<-again.Done()
	if err := again.Err(); err == nil || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("error %v, with the head behind the checkpoint", err)
	}
	if err := store.DeleteCheckpoint(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	anew := listen(t, store, "k", func(context.Context, eventstore.Recorded) error { return nil })
	if err := store.Wait(t.Context(), "k", 8); err != nil {
		t.Errorf("%v, %v", err, anew.Err())
	}
}

func TestAListenerWhoseCheckpointIsDeletedEnds(t *testing.T) {
	backend := eventstore.Memory()
	store := eventstore.New(backend, quiet)
	defer mustClose(t, store)
	l := listen(t, store, "k", func(context.Context, eventstore.Recorded) error { return nil })
	if err := store.Wait(t.Context(), "k", 0); err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteCheckpoint(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("error %v", err)
	}
	if err := backend.(eventstore.Checkpoints).DeleteKey(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, store, "a")
	<-l.Done()
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("error %v", err)
	}
}

func TestABackendWithoutCheckpointsIsRefused(t *testing.T) {
	store := eventstore.New(struct{ eventstore.Backend }{eventstore.Memory()})
	_, listening := store.Listen("k", eventstore.All(), func(context.Context, eventstore.Recorded) error { return nil })
	_, checkpoints := store.Checkpoints(t.Context())
	for _, err := range []error{
		listening, checkpoints, store.Wait(t.Context(), "k", 1), store.Redeliver(t.Context(), "k"), store.Discard(t.Context(), "k"), store.DeleteCheckpoint(t.Context(), "k"),
	} {
		if !errors.Is(err, eventstore.ErrUnsupported) || !strings.HasPrefix(err.Error(), "eventstore: ") {
			t.Errorf("error %v", err)
		}
	}
	memory := eventstore.New(eventstore.Memory())
	_, err := memory.Listen("k", eventstore.All(), nil, eventstore.InTransaction(func(context.Context, any, eventstore.Recorded) error { return nil }))
	if !errors.Is(err, eventstore.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

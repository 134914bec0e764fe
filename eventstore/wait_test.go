package eventstore

import (
	"context"
	"testing"
)

// Who waits for a listener that stands by, while another process works, is
// remembered no longer than it waits.
func TestAWaitThatIsOverIsForgotten(t *testing.T) {
	backend := Memory()
	store := New(backend)
	lease, err := backend.(Leaser).Lease(t.Context(), "k") // of the other process
	if err != nil {
		t.Fatal(err)
	}
	l, err := store.Listen("k", All(), func(context.Context, Recorded) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := store.Append(t.Context(), []Event{{Type: "a"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := backend.(Checkpoints).Advance(t.Context(), Move{Key: "k", To: 3}, nil); err != nil {
		t.Fatal(err)
	}
	for p := range Position(4) {
		if err := store.Wait(t.Context(), "k", p); err != nil {
			t.Error(err)
		}
	}
	l.mu.Lock()
	left := len(l.waits)
	l.mu.Unlock()
	if left > 0 {
		t.Errorf("%d of those who waited are still remembered", left)
	}
	lease.Release()
	if err := store.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

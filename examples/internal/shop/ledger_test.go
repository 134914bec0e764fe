package shop

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLedgerForgetsTheOldest(t *testing.T) {
	m := NewMemoryLedger(3)
	for i := range 5 {
		if err := m.Record(t.Context(), Order{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		_, err := m.Find(t.Context(), fmt.Sprint(i))
		if forgotten := i < 2; errors.Is(err, ErrUnknownOrder) != forgotten {
			t.Errorf("order %d of 5 in a ledger of 3: %v", i, err)
		}
	}
	if len(m.entries) != 3 {
		t.Errorf("%d entries are kept, want 3", len(m.entries))
	}
	if err := m.Record(t.Context(), Order{ID: "4"}); !errors.Is(err, ErrDuplicateOrder) {
		t.Errorf("a second order 4: %v", err)
	}
}

func TestOneClaimSucceeds(t *testing.T) {
	m := NewMemoryLedger(10)
	if err := m.Record(t.Context(), Order{ID: "1"}); err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			switch _, err := m.Claim(t.Context(), "1"); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrAlreadyCancelled):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 16 claims succeeded", won.Load())
	}
	if err := m.Reopen(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Claim(t.Context(), "1"); err != nil {
		t.Errorf("after Reopen: %v", err)
	}
}

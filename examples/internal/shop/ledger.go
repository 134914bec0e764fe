package shop

import (
	"context"
	"sync"
)

// Ledger keeps the orders. The shop comes with MemoryLedger; a durable one is
// another implementation.
type Ledger interface {
	// Record stores an accepted order, or returns ErrDuplicateOrder.
	Record(ctx context.Context, o Order) error
	// Find returns an order, or ErrUnknownOrder.
	Find(ctx context.Context, id string) (Entry, error)
	// Claim marks an order as cancelled and returns it. Of several who try,
	// one succeeds; the others get ErrAlreadyCancelled.
	Claim(ctx context.Context, id string) (Order, error)
	// Reopen is the undo of Claim.
	Reopen(ctx context.Context, id string) error
	// RecordCancellation stores a cancellation: of an order that was claimed, or
	// one from a file.
	RecordCancellation(ctx context.Context, c Cancellation) error
}

// Entry is an order in the ledger.
type Entry struct {
	Order     Order
	Cancelled bool
}

// MemoryLedger keeps the newest orders in memory and forgets the oldest, so
// that a shop can stay open for weeks.
type MemoryLedger struct {
	mu      sync.Mutex
	entries map[string]*Entry // by order ID; guarded by mu
	ring    []string          // IDs in order of arrival, reused as a ring; guarded by mu
	next    int               // where in ring the next ID goes; guarded by mu
}

// NewMemoryLedger keeps the newest keep orders, at least one.
func NewMemoryLedger(keep int) *MemoryLedger {
	return &MemoryLedger{entries: make(map[string]*Entry), ring: make([]string, max(keep, 1))}
}

// Record implements Ledger.
func (m *MemoryLedger) Record(_ context.Context, o Order) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[o.ID] != nil {
		return ErrDuplicateOrder
	}
	delete(m.entries, m.ring[m.next])
	m.ring[m.next] = o.ID
	m.next = (m.next + 1) % len(m.ring)
	m.entries[o.ID] = &Entry{Order: o}
	return nil
}

// Find implements Ledger.
func (m *MemoryLedger) Find(_ context.Context, id string) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		return Entry{}, ErrUnknownOrder
	}
	return *e, nil
}

// Claim implements Ledger.
func (m *MemoryLedger) Claim(_ context.Context, id string) (Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	switch {
	case e == nil:
		return Order{}, ErrUnknownOrder
	case e.Cancelled:
		return Order{}, ErrAlreadyCancelled
	}
	e.Cancelled = true
	return e.Order, nil
}

// Reopen implements Ledger.
func (m *MemoryLedger) Reopen(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		return ErrUnknownOrder
	}
	e.Cancelled = false
	return nil
}

// RecordCancellation implements Ledger. What was claimed is cancelled here.
func (m *MemoryLedger) RecordCancellation(context.Context, Cancellation) error { return nil }

// NoLedger stores nothing: a replay reads books that exist already, and must
// not grow with them.
type NoLedger struct{}

// Record implements Ledger.
func (NoLedger) Record(context.Context, Order) error { return nil }

// Find implements Ledger.
func (NoLedger) Find(context.Context, string) (Entry, error) { return Entry{}, ErrUnknownOrder }

// Claim implements Ledger.
func (NoLedger) Claim(context.Context, string) (Order, error) { return Order{}, ErrUnknownOrder }

// Reopen implements Ledger.
func (NoLedger) Reopen(context.Context, string) error { return ErrUnknownOrder }

// RecordCancellation implements Ledger.
func (NoLedger) RecordCancellation(context.Context, Cancellation) error { return nil }

package shop

import (
	"context"
	"slices"
	"sync"
)

// AuditEntry is one line of the journal.
type AuditEntry struct {
	What    string // such as order.accepted
	Subject string // an order, a stock code, a service
	Detail  string
}

// Auditor writes every order and cancellation into the journal, by emitting
// on the signal audit from inside a listener. That is fine on async signals:
// such an emission never waits, and closing the bus waits for it.
type Auditor struct {
	audit   func(context.Context, AuditEntry)
	handled *Latency

	mu        sync.Mutex
	orders    int64 // guarded by mu, as all below
	returns   int64
	lines     int
	unpriced  int
	invoices  set
	cancelled set
}

func newAuditor(audit func(context.Context, AuditEntry), handled *Latency) *Auditor {
	return &Auditor{audit: audit, handled: handled, invoices: set{}, cancelled: set{}}
}

// OnOrder listens to order.accepted.
func (d *Auditor) OnOrder(ctx context.Context, o Order) error {
	defer d.handled.Since(o.Accepted)
	d.mu.Lock()
	d.orders++
	d.addLocked(o.ID, o.Lines)
	d.mu.Unlock()
	d.audit(ctx, AuditEntry{What: "order.accepted", Subject: o.ID, Detail: o.Receipt})
	return nil
}

// OnCancellation listens to order.cancelled.
func (d *Auditor) OnCancellation(ctx context.Context, c Cancellation) error {
	defer d.handled.Since(c.Accepted)
	d.mu.Lock()
	d.returns++
	d.cancelled.add(c.ID)
	d.addLocked(c.ID, c.Lines)
	d.mu.Unlock()
	d.audit(ctx, AuditEntry{What: "order.cancelled", Subject: c.ID, Detail: c.Receipt})
	return nil
}

// addLocked must be called with mu held.
func (d *Auditor) addLocked(id string, lines []Line) {
	d.invoices.add(id)
	d.lines += len(lines)
	for _, l := range lines {
		if l.Price.Sign() <= 0 {
			d.unpriced++
		}
	}
}

// Journal listens to the signal audit and keeps the newest entries.
type Journal struct {
	mu      sync.Mutex
	counts  map[string]int64 // by What; guarded by mu
	entries []AuditEntry     // the newest last; guarded by mu
}

// journalKeeps is how many entries can be asked for.
const journalKeeps = 100

func newJournal() *Journal { return &Journal{counts: map[string]int64{}} }

// OnEntries listens to audit: it writes what has come since its last call at
// once, as one to a disk would.
func (j *Journal) OnEntries(_ context.Context, entries []AuditEntry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range entries {
		j.counts[e.What]++
	}
	j.entries = append(j.entries, entries...)
	j.entries = slices.Delete(j.entries, 0, max(0, len(j.entries)-journalKeeps))
	return nil
}

// Count is how many entries of a kind there were.
func (j *Journal) Count(what string) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts[what]
}

// Newest returns the entries that are still kept, oldest first.
func (j *Journal) Newest() []AuditEntry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]AuditEntry(nil), j.entries...)
}

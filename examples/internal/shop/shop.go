package shop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a shop is made of. Stock is needed; everything else has a
// default that keeps to this process.
type Config struct {
	Stock     *Stock
	Payment   Payment       // nil: the gateway, or a TestBank
	Gateway   string        // URL of a payment gateway
	Ledger    Ledger        // nil: a MemoryLedger of 100,000 orders
	Restock   int64         // if above 0, what the supplier delivers when a shelf is nearly empty
	SlowAfter time.Duration // when a listener counts as slow; 0: half a second
	Log       *slog.Logger  // nil: slog.Default()
	Notice    func(string)  // gets alerts and failures, from any goroutine; nil: Log
	patience  patience      // with the gateway; for tests
}

// Shop takes orders and tells its departments about them.
type Shop struct {
	Signals *Signals
	Stock   *Stock
	Books   *Books // the totals of the sync path
	Ledger  Ledger

	Inventory *Inventory
	Shipping  *Shipping
	Analytics *Analytics
	Auditor   *Auditor

	Services *ServiceRegistry
	Alerts   *Alerts
	Gauges   *Gauges
	Journal  *Journal

	Chain   *Latency // of the sync chains
	Handled *Latency // from the fan-out's Emit to the end of a department's work

	door     door
	numbers  string // before the number of every order; set before the first
	payment  Payment
	gateway  *gatewayClient // nil if payment is something else
	notify   func(string)
	accepted [3]atomic.Int64 // orders, by Source
	refused  atomic.Int64    // orders
	undone   atomic.Int64    // cancellations

	mu    sync.Mutex
	users set // customers seen; guarded by mu
}

// New opens a shop. Close it.
func New(cfg Config) *Shop {
	if cfg.Ledger == nil {
		cfg.Ledger = NewMemoryLedger(100_000)
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Notice == nil {
		cfg.Notice = func(text string) { cfg.Log.Warn(text) }
	}
	if cfg.SlowAfter == 0 {
		cfg.SlowAfter = 500 * time.Millisecond
	}
	s := &Shop{
		Signals: newSignals(cfg.Log, cfg.SlowAfter),
		Stock:   cfg.Stock,
		Books:   NewBooks(),
		Ledger:  cfg.Ledger,
		Chain:   NewLatency(),
		Handled: NewLatency(),
		payment: cfg.Payment,
		notify:  cfg.Notice,
		users:   set{},
	}
	switch {
	case cfg.Payment != nil:
	case cfg.Gateway != "":
		if cfg.patience == (patience{}) {
			cfg.patience = usualPatience
		}
		s.gateway = newGatewayClient(cfg.Gateway, cfg.patience, s.Signals.Dead, s.Signals.Circuits)
		s.payment = s.gateway
	default:
		s.payment = &TestBank{}
	}
	audit := s.Signals.Audit.Emit
	s.Inventory = newInventory(s.Stock, cfg.Restock, audit, s.Handled)
	s.Shipping = newShipping(s.Handled)
	s.Analytics = newAnalytics(s.Handled)
	s.Auditor = newAuditor(audit, s.Handled)
	s.Services = newServiceRegistry()
	s.Alerts = newAlerts(audit, s.notice)
	s.Gauges = newGauges()
	s.Journal = newJournal()
	s.wire()
	return s
}

// Place runs the chain and, if it succeeded, tells the departments. The order
// that it returns is complete. If it returns an error, nothing has happened:
// no stock is held and no money taken.
func (s *Shop) Place(ctx context.Context, o Order) (Order, error) {
	if err := s.door.enter(); err != nil {
		return o, err
	}
	defer s.door.leave()
	start := time.Now()
	err := s.Signals.Placed.TryEmit(ctx, &o)
	s.Chain.Since(start)
	if err != nil {
		s.refused.Add(1)
		return o, err
	}
	// The order is a promise now. The fan-out comes after the chain and never
	// from inside a step: a later step could still fail, and an async emission
	// cannot be taken back. Nor does it matter anymore whether the customer
	// still waits: a request that ends here must not lose the order for the
	// departments, hence WithoutCancel.
	s.tell(context.WithoutCancel(ctx), &o)
	return o, nil
}

// tell lets the departments know of an order.
func (s *Shop) tell(ctx context.Context, o *Order) {
	s.accepted[o.Source].Add(1)
	o.Accepted = time.Now()
	s.Signals.Accepted.Emit(ctx, *o)
	s.meet(ctx, o.Customer, o.Country)
}

// Cancel takes back an order that this shop has accepted.
func (s *Shop) Cancel(ctx context.Context, id string) (Cancellation, error) {
	return s.PlaceCancellation(ctx, Cancellation{ID: "C" + id, Order: id, Time: time.Now()})
}

// PlaceCancellation runs the chain for cancellations. One without an order,
// from a file, stands for itself.
func (s *Shop) PlaceCancellation(ctx context.Context, c Cancellation) (Cancellation, error) {
	if err := s.door.enter(); err != nil {
		return c, err
	}
	defer s.door.leave()
	// A refund cannot be taken back: once begun, a cancellation is finished,
	// also for a customer who hangs up.
	ctx = context.WithoutCancel(ctx)
	start := time.Now()
	err := s.Signals.Cancelling.TryEmit(ctx, &c)
	s.Chain.Since(start)
	if err != nil {
		return c, err
	}
	s.tellCancelled(ctx, &c)
	return c, nil
}

// tellCancelled lets them know of a cancellation.
func (s *Shop) tellCancelled(ctx context.Context, c *Cancellation) {
	s.undone.Add(1)
	c.Accepted = time.Now()
	s.Signals.Cancelled.Emit(ctx, *c)
	s.meet(ctx, c.Customer, c.Country)
}

// meet announces customers that were never seen before.
func (s *Shop) meet(ctx context.Context, customer, country string) {
	if customer == "" {
		return
	}
	s.mu.Lock()
	isNew := s.users.add(customer)
	s.mu.Unlock()
	if isNew {
		s.Signals.Registered.Emit(ctx, UserRegistered{Customer: customer, Country: country})
	}
}

// Close takes no more orders and returns when the departments have handled
// every one that was accepted, or with an error when ctx ends first.
//
// The order matters: first the door, because an order between its chain and
// its fan-out is accepted, and a bus that is closed would refuse to tell the
// departments. A sync signal has nothing to drain, so the bus does not close
// the chains; the door does.
func (s *Shop) Close(ctx context.Context) error {
	err := errors.Join(s.door.close(ctx), s.Signals.Bus.Close(ctx))
	if s.gateway != nil {
		s.gateway.close()
	}
	return err
}

// Accepted counts the orders from src.
func (s *Shop) Accepted(src Source) int64 { return s.accepted[src].Load() }

// Refused counts the orders that the chain refused.
func (s *Shop) Refused() int64 { return s.refused.Load() }

// Cancellations counts the cancellations.
func (s *Shop) Cancellations() int64 { return s.undone.Load() }

// Orders counts the accepted orders.
func (s *Shop) Orders() int64 {
	var n int64
	for i := range s.accepted {
		n += s.accepted[i].Load()
	}
	return n
}

func (s *Shop) notice(format string, args ...any) { s.notify(fmt.Sprintf(format, args...)) }

package shop

import (
	"context"
	"log/slog"
	"time"

	"example.com/signals"
	"example.com/signals/resilience"
)

// Signals are all signals of the shop, on one bus: the bus finds them by name,
// closes them together and gives them their defaults.
type Signals struct {
	Bus *signals.Bus

	// The two chains. They carry pointers: a step completes what it gets.
	Placed     *signals.SyncSignal[*Order]        // order.placed
	Cancelling *signals.SyncSignal[*Cancellation] // order.cancelling

	// What has happened, for whoever wants to know.
	Accepted   *signals.AsyncSignal[Order]          // order.accepted
	Cancelled  *signals.AsyncSignal[Cancellation]   // order.cancelled
	Registered *signals.AsyncSignal[UserRegistered] // user.registered
	Health     *signals.AsyncSignal[HealthChecked]  // health.checked
	Metrics    *signals.AsyncSignal[Metric]         // metrics
	Audit      *signals.AsyncSignal[AuditEntry]     // audit

	// How it goes with the payment gateway.
	Dead     *signals.AsyncSignal[letter]                 // payment.dead
	Circuits *signals.AsyncSignal[resilience.StateChange] // payment.circuit

	// Failures of all the others. By value, because the bus needs its Emit
	// before it can be a member of the bus.
	Errors signals.AsyncSignal[signals.Failure] // errors
}

// backlog is how far the departments may be behind before the next order
// waits. A burst fits in; a file of any size does not pile up in memory.
const backlog = 2048

// departments is how many listen to order.accepted first.
const departments = 4

func newSignals(log *slog.Logger, slowAfter time.Duration) *Signals {
	s := &Signals{}
	s.Bus = signals.NewBus(
		signals.OnFailure(s.Errors.Emit),
		signals.Logger(log),
		signals.SlowAfter(slowAfter),
	)
	s.Errors.Init(signals.Name("errors"), signals.OnBus(s.Bus))

	patient := signals.SlowAfter(6 * slowAfter) // the payment gateway is asked more than once
	s.Placed = signals.SyncTopic[*Order](s.Bus, "order.placed", patient, signals.Around(answers))
	s.Cancelling = signals.SyncTopic[*Cancellation](s.Bus, "order.cancelling", patient, signals.Around(answers))

	s.Accepted = signals.Topic[Order](s.Bus, "order.accepted", signals.Capacity(backlog, signals.Block))
	s.Cancelled = signals.Topic[Cancellation](s.Bus, "order.cancelled", signals.Capacity(backlog, signals.Block))
	s.Registered = signals.Topic[UserRegistered](s.Bus, "user.registered", signals.Capacity(backlog, signals.Block))
	s.Health = signals.Topic[HealthChecked](s.Bus, "health.checked")
	s.Metrics = signals.Topic[Metric](s.Bus, "metrics")
	s.Audit = signals.Topic[AuditEntry](s.Bus, "audit")
	s.Dead = signals.Topic[letter](s.Bus, "payment.dead")
	s.Circuits = signals.Topic[resilience.StateChange](s.Bus, "payment.circuit")
	return s
}

// Stats are those of all signals. The bus has them too, but only of those that
// are open, and the figures of interest are those at the end.
func (s *Signals) Stats() []signals.SignalStats {
	return []signals.SignalStats{
		s.Placed.Stats(), s.Accepted.Stats(), s.Cancelling.Stats(), s.Cancelled.Stats(),
		s.Registered.Stats(), s.Health.Stats(), s.Metrics.Stats(), s.Audit.Stats(),
		s.Dead.Stats(), s.Circuits.Stats(), s.Errors.Stats(),
	}
}

// wire registers every listener of the shop. To learn what happens after an
// order, read here.
func (s *Shop) wire() {
	sig := s.Signals

	sig.Placed.Subscribe(s.validate, signals.Key("validate"))
	sig.Placed.Step(s.reserve, signals.Key("stock"))
	sig.Placed.Step(s.charge, signals.Key("payment"))
	sig.Placed.Subscribe(s.record, signals.Key("record"))

	sig.Cancelling.Step(s.claim, signals.Key("claim"))
	sig.Cancelling.Subscribe(s.refund, signals.Key("refund"))
	sig.Cancelling.Subscribe(s.restock, signals.Key("stock"))
	sig.Cancelling.Subscribe(s.recordCancellation, signals.Key("record"))

	sig.Accepted.Subscribe(s.Inventory.OnOrder, signals.Key("inventory"))
	sig.Accepted.Subscribe(s.Shipping.OnOrder, signals.Key("shipping"))
	sig.Accepted.Subscribe(s.Analytics.OnOrder, signals.Key("analytics"))
	sig.Accepted.Subscribe(s.Auditor.OnOrder, signals.Key("audit"))

	// order.accepted and order.cancelled are two signals, and two signals
	// promise no order between them: a department may hear of a cancellation
	// before it hears of the order. So departments add and subtract.
	sig.Cancelled.Subscribe(s.Inventory.OnCancellation, signals.Key("inventory"))
	sig.Cancelled.Subscribe(s.Shipping.OnCancellation, signals.Key("shipping"))
	sig.Cancelled.Subscribe(s.Analytics.OnCancellation, signals.Key("analytics"))
	sig.Cancelled.Subscribe(s.Auditor.OnCancellation, signals.Key("audit"))

	sig.Registered.Subscribe(s.Analytics.OnUserRegistered, signals.Key("analytics"))
	sig.Health.Subscribe(s.Services.Update, signals.Key("registry"))
	sig.Health.Subscribe(s.Alerts.OnHealthChecked, signals.Key("alerts"))
	sig.Metrics.Subscribe(s.Gauges.OnMetric, signals.Key("gauges"))
	sig.Audit.SubscribeBatch(s.Journal.OnEntries, signals.Key("journal"))
	sig.Dead.Subscribe(s.settle, signals.Key("settle"))
	sig.Circuits.Subscribe(s.onCircuit, signals.Key("notice"))
	sig.Errors.Subscribe(s.onFailure, signals.Key("notice"))
}

// onFailure is where the failures of all listeners end up. A real shop would
// page somebody.
func (s *Shop) onFailure(_ context.Context, f signals.Failure) error {
	s.notice("failure: listener %q of %q: %v", f.Key, f.Signal, f.Err)
	return nil
}

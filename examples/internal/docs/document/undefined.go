package document

import (
	"context"
	"errors"
	"time"

	"example.com/signals"
	"example.com/signals/examples/internal/docs/document/uuid"
)

// What the document does not say.
type (
	UserEvent    struct{ Name string }
	OrderEvent   struct{ ID int }
	PaymentEvent struct{ Cents int }
	HealthEvent  struct{ OK bool }
	MetricEvent  struct{ Value float64 }
	AuditEvent   struct{ Text string }
	ErrorEvent   struct{ Err error }

	MarketTick  struct{ Price int }
	Order       struct{ Quantity int }
	RiskEvent   struct{ Exposure int }
	ReportEvent struct{ Text string }

	SnapshotEvent struct{ ID uuid.UUID }

	// CircuitBreakerSignal is only named there.
	CircuitBreakerSignal struct{ signal signals.Signal[ErrorEvent] }

	// Event is what the store gets.
	Event interface {
		Type() string
		Data() []byte
	}

	// StoredEvent is what it makes of it.
	StoredEvent struct {
		ID        uuid.UUID
		Type      string
		Data      []byte
		Timestamp time.Time
	}
)

func (eb *EventBus) handleOrderForInventory(ctx context.Context, o OrderEvent) {
	eb.audit(ctx, "inventory", o)
}

func (eb *EventBus) handleOrderForShipping(ctx context.Context, o OrderEvent) {
	eb.audit(ctx, "shipping", o)
}

func (eb *EventBus) handleOrderForAnalytics(ctx context.Context, o OrderEvent) {
	eb.audit(ctx, "analytics", o)
}

func (eb *EventBus) audit(ctx context.Context, who string, _ OrderEvent) {
	eb.auditLog.Emit(ctx, AuditEvent{who})
}

var errNoAmount = errors.New("no amount")

func (eb *EventBus) validatePayment(_ context.Context, p PaymentEvent) error {
	if p.Cents <= 0 {
		return errNoAmount
	}
	return nil
}

func (eb *EventBus) processPayment(context.Context, PaymentEvent) error { return nil }

func (eb *EventBus) recordTransaction(ctx context.Context, _ PaymentEvent) error {
	eb.auditLog.Emit(ctx, AuditEvent{"transaction"})
	return nil
}

func (eb *EventBus) updateServiceRegistry(ctx context.Context, _ HealthEvent) {
	eb.metrics.Emit(ctx, MetricEvent{1})
}

func (eb *EventBus) alertOnFailure(ctx context.Context, h HealthEvent) {
	if !h.OK {
		eb.errorHandler.Emit(ctx, ErrorEvent{errors.New("unhealthy")})
	}
}

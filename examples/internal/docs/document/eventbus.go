package document

import "example.com/signals"

// region eventbus

type EventBus struct {
	// Domain events
	userEvents    signals.Signal[UserEvent]
	orderEvents   signals.Signal[OrderEvent]
	paymentEvents signals.SyncSignal[PaymentEvent] // Critical path

	// System events
	healthChecks signals.Signal[HealthEvent]
	metrics      signals.Signal[MetricEvent]

	// Cross-cutting concerns
	auditLog     signals.Signal[AuditEvent]
	errorHandler signals.Signal[ErrorEvent]

	// Circuit breaker for external services
	circuitBreaker *CircuitBreakerSignal
}

func (eb *EventBus) Setup() {
	// Wire up cross-service communication
	eb.orderEvents.AddListener(eb.handleOrderForInventory)
	eb.orderEvents.AddListener(eb.handleOrderForShipping)
	eb.orderEvents.AddListener(eb.handleOrderForAnalytics)

	// Critical payment processing (sync)
	eb.paymentEvents.AddListenerWithErr(eb.validatePayment)
	eb.paymentEvents.AddListenerWithErr(eb.processPayment)
	eb.paymentEvents.AddListenerWithErr(eb.recordTransaction)

	// Health monitoring
	eb.healthChecks.AddListener(eb.updateServiceRegistry)
	eb.healthChecks.AddListener(eb.alertOnFailure)
}

// endregion

package shop

import (
	"context"

	"example.com/signals/examples/internal/english"
	"example.com/signals/resilience"
)

// PaymentCounts say how it went with the payment gateway.
type PaymentCounts struct {
	Repeated int64 `json:"repeated_attempts"`
	Opened   int64 `json:"circuit_opened"`
	Dead     int64 `json:"dead_letters"`
	Settled  int64 `json:"settled"` // dead letters whose charge was called off
}

// PaymentCounts returns the figures so far; zeros without a gateway.
func (s *Shop) PaymentCounts() PaymentCounts {
	if s.gateway == nil {
		return PaymentCounts{}
	}
	return PaymentCounts{
		Repeated: s.gateway.repeated.Load(), Opened: s.gateway.opened.Load(),
		Dead: int64(s.Signals.Dead.Stats().Emissions), Settled: s.gateway.settled.Load(),
	}
}

// settle listens to payment.dead.
func (s *Shop) settle(ctx context.Context, l letter) error {
	if err := s.gateway.settle(ctx, l); err != nil {
		return err
	}
	order := l.Payload.charge.Order
	s.notice("payment: gave up on %s after %s; nothing is charged", order, english.Plural(l.Attempts, "attempt"))
	s.Signals.Audit.Emit(ctx, AuditEntry{"payment.settled", order, l.Err.Error()})
	return nil
}

// onCircuit listens to payment.circuit. It leaves the trials out: half-open
// and open again is no news.
func (s *Shop) onCircuit(_ context.Context, c resilience.StateChange) error {
	switch c.To { // the trials are no news
	case resilience.Open:
		s.gateway.opened.Add(1)
		if c.From == resilience.Closed {
			s.notice("payment: the gateway fails; the circuit opens")
		}
	case resilience.Closed:
		s.notice("payment: the gateway works; the circuit closes")
	}
	return nil
}

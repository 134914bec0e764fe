package document

import (
	"context"
	"errors"
	"testing"

	"example.com/signals"
	"example.com/signals/examples/internal/docs/document/rate"
	"example.com/signals/signalstest"
)

func TestEventBusTellsEveryDepartment(t *testing.T) {
	audit := signals.New[AuditEvent]()
	alerts := signals.New[ErrorEvent]()
	eb := &EventBus{
		userEvents:     signals.New[UserEvent](),
		orderEvents:    signals.New[OrderEvent](),
		healthChecks:   signals.New[HealthEvent](),
		metrics:        signals.New[MetricEvent](),
		auditLog:       audit,
		errorHandler:   alerts,
		circuitBreaker: &CircuitBreakerSignal{signal: alerts},
	}
	eb.Setup()
	told := signalstest.Record(t, audit)
	alerted := signalstest.Record(t, alerts)

	eb.userEvents.Emit(t.Context(), UserEvent{"Ada"})
	eb.orderEvents.Emit(t.Context(), OrderEvent{1})
	told.Wait(t.Context(), 3)
	told.Unordered(AuditEvent{"inventory"}, AuditEvent{"shipping"}, AuditEvent{"analytics"})

	if err := eb.paymentEvents.TryEmit(t.Context(), PaymentEvent{100}); err != nil {
		t.Error(err)
	}
	if err := eb.paymentEvents.TryEmit(t.Context(), PaymentEvent{}); !errors.Is(err, errNoAmount) {
		t.Errorf("a payment of nothing: %v, want %v", err, errNoAmount)
	}
	eb.healthChecks.Emit(t.Context(), HealthEvent{OK: false})
	alerted.Wait(t.Context(), 1)
}

func TestTradingEngineRefusesWhatItsChainRefuses(t *testing.T) {
	te := &TradingEngine{marketData: signals.New[MarketTick](), reporting: signals.New[ReportEvent]()}
	ticks := signalstest.Record(t, te.marketData)
	tooBig := errors.New("too big")
	te.riskCheck.AddListenerWithErr(func(_ context.Context, e RiskEvent) error {
		if e.Exposure > 10 {
			return tooBig
		}
		return nil
	})
	te.orderFlow.AddListenerWithErr(func(ctx context.Context, o Order) error {
		return te.riskCheck.TryEmit(ctx, RiskEvent{o.Quantity})
	})
	te.orderFlow.AddListener(func(ctx context.Context, o Order) { te.reporting.Emit(ctx, ReportEvent{"done"}) })
	reports := signalstest.Record(t, te.reporting)

	te.ProcessMarketData(MarketTick{7})
	ticks.Wait(t.Context(), 1)
	if err := te.PlaceOrder(Order{5}); err != nil {
		t.Error(err)
	}
	if err := te.PlaceOrder(Order{50}); !errors.Is(err, tooBig) {
		t.Errorf("an order of 50: %v, want %v", err, tooBig)
	}
	reports.Wait(t.Context(), 1)
	reports.Ordered(ReportEvent{"done"})
}

type deposit struct{}

func (deposit) Type() string { return "deposit" }
func (deposit) Data() []byte { return []byte("20") }

func TestEventStoreProcessesWhatItPersisted(t *testing.T) {
	es := &EventStore{eventProcessed: signals.New[StoredEvent](), snapshotTaken: signals.New[SnapshotEvent]()}
	full := errors.New("disk full")
	var answer error
	es.eventPersisted.AddListenerWithErr(func(context.Context, StoredEvent) error { return answer })
	processed := signalstest.Record(t, es.eventProcessed)
	es.eventProcessed.AddListener(func(ctx context.Context, e StoredEvent) {
		es.snapshotTaken.Emit(ctx, SnapshotEvent{e.ID})
	})
	snapshots := signalstest.Record(t, es.snapshotTaken)

	if err := es.AppendEvent(deposit{}); err != nil {
		t.Error(err)
	}
	if got := processed.Wait(t.Context(), 1)[0]; got.Type != "deposit" || string(got.Data) != "20" {
		t.Errorf("processed %+v", got)
	}
	snapshots.Wait(t.Context(), 1)
	answer = full
	if err := es.AppendEvent(deposit{}); !errors.Is(err, full) {
		t.Errorf("a full disk: %v, want %v", err, full)
	}
}

type counter struct{ n int }

func (c *counter) Inc()              { c.n++ }
func (c *counter) Observe(_ float64) { c.n++ }

func TestWrappersEmit(t *testing.T) {
	ctx := t.Context()
	inner := signals.New[int]()
	got := signalstest.Record(t, inner)

	(&CPUAffinitySignal[int]{signals: []signals.Signal[int]{inner, inner}, cpuCount: 2}).Emit(ctx, 1)
	if err := (&RateLimitedSignal[int]{signal: inner, limiter: &rate.Limiter{}}).EmitWithLimit(ctx, 2); err != nil {
		t.Error(err)
	}
	var emits, times counter
	(&InstrumentedSignal[int]{signal: inner, emitCounter: &emits, latencyHist: &times, errorRate: new(counter)}).Emit(ctx, 3)
	got.Wait(ctx, 3)
	got.Ordered(1, 2, 3)
	if emits.n != 1 || times.n != 1 {
		t.Errorf("counted %d emissions and %d durations, want 1 of each", emits.n, times.n)
	}

	ended, end := context.WithCancel(ctx)
	end()
	if err := (&RateLimitedSignal[int]{signal: inner, limiter: &rate.Limiter{}}).EmitWithLimit(ended, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v, want %v", err, context.Canceled)
	}

	tuned := NewTunedSignal[int](8, 2)
	controlled := signalstest.Record(t, tuned)
	tuned.EmitControlled(ctx, 5)
	controlled.Wait(ctx, 1)
	controlled.Ordered(5)
}

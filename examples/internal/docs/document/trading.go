package document

import (
	"context"
	"time"

	"example.com/signals"
)

// region trading

type TradingEngine struct {
	marketData signals.Signal[MarketTick]    // ultra-high frequency
	orderFlow  signals.SyncSignal[Order]     // latency critical
	riskCheck  signals.SyncSignal[RiskEvent] // must be synchronous
	reporting  signals.Signal[ReportEvent]   // background processing
}

func (te *TradingEngine) ProcessMarketData(tick MarketTick) {
	te.marketData.Emit(context.Background(), tick) // market data keeps flowing
}

func (te *TradingEngine) PlaceOrder(order Order) error {
	// Synchronous validation chain
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()

	return te.orderFlow.TryEmit(ctx, order) // Must complete all steps
}

// endregion

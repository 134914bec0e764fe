// Package trading is an engine that rebuilds a stock market from its feed, and
// trades on it, with nothing shared between its parts but signals.
package trading

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"example.com/signals"
	"example.com/signals/examples/internal/trading/itch"
)

// Config says what engine to make. The zero value is one.
type Config struct {
	Shards int  // of the market, as many as run at once; 0: one a processor
	Risk   Risk // the zero value: UsualRisk
	Log    *slog.Logger
}

// Engine is the market, our orders in it, and what becomes of them. Make one
// with New, Feed it, and Close it.
type Engine struct {
	Signals   *Signals
	Market    *Market
	Positions *Positions

	gate     *gate
	limits   *limits
	exposure *exposure
	log      *slog.Logger
	began    time.Time
	failures atomic.Int64

	ids      atomic.Uint64
	accepted atomic.Int64
	mu       sync.Mutex
	refused  map[string]int64 // by reason; guarded by mu
	chain    *Recorder        // how long TryEmit took
	toOrder  *Recorder        // tick to order, where the order has a Due
}

// New makes an engine.
func New(cfg Config) *Engine {
	if cfg.Shards == 0 {
		cfg.Shards = runtime.GOMAXPROCS(0)
	}
	if cfg.Risk == (Risk{}) {
		cfg.Risk = UsualRisk
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	e := &Engine{
		Signals:   newSignals(cfg.Shards, cfg.Log),
		Positions: newPositions(),
		gate:      &gate{risk: cfg.Risk},
		limits:    &limits{risk: cfg.Risk},
		exposure:  newExposure(cfg.Risk),
		log:       cfg.Log,
		began:     time.Now(),
		refused:   make(map[string]int64),
		chain:     NewRecorder(),
		toOrder:   NewRecorder(),
	}
	e.Market = newMarket(e.Signals, cfg.Shards, e.Now)
	e.wire()
	return e
}

// Now is the engine's clock, in nanoseconds since it was made.
func (e *Engine) Now() int64 { return int64(time.Since(e.began)) }

// patience is how long the risk chain may take.
const patience = 100 * time.Millisecond

// Place sends an order through the risk chain to the exchange. It is nil if the
// order is on its way, and then its end will be told on order.execution. Else
// it is a *Refusal, or what went wrong; nothing has happened then.
func (e *Engine) Place(ctx context.Context, o Order) error {
	o.ID = e.ids.Add(1)
	begun := e.Now()
	// region place
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := e.Signals.Order.TryEmit(ctx, &o)
	// endregion
	done := e.Now()
	e.chain.Record(done - begun)
	if err == nil {
		e.accepted.Add(1)
		if o.Due != 0 {
			e.toOrder.Record(done - o.Due)
		}
		return nil
	}
	reason := "failed"
	if r, ok := errors.AsType[*Refusal](err); ok {
		reason = r.Reason
	}
	e.mu.Lock()
	e.refused[reason]++
	e.mu.Unlock()
	return err
}

// route is the last step of the risk chain: what it sends cannot be taken back.
func (e *Engine) route(ctx context.Context, o *Order) error {
	copied := *o // the caller's ends with the chain
	return e.Signals.Market.Offer(ctx, Input{Order: &copied, Message: to(o.Locate)})
}

// to addresses what is no message of the feed to the shard of a stock.
func to(locate uint16) itch.Message { return itch.SystemEvent{}.Message(itch.Header{Locate: locate}) }

// Ask makes each shard of the market emit a Report. The question waits its turn
// behind the messages before it, so the answer is of one instant of the feed.
func (e *Engine) Ask(ctx context.Context) {
	now := e.Now()
	for n := range e.Market.shards {
		if e.Signals.Market.Offer(ctx, Input{Asked: now, Message: to(uint16(n))}) != nil {
			return // closed
		}
	}
}

// Close takes nothing more from outside and returns when all that was accepted
// is finished: messages are in the books, and each order has had its end.
func (e *Engine) Close(ctx context.Context) error { return e.Signals.Bus.Close(ctx) }

// Orders are what became of the orders.
type Orders struct {
	Accepted int64
	Refused  map[string]int64 // by reason
}

// Total counts the refused ones.
func (o *Orders) Total() (sum int64) {
	for _, n := range o.Refused {
		sum += n
	}
	return sum
}

// Orders so far.
func (e *Engine) Orders() Orders {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Orders{e.accepted.Load(), maps.Clone(e.refused)}
}

// Chain is how long the risk chain took for each order, refused ones included.
func (e *Engine) Chain() Latency { return e.chain.Latency() }

// ToOrder is how long it took from when a message was due until an order that
// answers it had passed the risk chain.
func (e *Engine) ToOrder() Latency { return e.toOrder.Latency() }

// ToBook is how long it took from when a message was due until it was in the
// book. The engine must be drained.
func (e *Engine) ToBook() Latency {
	all := NewLatency()
	for _, sh := range e.Market.shards {
		all.Add(sh.latency)
	}
	return all
}

// Failures counts the failures of listeners.
func (e *Engine) Failures() int64 { return e.failures.Load() }

// Stats are those of all signals, also when they have left the bus.
func (e *Engine) Stats() []signals.SignalStats {
	s := e.Signals
	return []signals.SignalStats{
		s.Market.Stats(), s.Quote.Stats(), s.Halt.Stats(), s.Trade.Stats(), s.Order.Stats(),
		s.Execution.Stats(), s.Report.Stats(), s.Errors.Stats(),
	}
}

package trading

import (
	"context"
	"log/slog"

	"example.com/signals"
	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

// Signals are all that the parts of the engine share.
type Signals struct {
	Bus *signals.Bus

	// What the market and we say, by stock: what is said about one stock is
	// handled in the order in which it was said, by one goroutine at a time,
	// and stocks of different shards at once. That goroutine owns the books of
	// its shard, so they need no lock.
	Market *signals.ShardedSignal[Input] // market.data

	// Told in the goroutine that has just changed the book. Whoever listens
	// delays the next tick of the shard, and so sees no tick too late: the
	// reference prices of the risk checks, halts, and the strategy.
	Quote *signals.SyncSignal[Quote]  // market.quote
	Halt  *signals.SyncSignal[Status] // market.halt

	// Told to whoever can be a little late.
	Trade *signals.AsyncSignal[Trade] // market.trade

	// The risk chain: every step agrees, or it is as if none had been asked.
	Order *signals.SyncSignal[*Order] // order

	// How an order ended: one for each that was accepted.
	Execution *signals.AsyncSignal[Execution] // order.execution

	// For people. The newest of each shard is enough.
	Report *signals.ShardedSignal[Report] // report

	// Failures of all the others. By value, because the bus needs its Emit
	// before it can be a member of the bus.
	Errors signals.AsyncSignal[signals.Failure] // errors
}

// backlog is about how many messages may wait before the feed does. It lets the
// books fall behind by some milliseconds and bounds the memory of a replay at
// full speed. Capacity(backlog, Block) would do the same to the message, for a
// third more time: it counts each emission out again. The feed, which is the
// only one that can be too fast, looks now and then.
const backlog = 8192

// Input is something that a shard of the market has to handle: a message of the
// feed, an order of ours, or a question for a report.
type Input struct {
	Due     int64 // when a message was due, in nanoseconds of the engine's clock; 0: nobody measures
	Asked   int64 // when a report was asked for, marketWide, or 0
	Order   *Order
	Message itch.Message
}

// marketWide marks what is no message of the feed but the copy of one, about all
// stocks, for a shard that the message itself does not go to.
const marketWide = -1

// Quote is a change of the best prices of a stock.
type Quote struct {
	Locate uint16
	Stock  itch.Stock
	Top    book.Top
	Time   int64 // nanoseconds since midnight, by the feed
	Due    int64 // of the message that changed it
}

// Trade is an execution in the market.
type Trade struct {
	Locate uint16
	Stock  itch.Stock
	Price  itch.Price
	Shares uint64
}

// Status says whether orders of a stock are welcome.
type Status struct {
	All        bool // it is of all stocks, and Trading says whether the market is open
	Locate     uint16
	Stock      itch.Stock
	Trading    bool
	Restricted bool // short sales are, by Reg SHO
	Why        string
}

func newSignals(shards int, log *slog.Logger) *Signals {
	s := &Signals{}
	s.Bus = signals.NewBus(signals.OnFailure(s.Errors.Emit), signals.Logger(log))
	s.Errors.Init(signals.Name("errors"), signals.OnBus(s.Bus))
	byStock := func(in Input) uint64 { return uint64(in.Message.Locate()) }
	s.Market = signals.NewSharded(shards, byStock, signals.Name("market.data"), signals.OnBus(s.Bus))
	s.Quote = signals.NewSync[Quote](signals.Name("market.quote"), signals.OnBus(s.Bus))
	s.Halt = signals.NewSync[Status](signals.Name("market.halt"), signals.OnBus(s.Bus))
	s.Trade = signals.Topic[Trade](s.Bus, "market.trade")
	s.Order = signals.NewSync[*Order](signals.Name("order"), signals.OnBus(s.Bus))
	s.Execution = signals.Topic[Execution](s.Bus, "order.execution")
	byShard := func(r Report) uint64 { return uint64(r.Shard) }
	s.Report = signals.NewSharded(shards, byShard, signals.Name("report"), signals.OnBus(s.Bus))
	return s
}

// wire registers every listener of the engine. To learn what happens when a
// message or an order comes, read here.
func (e *Engine) wire() {
	s := e.Signals

	// region wiring
	s.Market.Subscribe(e.Market.OnInput, signals.Key("books"))

	s.Quote.Subscribe(e.gate.OnQuote, signals.Key("gate"))
	s.Halt.Subscribe(e.gate.OnStatus, signals.Key("gate"))
	s.Trade.Subscribe(e.Positions.OnTrade, signals.Key("positions"))

	s.Order.Subscribe(e.gate.Validate, signals.Key("validate"))
	s.Order.Step(e.limits.Reserve, signals.Key("limit"))
	s.Order.Step(e.exposure.Reserve, signals.Key("exposure"))
	s.Order.Subscribe(e.gate.Band, signals.Key("band"))
	s.Order.Subscribe(e.route, signals.Key("route"))

	s.Execution.Subscribe(e.limits.OnExecution, signals.Key("limit"))
	s.Execution.Subscribe(e.exposure.OnExecution, signals.Key("exposure"))
	s.Execution.Subscribe(e.Positions.OnExecution, signals.Key("positions"))
	// endregion
	s.Errors.Subscribe(e.onFailure, signals.Key("log"))
}

// onFailure is where the failures of all listeners end up.
func (e *Engine) onFailure(_ context.Context, f signals.Failure) error {
	e.failures.Add(1)
	e.log.Error("failure", "signal", f.Signal, "listener", f.Key, "err", f.Err)
	return nil
}

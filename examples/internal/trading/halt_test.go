package trading

import (
	"context"
	"errors"
	"testing"

	"example.com/signals/examples/internal/trading/book"
	"example.com/signals/examples/internal/trading/itch"
)

func TestHaltsStopOrders(t *testing.T) {
	h := itch.Header{Locate: 1, Time: 5}
	action := func(state byte) itch.Message { return itch.TradingAction{Stock: acme, State: state}.Message(h) }
	operational := func(market, action byte) itch.Message {
		return itch.OperationalHalt{Stock: acme, Market: market, Action: action}.Message(h)
	}
	system := func(event byte) itch.Message { return itch.SystemEvent{Event: event}.Message(itch.Header{Time: 5}) }
	breach := func(level byte) itch.Message { return itch.Breach{Level: level}.Message(itch.Header{Time: 5}) }
	e, _ := opened(t, Config{Shards: 2}) // what is about all stocks goes to the shard that acme is not in
	for _, step := range []struct {
		name   string
		say    itch.Message
		reason string
	}{
		{"halt", action(itch.Halted), ReasonHalted},
		{"quotes only", action(itch.Quotation), ReasonHalted},
		{"trading", action(itch.Trading), ""},
		{"pause", action(itch.Paused), ReasonHalted},
		{"trading again", action(itch.Trading), ""},
		{"operational halt", operational('Q', 'H'), ReasonHalted},
		{"a trading action does not end it", action(itch.Trading), ReasonHalted},
		{"its end", operational('Q', 'T'), ""},
		{"an operational halt elsewhere", operational('B', 'H'), ""},
		{"circuit breaker", breach('1'), ReasonHalted},
		{"market hours do not end it", system(itch.EventStartOfMarketHours), ReasonHalted},
		{"trading after it", action(itch.Trading), ""},
		{"the second level", breach('2'), ReasonHalted},
		{"trading after that", action(itch.Trading), ""},
		{"the last level", breach('3'), ReasonClosed},
		{"trading does not end it", action(itch.Trading), ReasonClosed},
		{"the next day", system(itch.EventStartOfMarketHours), ""},
		{"close", system(itch.EventEndOfMarketHours), ReasonClosed},
	} {
		sent(t, e, step.say)
		err := e.Place(t.Context(), buy(1, 10_0000))
		if r, _ := errors.AsType[*Refusal](err); step.reason == "" && err != nil || step.reason != "" && (r == nil || r.Reason != step.reason) {
			t.Errorf("%s: %v, want %q", step.name, err, step.reason)
		}
	}
}

func TestRestrictedShortSalesMustNotTakeTheBid(t *testing.T) {
	e, _ := opened(t, Config{})
	sale := func(short bool, price itch.Price) error {
		return e.Place(t.Context(), Order{Locate: 1, Stock: acme, Side: book.Ask, Short: short, Shares: 1, Price: price})
	}
	say := func(action byte) {
		sent(t, e, itch.RegSHO{Stock: acme, Action: action}.Message(itch.Header{Locate: 1, Time: 5}))
	}
	for _, step := range []struct {
		action  byte
		short   bool
		price   itch.Price
		refused bool
	}{
		{'0', true, 10_0000, false}, {'1', true, 10_0000, true}, {'1', true, 9_9900, true}, {'1', true, 10_0100, false},
		{'1', false, 10_0000, false}, {'2', true, 10_0000, true}, {'0', true, 10_0000, false},
	} {
		say(step.action)
		err := sale(step.short, step.price)
		if r, _ := errors.AsType[*Refusal](err); step.refused != (r != nil && r.Reason == ReasonRestricted) || !step.refused && err != nil {
			t.Errorf("%c, short %t, at %v: %v", step.action, step.short, step.price, err)
		}
	}
}

// What stops an order may come while it is on its way: then the exchange rejects
// it, and the accounts get back what was reserved.
func TestTheExchangeRejectsWhatComesTooLate(t *testing.T) {
	stock, all := itch.Header{Locate: 1, Time: 5}, itch.Header{Time: 5}
	short := Order{Locate: 1, Stock: acme, Side: book.Ask, Short: true, Shares: 1, Price: 10_0000}
	for _, c := range []struct {
		name  string
		say   itch.Message
		order Order
		why   string
	}{
		{"halt", itch.TradingAction{Stock: acme, State: itch.Halted}.Message(stock), buy(1, 10_1000), ReasonHalted},
		{"operational halt", itch.OperationalHalt{Stock: acme, Market: 'Q', Action: 'H'}.Message(stock), buy(1, 10_1000), ReasonHalted},
		{"close", itch.SystemEvent{Event: itch.EventEndOfMarketHours}.Message(all), buy(1, 10_1000), ReasonClosed},
		{"circuit breaker", itch.Breach{Level: '1'}.Message(all), buy(1, 10_1000), ReasonHalted},
		{"its last level", itch.Breach{Level: '3'}.Message(all), buy(1, 10_1000), ReasonClosed},
		{"restriction", itch.RegSHO{Stock: acme, Action: '1'}.Message(stock), short, ReasonRestricted},
	} {
		for _, shards := range []int{1, 2} {
			e, ended := opened(t, Config{Shards: shards})
			var placed error
			e.Signals.Halt.Subscribe(func(ctx context.Context, _ Status) error {
				// The gate knows of it already. An order that passed it before:
				e.gate.open.Store(true)
				e.gate.status[1].Store(statusTrading)
				placed = e.Place(ctx, c.order)
				return nil
			})
			sent(t, e, c.say)
			drained(t, e)
			if placed != nil || len(*ended) != 1 || (*ended)[0].Why != c.why || (*ended)[0].Filled != 0 || e.Positions.Standing().Rejected != 1 {
				t.Errorf("%s, %d shards: %v, %+v, want %q", c.name, shards, placed, *ended, c.why)
			}
			untouched(t, e)
		}
	}
}

// A short sale that does not take the bid is as welcome as before.
func TestTheExchangeAcceptsRestrictedShortSalesAboveTheBid(t *testing.T) {
	e, ended := opened(t, Config{})
	sent(t, e, itch.RegSHO{Stock: acme, Action: '1'}.Message(itch.Header{Locate: 1, Time: 5}))
	if err := e.Place(t.Context(), Order{Locate: 1, Stock: acme, Side: book.Ask, Short: true, Shares: 1, Price: 10_0100}); err != nil {
		t.Fatal(err)
	}
	drained(t, e)
	if len(*ended) != 1 || (*ended)[0].Why != "" {
		t.Errorf("%+v", *ended)
	}
}

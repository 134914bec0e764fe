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
	e, _ := opened(t, Config{})
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
		{"circuit breaker", itch.Breach{Level: '1'}.Message(itch.Header{Time: 5}), ReasonClosed},
		{"market hours", system(itch.EventStartOfMarketHours), ""},
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

// A halt may come while an order is on its way: then the exchange rejects it,
// and the accounts get back what was reserved.
func TestTheExchangeRejectsWhatComesAfterAHalt(t *testing.T) {
	e, ended := opened(t, Config{Shards: 1})
	inside, goOn := make(chan struct{}), make(chan struct{})
	e.Signals.Halt.Subscribe(func(_ context.Context, s Status) error {
		if !s.Trading && s.Locate == 1 {
			close(inside)
			<-goOn
		}
		return nil
	})
	halted := make(chan error, 1)
	go func() {
		src := messages{itch.TradingAction{Stock: acme, State: itch.Halted}.Message(itch.Header{Locate: 1, Time: 5})}
		_, err := e.Feed(context.Background(), &src, Pace{})
		halted <- err
	}()
	<-inside
	// The gate knows of the halt already. An order that passed it before:
	e.gate.status[1].Store(statusTrading)
	if err := e.Place(t.Context(), buy(1, 10_1000)); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-halted; err != nil {
		t.Fatal(err)
	}
	drained(t, e)
	if len(*ended) != 1 || (*ended)[0].Why != "halted" || (*ended)[0].Filled != 0 || e.Positions.Standing().Rejected != 1 {
		t.Errorf("%+v", *ended)
	}
	untouched(t, e)
}

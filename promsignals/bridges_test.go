package promsignals_test

import (
	"testing"

	"example.com/signals"
	"example.com/signals/promsignals"
)

// bridge is one that says what it is told.
type bridge signals.BridgeStats

func (b *bridge) BridgeStats() signals.BridgeStats { return signals.BridgeStats(*b) }

func TestWhatWaitsInABridgeIsAMetric(t *testing.T) {
	out := &bridge{Direction: signals.BridgePublishes, Signal: "order.placed", Subject: "orders.placed", Stream: "ORDERS", Waiting: 12, Done: 30, Repeats: 4, Failures: 5, Err: "unreachable"}
	in := &bridge{Direction: signals.BridgeConsumes, Signal: "order.placed", Stream: "ORDERS", Durable: "shipping", Waiting: 9, InFlight: 2, Retrying: 3, Done: 7, Repeats: 6, Failures: 8, DeadLetters: 1}
	c := promsignals.NewBridgeCollector(out)
	c.Add(in)
	c.Add(in) // reads alike
	got := gather(t, c)
	for _, test := range []struct {
		name    string
		out, in float64
	}{
		{"signals_bridge_waiting", 12, 9}, {"signals_bridge_in_flight", 0, 2}, {"signals_bridge_retrying", 0, 3}, {"signals_bridge_down", 1, 0},
		{"signals_bridge_messages_total", 30, 7}, {"signals_bridge_repeats_total", 4, 6}, {"signals_bridge_failures_total", 5, 8}, {"signals_bridge_dead_letters_total", 0, 1},
	} {
		if v := value(got, test.name, "direction", "publishes", "signal", "order.placed", "subject", "orders.placed", "stream", "ORDERS"); v != test.out {
			t.Errorf("%s of the publisher is %v, want %v", test.name, v, test.out)
		}
		for _, signal := range []string{"order.placed", "order.placed#2"} {
			if v := value(got, test.name, "direction", "consumes", "signal", signal, "durable", "shipping"); v != test.in {
				t.Errorf("%s of the consumer of %s is %v, want %v", test.name, signal, v, test.in)
			}
		}
	}
}

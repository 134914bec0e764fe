package natsignals

import "example.com/signals"

var (
	_ signals.Bridge = (*Publisher)(nil)
	_ signals.Bridge = (*Consumer)(nil)
)

// BridgeStats is Stats as those who show or measure bridges of any sort take it.
func (p *Publisher) BridgeStats() signals.BridgeStats {
	s := p.Stats()
	return signals.BridgeStats{
		Direction: signals.BridgePublishes, Signal: p.signal, Listener: s.Listener.Key,
		Subject: s.Subject, Stream: s.Stream,
		Waiting: s.Listener.Lag, InFlight: s.Listener.InFlight,
		Done: s.Acknowledged, Repeats: s.Repeats, Failures: s.Repeats + s.Listener.Failures,
		Err: s.Err, Since: s.Since,
	}
}

// BridgeStats is Stats as those who show or measure bridges of any sort take it.
func (n *Consumer) BridgeStats() signals.BridgeStats {
	s := n.Stats()
	return signals.BridgeStats{
		Direction: signals.BridgeConsumes, Signal: n.feed.signal(), Subject: n.c.filter, Stream: s.Stream, Durable: s.Durable,
		Waiting: int(s.Pending) + s.InFlight + s.Retrying, InFlight: s.InFlight, Retrying: s.Retrying,
		Done: s.Handled, Repeats: s.Redelivered, Failures: s.Failures, DeadLetters: s.DeadLetters, Err: s.Err,
	}
}

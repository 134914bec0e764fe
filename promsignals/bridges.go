package promsignals

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/signals"
)

// BridgeCollector is a prometheus.Collector of bridges, which join signals to
// subjects of a broker. It reads their BridgeStats when it is scraped, and does not
// ask the broker. A registry takes one.
type BridgeCollector struct {
	mu  sync.Mutex
	all []signals.Bridge // under mu
}

var _ prometheus.Collector = (*BridgeCollector)(nil)

// NewBridgeCollector returns a collector of these bridges, and of those that are
// added later.
func NewBridgeCollector(bridges ...signals.Bridge) *BridgeCollector {
	c := &BridgeCollector{}
	for _, b := range bridges {
		c.Add(b)
	}
	return c
}

// Add makes the collector show a bridge too.
func (c *BridgeCollector) Add(b signals.Bridge) {
	if b == nil {
		panic("promsignals: BridgeCollector.Add: the bridge is nil")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, b)
}

var bridgeLabels = []string{"direction", "signal", "subject", "stream", "durable"}

var bridgeMetrics = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*signals.BridgeStats) float64
}{
	{bridgeDesc("waiting", "Messages accepted and not acknowledged, or in the stream and not handled, at the last look."), gauge,
		func(b *signals.BridgeStats) float64 { return float64(b.Waiting) }},
	{bridgeDesc("in_flight", "Messages that are being published or handled in this process now."), gauge,
		func(b *signals.BridgeStats) float64 { return float64(b.InFlight) }},
	{bridgeDesc("retrying", "Messages that wait at the broker after a failure."), gauge,
		func(b *signals.BridgeStats) float64 { return float64(b.Retrying) }},
	{bridgeDesc("down", "1 if something is in the way of the bridge now, or ended it."), gauge,
		func(b *signals.BridgeStats) float64 {
			if b.Err != "" {
				return 1
			}
			return 0
		}},
	{bridgeDesc("messages_total", "Messages that the stream has acknowledged; or that were handled, and that confirmed."), counter,
		func(b *signals.BridgeStats) float64 { return float64(b.Done) }},
	{bridgeDesc("repeats_total", "Attempts to publish that were made again; or messages that were delivered again."), counter,
		func(b *signals.BridgeStats) float64 { return float64(b.Repeats) }},
	{bridgeDesc("failures_total", "Attempts that failed."), counter,
		func(b *signals.BridgeStats) float64 { return float64(b.Failures) }},
	{bridgeDesc("dead_letters_total", "Messages that were given up, and kept."), counter,
		func(b *signals.BridgeStats) float64 { return float64(b.DeadLetters) }},
}

func bridgeDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("signals_bridge_"+name, help, bridgeLabels, nil)
}

// Describe implements prometheus.Collector.
func (c *BridgeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range bridgeMetrics {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *BridgeCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := make(map[string]int)
	for _, b := range c.all {
		s := b.BridgeStats()
		signal, subject := valid(s.Signal), valid(s.Subject)
		// Two bridges that read alike are told apart by the signal.
		key := fmt.Sprintf("%q", []string{s.Direction, signal, subject, s.Stream, s.Durable})
		if seen[key]++; seen[key] > 1 {
			signal = fmt.Sprintf("%s#%d", signal, seen[key])
		}
		for _, m := range bridgeMetrics {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&s), valid(s.Direction), signal, subject, valid(s.Stream), valid(s.Durable))
		}
	}
}

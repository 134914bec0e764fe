package shop

import (
	"context"
	"maps"
	"sync"
)

// Metric is one measurement.
type Metric struct {
	Name  string
	Value float64
}

// Gauges listens to metrics and keeps the last value of each.
type Gauges struct {
	mu     sync.Mutex
	values map[string]float64 // guarded by mu
}

func newGauges() *Gauges { return &Gauges{values: map[string]float64{}} }

// OnMetric listens to metrics.
func (g *Gauges) OnMetric(_ context.Context, m Metric) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.values[m.Name] = m.Value
	return nil
}

// Values returns the last value of each metric.
func (g *Gauges) Values() map[string]float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.values)
}

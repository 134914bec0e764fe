// Package circuits shows circuits of package resilience to Prometheus, as
// docs/resilience.md does.
package circuits

import (
	"github.com/prometheus/client_golang/prometheus"

	"example.com/signals/resilience"
)

// region collector

// Collector shows the state of circuits, and what they have counted.
type Collector []*resilience.Circuit

var (
	state    = prometheus.NewDesc("circuit_state", "1 for the state the circuit is in.", []string{"circuit", "state"}, nil)
	calls    = prometheus.NewDesc("circuit_calls_total", "Calls by what they came to.", []string{"circuit", "result"}, nil)
	refusals = prometheus.NewDesc("circuit_refusals_total", "Calls and emissions refused.", []string{"circuit"}, nil)
	opened   = prometheus.NewDesc("circuit_opened_total", "How often it has opened.", []string{"circuit"}, nil)
)

// Describe is of prometheus.Collector.
func (c Collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect is of prometheus.Collector.
func (c Collector) Collect(ch chan<- prometheus.Metric) {
	counter := func(desc *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
	}
	for _, circuit := range c {
		st := circuit.Stats()
		for _, s := range []resilience.State{resilience.Closed, resilience.HalfOpen, resilience.Open} {
			is := 0.0
			if s == st.State {
				is = 1
			}
			ch <- prometheus.MustNewConstMetric(state, prometheus.GaugeValue, is, st.Circuit, string(s))
		}
		counter(calls, st.Successes, st.Circuit, "success")
		counter(calls, st.Failures, st.Circuit, "failure")
		counter(calls, st.Ignored, st.Circuit, "ignored")
		counter(refusals, st.Refusals, st.Circuit)
		counter(opened, st.Opened, st.Circuit)
	}
}

// endregion

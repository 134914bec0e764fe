package promsignals

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/signals"
)

// view is one signal at one scrape.
type view struct {
	signals.SignalStats
	name   string // label value, unlike any other of this scrape
	oldest time.Duration
}

func (v *view) async() bool { return v.Kind != signals.KindSync }

// counts reports whether emissions and deliveries are known.
func (v *view) counts() bool { return v.Counted || v.async() }

// leaving returns how long the oldest call of a removed listener has run.
func (v *view) leaving() (longest time.Duration) {
	for i := range v.Leaving {
		longest = max(longest, v.Leaving[i].Running)
	}
	return longest
}

// metric is one metric of signals (S is view) or of listeners (S is
// signals.ListenerStats).
type metric[S any] struct {
	name  string
	help  string
	kind  prometheus.ValueType
	known func(*view) bool // whether such a signal has it; nil: all have
	value func(*S) float64
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

var signalMetrics = []metric[view]{
	{"signals_emissions_total", "Emissions that were accepted; of a sync signal, begun.", counter,
		(*view).counts, func(v *view) float64 { return float64(v.Emissions) }},
	{"signals_deliveries_total", "Calls of listeners that have come to an end.", counter,
		(*view).counts, func(v *view) float64 { return float64(v.Deliveries) }},
	{"signals_failures_total", "Deliveries that failed, panics among them.", counter,
		nil, func(v *view) float64 { return float64(v.Failures) }},
	{"signals_panics_total", "Deliveries that panicked.", counter,
		nil, func(v *view) float64 { return float64(v.Panics) }},
	{"signals_vetoes_total", "Deliveries that ended in a veto, which is no failure.", counter,
		nil, func(v *view) float64 { return float64(v.Vetoes) }},
	{"signals_drops_total", "Deliveries that were dropped.", counter,
		(*view).async, func(v *view) float64 { return float64(v.Drops) }},
	{"signals_refusals_total", "Emissions that were not accepted.", counter,
		nil, func(v *view) float64 { return float64(v.Refusals) }},
	{"signals_over_capacity_total", "Emissions accepted above the capacity, from inside listeners.", counter,
		(*view).async, func(v *view) float64 { return float64(v.OverCapacity) }},
	{"signals_listeners", "Listeners registered now.", gauge,
		nil, func(v *view) float64 { return float64(len(v.Listeners)) }},
	{"signals_leaving_listeners", "Removed listeners with a call under way.", gauge,
		(*view).async, func(v *view) float64 { return float64(len(v.Leaving)) }},
	{"signals_leaving_running_seconds", "How long the oldest call under way of a removed listener has run.", gauge,
		(*view).async, func(v *view) float64 { return v.leaving().Seconds() }},
	{"signals_workers", "Goroutines running listeners now.", gauge,
		(*view).async, func(v *view) float64 { return float64(v.Workers) }},
	{"signals_pending_emissions", "Emissions accepted and not finished by every listener.", gauge,
		(*view).async, func(v *view) float64 { return float64(v.Pending) }},
	{"signals_oldest_pending_seconds", "Age of the oldest pending emission, at least, as far as scrapes have seen it.", gauge,
		(*view).async, func(v *view) float64 { return v.oldest.Seconds() }},
}

var listenerMetrics = []metric[signals.ListenerStats]{
	{"signals_listener_deliveries_total", "Calls of the listener that have come to an end.", counter,
		(*view).counts, func(l *signals.ListenerStats) float64 { return float64(l.Deliveries) }},
	{"signals_listener_failures_total", "Deliveries to the listener that failed, panics among them.", counter,
		nil, func(l *signals.ListenerStats) float64 { return float64(l.Failures) }},
	{"signals_listener_panics_total", "Deliveries to the listener that panicked.", counter,
		nil, func(l *signals.ListenerStats) float64 { return float64(l.Panics) }},
	{"signals_listener_vetoes_total", "Deliveries to the listener that ended in a veto, which is no failure.", counter,
		nil, func(l *signals.ListenerStats) float64 { return float64(l.Vetoes) }},
	{"signals_listener_drops_total", "Deliveries to the listener that were dropped.", counter,
		(*view).async, func(l *signals.ListenerStats) float64 { return float64(l.Drops) }},
	{"signals_listener_lag", "Emissions pending for the listener.", gauge,
		(*view).async, func(l *signals.ListenerStats) float64 { return float64(l.Lag) }},
	{"signals_listener_calls_in_flight", "Calls of the listener under way.", gauge,
		(*view).async, func(l *signals.ListenerStats) float64 { return float64(l.InFlight) }},
	{"signals_listener_running_seconds", "How long the oldest call under way has run.", gauge,
		(*view).async, func(l *signals.ListenerStats) float64 { return l.Running.Seconds() }},
}

const (
	infoName, infoHelp         = "signals_info", "The kind of the signal and its payload type; always 1."
	durationName, durationHelp = "signals_listener_duration_seconds", "How long calls of the listener took, 1 call in 64."
)

// The first and the last of the buckets of signals.Durations whose bounds a
// histogram has unless it is told: from 1 microsecond to 17 seconds, each twice the
// last, which is as fine as signals count them.
const firstBound, lastBound = 4, 28

// defaultBounds returns those bounds, in seconds.
func defaultBounds() (seconds []float64) {
	for i := firstBound; i <= lastBound; i++ {
		seconds = append(seconds, signals.BucketBound(i).Seconds())
	}
	return seconds
}

// descs are the descriptors of one collector, in the order of the tables.
type descs struct {
	info, duration   *prometheus.Desc
	signal, listener []*prometheus.Desc
}

// describe makes them. fixed holds the constant labels, perhaps signal among them.
func describe(fixed prometheus.Labels) descs {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		if _, ok := fixed["signal"]; !ok {
			labels = append([]string{"signal"}, labels...)
		}
		return prometheus.NewDesc(name, help, labels, fixed)
	}
	d := descs{
		info:     desc(infoName, infoHelp, "kind", "payload"),
		duration: desc(durationName, durationHelp, "listener"),
	}
	for _, m := range signalMetrics {
		d.signal = append(d.signal, desc(m.name, m.help))
	}
	for _, m := range listenerMetrics {
		d.listener = append(d.listener, desc(m.name, m.help, "listener"))
	}
	return d
}

// histogram makes the metric of what was sampled, with the bounds of the buckets
// from first to last.
func histogram(desc *prometheus.Desc, d *signals.Durations, first, last int, labels []string) prometheus.Metric {
	buckets := make(map[float64]uint64, last-first+1)
	var below uint64
	for i := range last + 1 {
		if below += d.Buckets[i]; i >= first {
			buckets[signals.BucketBound(i).Seconds()] = below
		}
	}
	return prometheus.MustNewConstHistogram(desc, d.Count, d.Sum.Seconds(), buckets, labels...)
}

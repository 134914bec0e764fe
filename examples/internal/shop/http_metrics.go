package shop

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"example.com/signals"
)

// These are the counters and gauges that promsignals has, under the same names,
// so that its alerts work here. In a service of yours use promsignals: it knows
// histograms, ages and removed listeners too. The shop does without, because compiling the
// Prometheus client takes longer than compiling the shop, and its first
// run is somebody's first look.

// metric is one figure of signals (S is signals.SignalStats) or of listeners
// (signals.ListenerStats).
type metric[S any] struct {
	name, kind, help string
	async            bool // sync signals do not have it
	value            func(*S) float64
}

const (
	asCounter = "counter"
	asGauge   = "gauge"
)

var signalMetrics = []metric[signals.SignalStats]{
	{"signals_emissions_total", asCounter, "Emissions that were accepted; of a sync signal, begun.", false,
		func(s *signals.SignalStats) float64 { return float64(s.Emissions) }},
	{"signals_deliveries_total", asCounter, "Calls of listeners that have come to an end.", false,
		func(s *signals.SignalStats) float64 { return float64(s.Deliveries) }},
	{"signals_failures_total", asCounter, "Deliveries that failed, panics among them.", false,
		func(s *signals.SignalStats) float64 { return float64(s.Failures) }},
	{"signals_panics_total", asCounter, "Deliveries that panicked.", false,
		func(s *signals.SignalStats) float64 { return float64(s.Panics) }},
	{"signals_vetoes_total", asCounter, "Deliveries that ended in a veto, which is no failure.", false,
		func(s *signals.SignalStats) float64 { return float64(s.Vetoes) }},
	{"signals_drops_total", asCounter, "Deliveries that were dropped.", true,
		func(s *signals.SignalStats) float64 { return float64(s.Drops) }},
	{"signals_refusals_total", asCounter, "Emissions that were not accepted.", false,
		func(s *signals.SignalStats) float64 { return float64(s.Refusals) }},
	{"signals_leaving_running_seconds", asGauge, "How long the oldest call under way of a removed listener has run.", true,
		func(s *signals.SignalStats) float64 { return leaving(s).Seconds() }},
	{"signals_pending_emissions", asGauge, "Emissions accepted and not finished by every listener.", true,
		func(s *signals.SignalStats) float64 { return float64(s.Pending) }},
}

var listenerMetrics = []metric[signals.ListenerStats]{
	{"signals_listener_deliveries_total", asCounter, "Calls of the listener that have come to an end.", false,
		func(l *signals.ListenerStats) float64 { return float64(l.Deliveries) }},
	{"signals_listener_failures_total", asCounter, "Deliveries to the listener that failed, panics among them.", false,
		func(l *signals.ListenerStats) float64 { return float64(l.Failures) }},
	{"signals_listener_panics_total", asCounter, "Deliveries to the listener that panicked.", false,
		func(l *signals.ListenerStats) float64 { return float64(l.Panics) }},
	{"signals_listener_drops_total", asCounter, "Deliveries to the listener that were dropped.", true,
		func(l *signals.ListenerStats) float64 { return float64(l.Drops) }},
	{"signals_listener_lag", asGauge, "Emissions pending for the listener.", true,
		func(l *signals.ListenerStats) float64 { return float64(l.Lag) }},
	{"signals_listener_running_seconds", asGauge, "How long the oldest call under way has run.", true,
		func(l *signals.ListenerStats) float64 { return l.Running.Seconds() }},
}

// leaving returns how long the oldest call of a removed listener has run.
func leaving(s *signals.SignalStats) (longest time.Duration) {
	for i := range s.Leaving {
		longest = max(longest, s.Leaving[i].Running)
	}
	return longest
}

// getMetrics is what Prometheus scrapes. All listeners of the shop have keys,
// and names of plain characters, which is what labels are made of.
func (a *API) getMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	stats := a.shop.Signals.Bus.Stats()
	head := func(name, kind, help string) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, m := range signalMetrics {
		head(m.name, m.kind, m.help)
		for i := range stats {
			if s := &stats[i]; !m.async || s.Kind != signals.KindSync {
				fmt.Fprintf(w, "%s{signal=%q} %s\n", m.name, s.Name, number(m.value(s)))
			}
		}
	}
	for _, m := range listenerMetrics {
		head(m.name, m.kind, m.help)
		for i := range stats {
			s := &stats[i]
			for k := range s.Listeners {
				if l := &s.Listeners[k]; !m.async || s.Kind != signals.KindSync {
					fmt.Fprintf(w, "%s{listener=%q,signal=%q} %s\n", m.name, l.Key, s.Name, number(m.value(l)))
				}
			}
		}
	}
}

// Package promsignals shows what signals do to Prometheus.
//
//	reg := prometheus.NewRegistry()
//	reg.MustRegister(promsignals.NewBusCollector(bus))
//
// A [Collector] keeps no counters of its own: at each scrape it reads the Stats
// of its signals. Emissions and deliveries do not know that it is there, so
// their cost is the same with and without it. What a scrape costs grows with the
// number of listeners.
//
// [InstrumentedSignal] is for one signal whose every Emit shall be timed; that
// costs each Emit two readings of the clock and two updates.
//
// # Metrics
//
// Of each signal, with the label signal:
//
//   - signals_info, always 1, says its kind and its payload type in labels;
//   - signals_emissions_total, signals_deliveries_total, signals_failures_total,
//     signals_panics_total, signals_drops_total, signals_refusals_total and
//     signals_over_capacity_total;
//   - signals_listeners, signals_workers, signals_pending_emissions;
//   - signals_oldest_pending_seconds, the age of the oldest pending emission. It
//     is a lower bound: emissions carry no time, so it is known from the scrapes
//     that have seen the emission, and from the calls under way.
//
// Of each listener, with the labels signal and listener:
//
//   - signals_listener_deliveries_total, signals_listener_failures_total,
//     signals_listener_panics_total and signals_listener_drops_total;
//   - signals_listener_lag, signals_listener_calls_in_flight and
//     signals_listener_running_seconds, how long the oldest call under way has
//     run;
//   - signals_listener_duration_seconds, a histogram of how long calls took. The
//     signal samples 1 call in 64, so the histogram's count is not the number of
//     calls: its quotients and quantiles are right, its rate is not.
//
// Of each bridge of a [BridgeCollector], with the labels direction, signal,
// subject, stream and durable:
//
//   - signals_bridge_waiting, signals_bridge_in_flight, signals_bridge_retrying,
//     and signals_bridge_down, 1 if something is in its way;
//   - signals_bridge_messages_total, signals_bridge_repeats_total,
//     signals_bridge_failures_total and signals_bridge_dead_letters_total.
//
// A panic is a failure too. Failures and panics are always counted. A sync signal
// that is on no bus, has no Observer and is not signals.Counted counts nothing
// else, and then the other counters are left out rather than shown as 0. What only
// async signals have is left out for sync ones.
//
// # Labels
//
// A listener is called by its key, or by its function and the file and line of
// its registration. Listeners that would be called the same, such as those
// registered in a loop without keys, are summed into one. Of each signal the
// first 20 listeners have series of their own ([MaxListeners]); the rest are summed
// into one called [Other]. A listener does not move between the two while it
// lives, and no counter of a sum goes back because a listener was removed.
//
// Names of signals are not bounded: do not make names out of data.
//
// # Alerts and dashboard
//
// Beside this package's source are alerts.yml, rules for Prometheus, and
// dashboard.json, for Grafana. Tests hold them to the metrics of this package.
package promsignals

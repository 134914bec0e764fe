// Package promsignals shows what signals do to Prometheus.
//
//	reg := prometheus.NewRegistry()
//	reg.MustRegister(promsignals.NewBusCollector(bus))
//
// A [Collector] reads the Stats of its signals at each scrape. Emissions and
// deliveries do not know that it is there, so their cost is the same with and without
// it. What a scrape costs grows with the number of listeners. A signal tells it of
// each listener that is removed, which takes it some microseconds.
//
// A registry takes the collectors of several buses under [ConstLabels]:
//
//	reg.MustRegister(promsignals.NewBusCollector(orders, promsignals.ConstLabels(prometheus.Labels{"bus": "orders"})))
//	reg.MustRegister(promsignals.NewBusCollector(stock, promsignals.ConstLabels(prometheus.Labels{"bus": "stock"})))
//
// [InstrumentedSignal] is for one signal whose every Emit shall be timed; that
// costs each Emit two readings of the clock, two updates and a context.
//
// # Metrics
//
// Of each signal, with the label signal:
//
//   - signals_info, always 1, says its kind and its payload type in labels;
//   - signals_emissions_total, signals_deliveries_total, signals_failures_total,
//     signals_panics_total, signals_vetoes_total, signals_drops_total,
//     signals_refusals_total and signals_over_capacity_total;
//   - signals_listeners, signals_workers, signals_pending_emissions;
//   - signals_leaving_listeners, removed listeners with a call in flight, and
//     signals_leaving_running_seconds, how long the oldest of those calls has run;
//   - signals_oldest_pending_seconds, the age of the oldest pending emission. It
//     is a lower bound: emissions carry no time, so it is known from the scrapes
//     that have seen the emission, and from the calls under way.
//
// Of each listener, with the labels signal and listener:
//
//   - signals_listener_deliveries_total, signals_listener_failures_total,
//     signals_listener_panics_total, signals_listener_vetoes_total and
//     signals_listener_drops_total;
//   - signals_listener_lag, signals_listener_calls_in_flight and
//     signals_listener_running_seconds, how long the oldest call under way has
//     run;
//   - signals_listener_duration_seconds, a histogram of how long calls took. The
//     signal samples 1 call in 64, so the histogram's count is not the number of
//     calls: its quotients and quantiles are right, its rate is not. Its bounds are
//     those of signals, each twice the last; [Buckets] says which.
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
// lives.
//
// Each registration counts, whether a scrape sees it or not: what a removed one has
// counted stays in the counters of its label, and goes on there when the label is
// registered again. When there are 20 and one more label comes, it takes the place of
// the one whose listeners have been gone for longest. A label that comes and goes
// between two scrapes has series only if there is room, else it is in Other. So no
// counter goes back, and increase and rate miss no call; the sum of all counters of a
// signal's listeners can be less than that of the signal once a label lost its place.
// Calls after the removal count too: of a sync signal, whose emissions under way go on
// to call removed listeners, at the latest when the garbage collector has found that
// none is left. A signal of another package must have ObserveListeners, as those of
// signals and resilience do; else what comes and goes between two scrapes is missed.
//
// Names of signals are not bounded: do not make names out of data.
//
// # Alerts and dashboard
//
// Beside this package's source are alerts.yml, rules for Prometheus, and
// dashboard.json, for Grafana. Tests hold them to the metrics of this package.
package promsignals
